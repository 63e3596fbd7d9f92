"""What a snapshot says against what its particles do: times, units, conventions and the order of the particles."""

import math
from typing import Any

import numpy as np
from jaxtyping import Complex128, Float32

from lenscast.io.gadget import DarkMatter, Header

__all__ = ["check_density", "check_displacement", "check_header", "check_momentum", "check_particles"]

CRITICAL_DENSITY = 27.7536627  # [1e10 Msun/h / (Mpc/h)^3]
CONVENTIONS = {
    "peculiar velocities a dx/dt, which are to be divided by sqrt(a)": 0.5,
    "comoving velocities dx/dt, which are to be multiplied by sqrt(a)": -0.5,
    "momenta a^2 dx/dt, which are to be divided by a^1.5": 1.5,
}
"""Powers of a by which velocities of other conventions differ from Gadget's."""

WAVES = np.array([n for n in np.ndindex(3, 3, 3) if n > (1, 1, 1)]) - 1
"""Wavenumbers of the longest waves in units of the fundamental mode, one of each conjugate pair."""

UNITS = {"velocities in m/s": 1e3, "velocities in cm/s": 1e5}
"""Factors by which velocities in other units differ from those in km/s."""


def check_header(header: Header) -> None:
    """Refuse a time that contradicts the redshift, and a universe that is not flat."""
    a = header.number("Time", 1.1)
    if "Redshift" in header.attributes:
        z = float(np.ravel(header.attributes["Redshift"])[0])
        if not math.isclose(a * (1 + z), 1, rel_tol=2e-3):
            raise ValueError(
                f"{header.path}: Time = {a:.6g}, but Redshift = {z:.6g}, which is Time = {1 / (1 + z):.6g}: give the "
                "same time in both"
            )
    if dark := header.optional("OmegaLambda"):
        total = dark + header.number("Omega0", 1.0)
        if not math.isclose(total, 1, rel_tol=0.01):
            raise ValueError(f"{header.path}: Omega0 + OmegaLambda = {total:.4g}; give a snapshot of a flat universe")


def check_density(header: Header, Omega_m: float, size: float) -> None:
    """Refuse particles that do not weigh what the matter of the box does; massive neutrinos may take a tenth."""
    density = header.particle_mass * header.counts[1] / (CRITICAL_DENSITY * size**3)
    if density and not math.isclose(density, Omega_m, rel_tol=0.1):
        raise ValueError(
            f"{header.path}: {header.counts[1]} particles of {header.particle_mass:.4g}e10 Msun/h in a box of "
            f"{size:.6g} Mpc/h make Omega_m = {density:.4g}, but Omega0 = {Omega_m}: the units of length or mass are "
            "not those of the header (without UnitLength_in_cm: kpc/h), or these particles are not all the matter"
        )


def check_particles(matter: DarkMatter) -> None:
    """Refuse what is no number, and positions outside the box; rounding may put them on its border."""
    for block, values in (("Coordinates", matter.position), ("Velocities", matter.velocity)):
        if wrong := int((~np.isfinite(values)).any(axis=1).sum()):
            raise ValueError(
                f"{matter.header.path}: {wrong} of {len(values)} rows of {block} are not finite: "
                "the snapshot is damaged; copy it again"
            )
    low, high, size = matter.position.min(), matter.position.max(), matter.header.number("BoxSize")
    if not (low >= -1e-6 * size and high <= (1 + 1e-6) * size):
        raise ValueError(
            f"{matter.header.path}: coordinates from {low:.6g} to {high:.6g} in a box of BoxSize = {size:.6g}: both "
            "must be comoving, in one unit, and the coordinates wrapped into the box"
        )


def check_displacement(header: Header, displacement: Float32[np.ndarray, "3 x y z"]) -> None:
    """Refuse displacements [boxes] that gravity does not make from the lattice."""
    spread = displacement.std(axis=(1, 2, 3), dtype=np.float64).max()
    if spread > 0.2:
        raise ValueError(
            f"{header.path}: particles are {spread:.2f} boxes (rms) from where their IDs say that they started, almost "
            "as at random (0.29): give the order of the IDs, 'grid' or 'camels', and for 'camels' the tile"
        )
    mean = displacement.mean(axis=(1, 2, 3), dtype=np.float64) * displacement.shape[-1]
    if np.abs(mean).max() > 0.1:
        raise ValueError(
            f"{header.path}: mean displacement of {np.round(mean, 2).tolist()} spacings of particles, but gravity "
            "moves no centre of mass: the particles started from a shifted lattice; add the mean to lattice_shift"
        )


def check_momentum(
    header: Header,
    displacement: Float32[np.ndarray, "3 x y z"],
    momentum: Float32[np.ndarray, "3 x y z"],
    Omega_m: float,
) -> None:
    """Refuse momenta other than those of linear theory for the displacements of the longest waves, p = a^2 E f psi."""
    a = header.number("Time", 1.1)
    moved, moving = _long_waves(displacement), _long_waves(momentum)
    ratio = np.sum(moving * moved.conj()).real / np.sum(np.abs(moved) ** 2) / (a**2 * _growth_rate(a, Omega_m))
    # in particle-mesh simulations of boxes of 25, 50, 100 and 400 Mpc/h the ratio differs from 1 by up to 0.3 times the
    # variance of the density in these modes, which is 1 for 25 Mpc/h today, 0.5 for 50 and 0.2 for 100
    density = np.sum(WAVES * moved, axis=1) * 2 * np.pi / (header.number("BoxSize") * header.length)
    allowed = min(max(0.05, 0.35 * 2 * float(np.sum(np.abs(density) ** 2))), 0.4)
    if abs(ratio - 1) <= allowed:
        return
    factors = {**{name: a**power for name, power in CONVENTIONS.items()}, **UNITS}
    fitting = [name for name, each in factors.items() if abs(ratio / each - 1) <= allowed < abs(each - 1)]
    times = np.linspace(0.01, 1.1, 1000)
    # velocities of the file as a function of the time at which they would be linear theory's
    linear = np.sqrt(times) * _growth_rate(times, Omega_m)
    nearest = times[np.argmin(np.abs(linear / (ratio * math.sqrt(a) * _growth_rate(a, Omega_m)) - 1))]
    advice = f"these may be {' or '.join(fitting)}" if fitting else f"or Time is wrong: {nearest:.3g} would fit"
    raise ValueError(
        f"{header.path}: velocities are {ratio:.3g} times those of linear theory for the displacements of the longest "
        f"waves at a = {a:.4g} (allowed: {100 * allowed:.0f} %); they must be a dx/dt / sqrt(a) in km/s, Gadget's "
        f"convention; {advice}"
    )


def _growth_rate(a: Any, Omega_m: float) -> Any:
    """Rate of linear growth in a flat universe, H / H0 dln D / dln a, to 1 %."""
    matter = Omega_m * a**-3
    return np.sqrt(matter + 1 - Omega_m) * (matter / (matter + 1 - Omega_m)) ** 0.55


def _long_waves(field: Float32[np.ndarray, "3 x y z"]) -> Complex128[np.ndarray, "wave 3"]:
    """Amplitudes of the longest plane waves of the box, `WAVES`."""
    side = field.shape[-1]
    phases = np.exp(-2j * np.pi * np.outer(np.arange(side) / side, (-1, 0, 1))).astype(np.complex64)
    # along the fastest axis first, so that the whole field is read once and never copied as complex numbers
    along_z = field @ phases.real.copy() + 1j * (field @ phases.imag.copy())
    amplitudes = np.einsum("cxyn,yl,xk->ckln", along_z, phases, phases, optimize=True)
    chosen = amplitudes[:, *(WAVES.T + 1)] / side**3
    return chosen.T.astype(np.complex128)
