r"""Suppression of matter power by baryonic feedback after HMCode2020, Mead et al. (2021, arXiv:2009.01858).

The response is the ratio of two halo models, each linear power plus a one-halo term. In the first, haloes contain
matter under gravity alone. In the second, active galactic nuclei have expelled gas from the haloes, which have stars in
their centres and shallower profiles. One parameter sets all of it: log10_T_AGN, the logarithm of the temperature to
which nuclei heat gas in the BAHAMAS simulations.

The simulations have log10_T_AGN = 7.6, 7.8 and 8.0; the fit is good to about 1 % for z < 1 and k < 20 h/Mpc.
Elsewhere it is an extrapolation, linear in log10_T_AGN. Beyond z = 2.2 the fitted mass of stars exceeds all baryons and
is bounded by them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lenscast.cosmology.cosmology import Cosmology
from lenscast.cosmology.halo_model import Haloes, haloes, variances
from lenscast.cosmology.halo_profile import nfw_transform
from lenscast.cosmology.parameters import Parameters


class _Content(NamedTuple):
    """What haloes contain.

    Attributes
    ----------
    concentration
        Concentration of a halo that forms now.
    extended
        Share of the halo's total mass (that it would have under gravity alone) in its extended profile.
    stars
        Share in stars, a point at the centre.
    """

    concentration: Float[Array, ""] | float
    extended: Float[Array, " halo"] | float
    stars: Float[Array, ""] | float


GRAVITY_ALONE = _Content(concentration=4.0, extended=1.0, stars=0.0)


def _with_feedback(
    a: Float[Array, ""], mass: Float[Array, " halo"], parameters: Parameters, log10_T_AGN: Float[Array, ""] | float
) -> _Content:
    """Cold dark matter, the gas that stays, and stars: Mead et al. (2021) eqs. 24 and 25, Table 5."""
    z = 1 / a - 1
    theta = log10_T_AGN - 7.8
    baryons = parameters.Omega_b / parameters.Omega_m
    # the fit grows exponentially with z: without the bound there would be more stars than baryons, and negative gas
    stars = jnp.minimum((0.0201 - 0.0030 * theta) * 10 ** (z * (0.409 + 0.0224 * theta)), baryons)
    # haloes of the mass M_b have lost half of their gas, smaller ones more
    half_lost = 10 ** (13.87 + 1.81 * theta + z * (-0.108 + 0.195 * theta))
    gas = (baryons - stars) / (1 + (half_lost / mass) ** 2)
    concentration = (3.44 - 0.496 * theta) * 10 ** (z * (-0.0671 - 0.0371 * theta))
    return _Content(concentration, parameters.Omega_c / parameters.Omega_m + gas, stars)


def _one_halo_power(k: Float[Array, " k"], haloes: Haloes, content: _Content) -> Float[Array, " k"]:
    """One-halo power [(Mpc/h)^3] before damping on large scales."""

    def at(k: Float[Array, ""]) -> Float[Array, ""]:
        profile = nfw_transform(k, haloes.radius, content.concentration * haloes.formation)
        # a point has the transform 1 at all k
        return jnp.sum(haloes.one_halo * (content.extended * profile + content.stars) ** 2)

    return jax.vmap(at)(k)


def baryon_suppression(
    k: Float[Array, " k"],
    a: Float[Array, " plane"],
    cosmology: Cosmology,
    log10_T_AGN: Float[Array, ""] | float,
) -> Float[Array, "plane k"]:
    r"""Matter power with baryonic feedback divided by matter power under gravity alone.

    Mead et al. (2021, arXiv:2009.01858) Sect. 6, fitted to the simulations of McCarthy et al. (2017, arXiv:1603.02702).

    Parameters
    ----------
    k
        Wavenumber [h/Mpc], positive.
    a
        Scale factors.
    cosmology
        Parameters, growth and linear power.
    log10_T_AGN
        Logarithm of the temperature to which active nuclei heat gas [K], 7.6 to 8.0 in the simulations.

    Notes
    -----
    Both powers are linear power plus a one-halo term, damped by (k/k_*)^4 / [1 + (k/k_*)^4] with
    k_* = 0.05618 sigma8(a)^-1.013 h/Mpc. Feedback changes the halo profile from U (Navarro, Frenk & White) to

        (Omega_c / Omega_m + f_gas(M)) U + f_stars,   f_gas = (Omega_b / Omega_m - f_stars) / [1 + (M_b / M)^2],

    and its concentration from 4 to B for a halo that forms now. B, f_stars and log10 M_b depend on log10_T_AGN and
    redshift alone; cosmology enters through the haloes. Within 0.3 % of CAMB's HMCode2020 for k < 10 h/Mpc and z < 2,
    1.4 % for 20 h/Mpc; on CAMB's linear power within 0.02 % and 0.05 %.
    """
    fluctuations = variances(cosmology.power)
    linear_today = cosmology.power(k)

    # Times are computed one after another: one time fits into the processor's cache, all of them together do not. The
    # checkpoint computes a time again in reverse mode, in place of keeping its haloes in memory.
    @jax.checkpoint
    def at(a: Float[Array, ""]) -> Float[Array, " k"]:
        population = haloes(a, fluctuations, cosmology)
        growth = cosmology.growth.D1(a)
        k_damping = 0.05618 * (cosmology.parameters.sigma8 * growth) ** -1.013
        # (k/k_*)^4 / [1 + (k/k_*)^4]
        damping = 1 / (1 + (k_damping / k) ** 4)
        feedback = _with_feedback(a, population.mass, cosmology.parameters, log10_T_AGN)
        before, after = (_one_halo_power(k, population, content) for content in (GRAVITY_ALONE, feedback))
        linear = growth**2 * linear_today
        return (linear + damping * after) / (linear + damping * before)

    return jax.lax.map(at, a)
