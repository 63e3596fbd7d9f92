"""Power spectrum of a periodic box, from particles or from a field on a mesh.

Convention: P(k) = |delta_k|^2 / V [(Mpc/h)^3] in shells one fundamental mode 2 pi / L wide, as far as the Nyquist
wavenumber of the mesh leaves them whole. The cloud-in-cell window of painting is divided out. Shot noise stays in:
particles that start from a lattice have none until they cross. Aliasing stays in too: about 1 % of spectra like those
of matter at half the Nyquist wavenumber.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int, Key

from lenscast.cosmology import Cosmology
from lenscast.gravity.initial import linear_field
from lenscast.gravity.lpt import lpt
from lenscast.gravity.mesh import ParticleMesh
from lenscast.gravity.nbody import Correction, Integrator, nbody
from lenscast.gravity.painting import paint
from lenscast.numerics.fourier import wavenumbers

__all__ = [
    "CrossPower",
    "MeasuredPower",
    "PowerToday",
    "cross_power",
    "field_power",
    "matter_power",
    "mean_over_ln_k",
    "power_error",
    "power_today",
]

POWER_ERROR = 0.05


class MeasuredPower(NamedTuple):
    """Power in shells of wavenumber.

    Attributes
    ----------
    k : mean wavenumber of the modes of a shell [h/Mpc].
    power : their mean power [(Mpc/h)^3].
    modes : their number, a mode and its conjugate counted once each.
    """

    k: Float64[Array, " shell"]
    power: Float64[Array, " shell"]
    modes: Int[np.ndarray, " shell"]


class CrossPower(NamedTuple):
    """Power of two densities and of both together, in shells of wavenumber.

    Attributes
    ----------
    k : mean wavenumber of the modes of a shell [h/Mpc].
    power, reference : mean power of each [(Mpc/h)^3].
    cross : real part of their cross power.
    """

    k: Float64[np.ndarray, " shell"]
    power: Float64[Array, " shell"]
    reference: Float64[Array, " shell"]
    cross: Float64[Array, " shell"]

    @property
    def correlation(self) -> Float64[Array, " shell"]:
        """Cross-correlation coefficient r(k)."""
        return self.cross / jnp.sqrt(self.power * self.reference)


class PowerToday(NamedTuple):
    """Power of one box today: of its linear field, and of the particles that evolved from it."""

    linear: MeasuredPower
    evolved: MeasuredPower


def power_today(
    key: Key[Array, ""],
    cosmology: Cosmology,
    mesh: ParticleMesh,
    a_start: float,
    lpt_order: int,
    integrator: Integrator,
    correction: Correction | None = None,
) -> PowerToday:
    """Matter power of a simulation at a = 1, and that of its own linear modes, which have the same sample variance.

    Parameters
    ----------
    key : of the linear field.
    cosmology : growth, expansion and linear power.
    mesh : box, number of particles and force mesh.
    a_start, lpt_order : start of the simulation.
    integrator : time integration.
    correction : of small scales, see `nbody`.
    """
    field = linear_field(key, cosmology.power, mesh)
    start = lpt(field, a_start, cosmology, mesh, lpt_order)
    times = jnp.array([a_start, 1.0])
    position = nbody(start, times, cosmology, mesh, integrator, correction, save=lambda state: state.position(mesh))
    return PowerToday(field_power(field, mesh.box_size), matter_power(position[0], mesh.box_size, 2 * mesh.particles))


def matter_power(position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> MeasuredPower:
    """Power spectrum of the density of particles; differentiable in their positions.

    Parameters
    ----------
    position : comoving positions [Mpc/h], wrapped periodically.
    box_size : side of the box [Mpc/h].
    mesh_size : mesh points per side; twice the particles per side keeps aliasing small up to their Nyquist wavenumber.

    References: Hockney & Eastwood (1988), Sect. 5-6; Jing (2005), astro-ph/0409240, Sect. 2.
    """
    counts = paint(position, box_size, mesh_size)
    delta = counts * (mesh_size**3 / position.shape[1]) - 1
    return _power(delta, box_size, _window(mesh_size, box_size))


def field_power(delta: Float32[Array, "x y z"], box_size: float) -> MeasuredPower:
    """Power spectrum of an overdensity on a mesh, such as `linear_field`; differentiable in it.

    Parameters
    ----------
    delta : overdensity.
    box_size : side of the box [Mpc/h].
    """
    return _power(delta, box_size, 1.0)


def _power(
    delta: Float32[Array, "x y z"], box_size: float, correction: Float[np.ndarray, "..."] | float
) -> MeasuredPower:
    """Mean of the corrected power of modes by shell."""
    shells, modes = _shells(delta.shape[0], box_size, correction), jnp.fft.rfftn(delta).ravel()
    return MeasuredPower(jnp.asarray(shells.k), shells.mean(modes, modes), shells.modes)


def cross_power(
    position: Float32[Array, "3 particle"],
    reference: Float32[Array, "3 particle"],
    box_size: float,
    mesh_size: int,
) -> CrossPower:
    """Power of two sets of particles in one box and of both together; differentiable in the positions.

    Parameters
    ----------
    position, reference : comoving positions [Mpc/h], wrapped periodically.
    box_size : side of the box [Mpc/h].
    mesh_size : mesh points per side, as in `matter_power`.
    """
    both = [paint(each, box_size, mesh_size) * (mesh_size**3 / each.shape[1]) - 1 for each in (position, reference)]
    first, second = (jnp.fft.rfftn(delta).ravel() for delta in both)
    shells = _shells(mesh_size, box_size, _window(mesh_size, box_size))
    return CrossPower(shells.k, *(shells.mean(x, y) for x, y in ((first, first), (second, second), (first, second))))


def mean_over_ln_k(values: Float[Array, " shell"], particles: int) -> Float[Array, ""]:
    """Mean of what is given by shell, over ln k up to the Nyquist wavenumber of the particles.

    Parameters
    ----------
    values : by shells one fundamental mode wide, the first about that mode, as in `MeasuredPower`.
    particles : per side of the box.
    """
    weights = 1 / np.arange(1, particles // 2 + 1)
    return jnp.sum(values[: weights.size] * weights) / weights.sum()


def power_error(spectra: CrossPower, particles: int) -> Float[Array, ""]:
    """Mean of ln(1 + ((P / P_ref - 1) / 0.05)^2) over ln k up to the Nyquist wavenumber of the particles.

    The logarithm keeps the last modes before it, which no correction brings back, from outweighing all others.

    Parameters
    ----------
    spectra : from `cross_power`.
    particles : per side of the box.
    """
    return mean_over_ln_k(jnp.log1p(((spectra.power / spectra.reference - 1) / POWER_ERROR) ** 2), particles)


class _Shells(NamedTuple):
    """Modes of an ``rfftn`` by shell: constants of a traced program."""

    k: Float64[np.ndarray, " shell"]
    modes: Int[np.ndarray, " shell"]
    shell: Int[np.ndarray, "..."]
    weight: Float64[np.ndarray, "..."]

    def mean(self, x: Array, y: Array) -> Float64[Array, " shell"]:
        """Mean of Re(x y*) over each shell."""
        terms = (jnp.real(x) * jnp.real(y) + jnp.imag(x) * jnp.imag(y)).astype(jnp.float64) * self.weight
        return jax.ops.segment_sum(terms, self.shell, num_segments=self.k.size + 1)[:-1] / self.modes


def _shells(size: int, box_size: float, correction: Float[np.ndarray, "..."] | float) -> _Shells:
    """Shells of a mesh, whose power is multiplied by a correction."""
    k = np.sqrt(sum(component**2 for component in _wavenumbers(size, box_size)))
    shell = np.rint(k / (2 * np.pi / box_size)).astype(np.int32).ravel()
    shells = (size - 1) // 2
    twice = np.full(k.shape, 2.0)  # the half of the modes that rfftn leaves out, conjugates of those it has
    twice[..., 0] = 1
    if size % 2 == 0:
        twice[..., -1] = 1
    shell = np.where((shell > 0) & (shell <= shells), shell - 1, shells)
    modes = np.bincount(shell, twice.ravel(), shells + 1)[:shells]
    mean_k = np.bincount(shell, (twice * k).ravel(), shells + 1)[:shells] / modes
    return _Shells(mean_k, modes.astype(int), shell, (twice * correction).ravel() * (box_size / size**2) ** 3)


def _window(size: int, box_size: float) -> Float64[np.ndarray, "..."]:
    """What undoes the window of clouds in a power spectrum."""
    x, y, z = (np.sinc(k * (box_size / size / (2 * np.pi))) for k in _wavenumbers(size, box_size))
    return 1 / (x * y * z) ** 4


def _wavenumbers(size: int, box_size: float) -> list[Float64[np.ndarray, "..."]]:
    """Components of the wavenumber on the mesh, as constants of a traced program."""
    with jax.ensure_compile_time_eval():
        return [np.asarray(component) for component in wavenumbers((size,) * 3, box_size / size, jnp.float64)]
