"""Spectra of the matter on lens planes, and the Limber integral as a sum over thin planes.

Convention: spectra are flat-sky; parameters, distances and kernels of the planes are those of the simulations.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lenscast.cosmology import Cosmology
from lenscast.lensing import limber_sum, plane_window
from lenscast.sections.lightcone import Lightcone
from lenscast.theory.matter import MatterPower

LIMBER_SPACING = 4.0  # Mpc/h; the midpoint rule is then accurate to 1e-4
DISTANCE = jax.jit(lambda cosmos, a: cosmos.distances.comoving_distance(a))
SCALE_FACTOR = jax.jit(lambda cosmos, chi: cosmos.distances.scale_factor(chi))


def limber(
    ell: Float[np.ndarray, " ell"],
    kernel: Callable[[Lightcone], Float[np.ndarray, "plane source"]],
    cosmos: Cosmology,
    power: MatterPower,
    z_max: float,
) -> Float[np.ndarray, "pair ell"]:
    """Spectra [sr] of all pairs of sources, integrated along the line of sight; Kilbinger (2015), Eq. 29.

    The integral is the sum over planes so thin that the midpoint rule is exact to 1e-4.

    Parameters
    ----------
    ell
        Multipoles.
    kernel
        Function that gives the kernel of any planes.
    cosmos
        Distances and matter density.
    power
        Nonlinear matter power of the same cosmology up to `z_max`.
    z_max
        Redshift at which the integral ends.

    References
    ----------
    Kilbinger (2015), arXiv:1411.0115.
    """
    thin = thin_planes(cosmos, z_max)
    return limber_sum(plane_power(ell, cosmos, power, thin, windows=False), kernel(thin))


def thin_planes(cosmos: Cosmology, z_max: float) -> Lightcone:
    """Planes of 4 Mpc/h or less up to a redshift; a sum over them is an integral along the line of sight."""
    chi = float(DISTANCE(cosmos, 1 / (1 + z_max)))
    planes = int(np.ceil(chi / LIMBER_SPACING))
    # mesh, field and pixels do not enter a sum over planes without windows
    return Lightcone(box_size=chi / planes, slabs_per_box=1, planes=planes, plane_mesh=8, field_deg=1.0, pixels=16)


def plane_power(
    ell: Float[np.ndarray, " ell"], cosmos: Cosmology, power: MatterPower, lightcone: Lightcone, windows: bool = True
) -> Float[np.ndarray, "plane ell"]:
    """Spectrum [sr] of the overdensity of each plane, P(ell / chi_i, z_i) / (chi_i^2 dchi) W_i(ell).

    Parameters
    ----------
    ell
        Multipoles.
    cosmos, power
        As for `limber`.
    lightcone
        Planes.
    windows
        Whether to multiply by `lensing.plane_window`, and to leave out modes longer than the box.
    """
    a = np.asarray(SCALE_FACTOR(cosmos, jnp.asarray(lightcone.chi)))
    planes = []
    for chi, scale_factor in zip(lightcone.chi, a, strict=True):
        plane = power.nonlinear(ell / chi, 1 / scale_factor - 1) / (chi**2 * lightcone.thickness)
        if windows:
            plane = plane * plane_window(ell, chi, lightcone) * (ell >= 2 * np.pi * chi / lightcone.box_size)
        planes.append(plane)
    return np.stack(planes)
