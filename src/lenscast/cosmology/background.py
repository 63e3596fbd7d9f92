"""Expansion history and comoving distances of a flat w0wa-CDM universe without radiation.

Convention: the scale factor ``a`` is the only time; distances are comoving, in Mpc/h, and vanish at a = 1.
Tables cover A_EARLY <= a <= 1 on an even grid in ln a, which growth shares.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lenscast.cosmology.parameters import Parameters
from lenscast.geometry import SPEED_OF_LIGHT_OVER_H0, dark_energy_density
from lenscast.numerics.interpolation import HermiteTable, UniformHermiteTable
from lenscast.numerics.quadrature import gauss_legendre

LN_A_SPACING = 1 / 64
"""Spacing of the tables in ln a: exact in binary, so that the fixed steps of growth end on the knots."""

LN_A = np.arange(-448, 1) * LN_A_SPACING
"""Knots of the tables, dense enough for distances to 6e-8 (worst at chi = 20 Mpc/h)."""

A_EARLY = float(np.exp(LN_A[0]))
"""Scale factor at which the tables start, 9e-4: matter dominates there, and structure is linear."""


def expansion(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Expansion rate in units of today's, E = H / H0, Linder (2003, astro-ph/0208512) eq. 7.

    Notes
    -----
    E^2 = Omega_m a^-3 + (1 - Omega_m) a^(-3 (1 + w0 + wa)) exp(-3 wa (1 - a))
    """
    return jnp.sqrt(parameters.Omega_m * a**-3 + dark_energy_density(a, parameters, jnp))


def Omega_m_a(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Matter density at the scale factor a [critical density at a], Omega_m a^-3 / E^2."""
    matter = parameters.Omega_m * a**-3
    return matter / (matter + dark_energy_density(a, parameters, jnp))


def expansion_slope(a: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Logarithmic slope of the expansion rate, dlnE / dlna.

    Notes
    -----
    dlnE / dlna = -(3/2) [1 + w(a) Omega_de(a)], from the second Friedmann equation: matter has no pressure, dark energy
    the pressure w(a) times its density. In a flat universe Omega_de(a) = 1 - Omega_m(a).
    """
    w = parameters.w0 + parameters.wa * (1 - a)
    return -1.5 * (1 + w * (1 - Omega_m_a(a, parameters)))


class Distances(eqx.Module):
    """Comoving distance and its inverse, accurate to 6e-8 for A_EARLY <= a <= 1; built by `distances`.

    Attributes
    ----------
    chi_of_ln_a
        Comoving distance [Mpc/h] as a function of ln a.
    ln_a_of_chi
        Its inverse function.
    """

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

    Notes
    -----
    chi(a) = (c / H0) int_a^1 da' / (a'^2 E(a')), by Gauss-Legendre quadrature in ln a between knots. The inverse takes
    the same knots with d ln a / d chi = -a E H0 / c.
    """
    ln_a, weights = gauss_legendre(LN_A, order=8)
    slices = (weights * _hubble_distance(ln_a, parameters)).sum(axis=1)
    # chi vanishes today, at the last knot, so the slices are added from the last one backwards
    chi = jnp.append(jnp.cumsum(slices[::-1])[::-1], 0.0)
    slope = -_hubble_distance(LN_A, parameters)
    return Distances(
        chi_of_ln_a=UniformHermiteTable(chi, slope, start=float(LN_A[0]), spacing=LN_A_SPACING),
        # the knots of the inverse must increase, and chi decreases with a
        ln_a_of_chi=HermiteTable(chi[::-1], jnp.asarray(LN_A[::-1]), 1 / slope[::-1]),
    )


def _hubble_distance(ln_a: Float[np.ndarray, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Comoving Hubble distance c / (a H) [Mpc/h], which is -d chi / d ln a."""
    a = jnp.exp(jnp.asarray(ln_a))
    return SPEED_OF_LIGHT_OVER_H0 / (a * expansion(a, parameters))
