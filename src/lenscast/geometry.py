"""Geometry that a config is checked with and that the physics uses: distances, starlet scales and the region of maps.

Free of JAX. The expansion rate is written for any array namespace, since `lenscast.cosmology` differentiates it and the
checks of a config integrate it with NumPy.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

SPEED_OF_LIGHT_OVER_H0 = 2997.92458
"""Hubble distance c / H0 [Mpc/h]."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)

SCALE_TOLERANCE = 0.1
"""Relative difference between a starlet scale and its name in a config: names are rounded."""


def dark_energy_density(a: Any, parameters: Any, namespace: Any = np) -> Any:
    """Density of dark energy in today's critical densities, for w(a) = w0 + wa (1 - a).

    (1 - Omega_m) a^(-3 (1 + w0 + wa)) exp(-3 wa (1 - a)): Linder (2003), astro-ph/0208512, Eq. 7.

    Parameters
    ----------
    a
        Scale factor.
    parameters
        Anything with the attributes ``Omega_m``, ``w0`` and ``wa``.
    namespace
        Module that has ``exp`` and ``log`` of `a`: numpy or jax.numpy.
    """
    exponent = -3 * (1 + parameters.w0 + parameters.wa)
    return (1 - parameters.Omega_m) * namespace.exp(exponent * namespace.log(a) - 3 * parameters.wa * (1 - a))


def comoving_distance(z: float, cosmology: Any) -> float:
    """Comoving distance to a redshift, see `comoving_distances` [Mpc/h]."""
    return float(comoving_distances(np.array([z]), cosmology)[0])


def comoving_distances(z: np.ndarray, cosmology: Any) -> np.ndarray:
    """Comoving distance to redshifts in a flat w0wa-CDM cosmology without radiation [Mpc/h].

    Gauss-Legendre quadrature in sqrt(a), for which the integrand is constant as long as matter dominates. The
    differentiable tables of `lenscast.cosmology` integrate the same expansion rate in ln a.

    Parameters
    ----------
    z
        Redshifts, an array of any shape.
    cosmology
        Anything with the attributes ``Omega_m``, ``w0`` and ``wa``.
    """
    start = (1.0 + z[..., None]) ** -0.5
    root = 0.5 * (1.0 + start + (1.0 - start) * NODES)
    a = root**2
    rate = np.sqrt(cosmology.Omega_m * a**-3 + dark_energy_density(a, cosmology))
    return SPEED_OF_LIGHT_OVER_H0 * np.sum(WEIGHTS * (1.0 - start) * root / (a**2 * rate), axis=-1)


def starlet_scale(level: int, pixel_arcmin: float) -> float:
    """Size of level j of the starlet, 2^j pixels [arcmin]."""
    return 2**level * pixel_arcmin


def starlet_level(scale_arcmin: float, pixel_arcmin: float) -> int:
    """Level j of the starlet whose size of 2^j pixels is `scale_arcmin` within 10 %.

    Raises
    ------
    ValueError
        If no level has this size.
    """
    level = round(math.log2(scale_arcmin / pixel_arcmin))
    if level < 1 or abs(scale_arcmin / starlet_scale(level, pixel_arcmin) - 1.0) >= SCALE_TOLERANCE:
        raise ValueError(f"{scale_arcmin:g} arcmin is not 2^j pixels of {pixel_arcmin:.4g} arcmin within 10 %")
    return level


def starlet_levels(scales_arcmin: Iterable[float], pixel_arcmin: float) -> tuple[int, ...]:
    """Levels of several scales, in their order; see `starlet_level`."""
    return tuple(starlet_level(scale, pixel_arcmin) for scale in scales_arcmin)


def starlet_reach(level: int) -> int:
    """Farthest pixel, along an axis, that a coefficient of level j depends on."""
    return 2 * (2**level - 1)
