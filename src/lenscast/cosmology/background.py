"""Expansion history and comoving distances of a flat w0wa-CDM universe without radiation.

Convention: the scale factor ``a`` is the only time; distances are comoving, in Mpc/h, and vanish at a = 1.
Tables cover A_EARLY <= a <= 1 on an even grid in ln a, which growth shares.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lenscast.cosmology.parameters import Parameters
from lenscast.numerics.interpolation import HermiteTable, UniformHermiteTable
from lenscast.numerics.quadrature import gauss_legendre

__all__ = [
    "A_EARLY",
    "LN_A",
    "LN_A_SPACING",
    "SPEED_OF_LIGHT_OVER_H0",
    "Distances",
    "Omega_m_a",
    "distances",
    "expansion",
    "expansion_slope",
]

SPEED_OF_LIGHT_OVER_H0 = 2997.92458
"""Hubble distance [Mpc/h]."""

LN_A_SPACING = 1 / 64
"""Spacing of the tables in ln a: exact in binary, so that fixed steps meet the knots."""

LN_A = np.arange(-448, 1) * LN_A_SPACING
"""Knots of the tables, dense enough for distances to 6e-8 (worst at chi = 20 Mpc/h)."""

A_EARLY = float(np.exp(LN_A[0]))
"""Where the tables start, 9e-4: matter dominates, structure is linear."""


def _dark_energy(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Density of dark energy in today's critical densities."""
    exponent = -3 * (1 + parameters.w0 + parameters.wa)
    return (1 - parameters.Omega_m) * jnp.exp(exponent * jnp.log(a) - 3 * parameters.wa * (1 - a))


def expansion(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Expansion rate in units of today's, E = H / H0.

    E^2 = Omega_m a^-3 + (1 - Omega_m) a^(-3 (1 + w0 + wa)) exp(-3 wa (1 - a)).

    Parameters
    ----------
    a : scale factor.
    parameters : cosmological parameters.

    References: Linder (2003), astro-ph/0208512, Eq. 7.
    """
    return jnp.sqrt(parameters.Omega_m * a**-3 + _dark_energy(a, parameters))


def Omega_m_a(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Matter density at a in critical densities of that time, Omega_m a^-3 / E^2."""
    matter = parameters.Omega_m * a**-3
    return matter / (matter + _dark_energy(a, parameters))


def expansion_slope(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Logarithmic slope of the expansion rate, dlnE / dlna = -(3/2) [1 + w(a) Omega_de(a)]."""
    w = parameters.w0 + parameters.wa * (1 - a)
    return -1.5 * (1 + w * (1 - Omega_m_a(a, parameters)))


class Distances(eqx.Module):
    """Comoving distance and its inverse, accurate to 6e-8 for A_EARLY <= a <= 1; built by `distances`."""

    chi_of_ln_a: UniformHermiteTable
    ln_a_of_chi: HermiteTable

    def comoving_distance(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Comoving distance [Mpc/h] to the scale factor a."""
        return self.chi_of_ln_a(jnp.log(a))

    def scale_factor(self, chi: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Scale factor at the comoving distance chi [Mpc/h]."""
        return jnp.exp(self.ln_a_of_chi(chi))


def distances(parameters: Parameters) -> Distances:
    """Tables of the comoving distance and of its inverse.

    chi(a) = (c / H0) int_a^1 da' / (a'^2 E(a')), by Gauss-Legendre quadrature between knots; the inverse takes
    the same knots with d ln a / d chi = -a E H0 / c.

    Parameters
    ----------
    parameters : cosmological parameters.
    """
    ln_a, weights = gauss_legendre(LN_A, order=8)
    slices = (weights * _hubble_distance(ln_a, parameters)).sum(axis=1)
    chi = jnp.append(jnp.cumsum(slices[::-1])[::-1], 0.0)
    slope = -_hubble_distance(LN_A, parameters)
    return Distances(
        chi_of_ln_a=UniformHermiteTable(chi, slope, start=float(LN_A[0]), spacing=LN_A_SPACING),
        ln_a_of_chi=HermiteTable(chi[::-1], jnp.asarray(LN_A[::-1]), 1 / slope[::-1]),
    )


def _hubble_distance(ln_a: Float[np.ndarray, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Comoving Hubble distance c / (a H) [Mpc/h], -d chi / d ln a."""
    a = jnp.exp(jnp.asarray(ln_a))
    return SPEED_OF_LIGHT_OVER_H0 / (a * expansion(a, parameters))
