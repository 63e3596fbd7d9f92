r"""Halo model of the matter power spectrum, with the ingredients of HMCode2020's response to feedback.

Haloes are labelled by the comoving radius R that holds their mass in a homogeneous universe. Nothing on this grid
depends on cosmology but the masses: variances are constant matrices times the power spectrum, and 1 % of a mass, which
Bullock's concentrations need, is a shift along the grid.

Mass function: Sheth & Tormen (1999, astro-ph/9901122). Collapse: fits of Mead (2017, arXiv:1606.05345). Concentration:
Bullock et al. (2001, astro-ph/9908159) with the correction for dark energy of Dolag et al. (2004, astro-ph/0309771).
Convention: masses in Msun/h, lengths comoving, in Mpc/h; no massive neutrinos.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import spherical_jn

from lenscast.cosmology.background import A_EARLY, Omega_m_a
from lenscast.cosmology.cosmology import Cosmology
from lenscast.cosmology.power import PowerTable
from lenscast.numerics.quadrature import gauss_legendre

__all__ = ["Haloes", "Variances", "collapse", "haloes", "variances"]

CRITICAL_DENSITY = 2.77536627e11
"""Critical density today [h^2 Msun/Mpc^3]."""

NODES_PER_PERCENT = 16
"""Nodes of the grid between 1 % of a mass and the mass: more of them change the suppression by 2e-5 for k < 10 h/Mpc
and by 2e-4 for 20 h/Mpc."""

# masses go with R^3: a factor of 100 in mass is ln(100) / 3 in ln R
LN_RADIUS_SPACING = np.log(100) / 3 / NODES_PER_PERCENT

LN_RADIUS = np.log(40.0) + LN_RADIUS_SPACING * np.arange(-5 * NODES_PER_PERCENT, 1)
"""Grid of ln R: haloes from about 2e8 to 2e16 Msun/h, and below them the 1 % of the smallest."""

LN_K = np.linspace(np.log(1e-4), np.log(3e3), 768)
"""Grid of ln(k Mpc/h) for variances down to the smallest radius."""

Z_EARLY = 10.0
"""Redshift before which dark energy has no effect on growth in the correction of concentrations."""

# one panel of Gauss-Legendre nodes on [0, 1]
UNIT_INTERVAL = gauss_legendre(np.array([0.0, 1.0]), order=16)


def _variance_matrices() -> tuple[Float[np.ndarray, "radius k"], Float[np.ndarray, "radius k"]]:
    """Matrices that take P on LN_K to sigma^2(R) and to d sigma^2 / dlnR, on LN_RADIUS."""
    x = np.exp(LN_RADIUS[:, None] + LN_K)
    window = 3 * spherical_jn(1, x) / x
    slope = 3 * (spherical_jn(0, x) - window)  # dW / dlnx
    measure = np.exp(3 * LN_K) * (LN_K[1] - LN_K[0]) / (2 * np.pi**2)
    return measure * window**2, 2 * measure * window * slope


VARIANCE, VARIANCE_SLOPE = _variance_matrices()


class Variances(NamedTuple):
    """Linear density field today in spheres of the radii LN_RADIUS.

    Attributes
    ----------
    sigma
        Rms of the density contrast.
    slope
        Logarithmic slope dln(sigma) / dlnR.
    """

    sigma: Float[Array, " radius"]
    slope: Float[Array, " radius"]


def variances(power: PowerTable) -> Variances:
    """Rms sigma(R) of the linear density today, and its logarithmic slope dln(sigma) / dlnR, on LN_RADIUS.

    Parameters
    ----------
    power
        Linear power spectrum today.
    """
    spectrum = power(jnp.asarray(np.exp(LN_K)))
    variance = VARIANCE @ spectrum
    # dln(sigma) = d sigma^2 / (2 sigma^2)
    return Variances(jnp.sqrt(variance), VARIANCE_SLOPE @ spectrum / (2 * variance))


class Haloes(eqx.Module):
    """Haloes of all masses at one time; built by `haloes`.

    Attributes
    ----------
    mass
        Mass [Msun/h], about 2e8 to 2e16.
    one_halo
        One-halo power [(Mpc/h)^3] that each node of the grid would contribute if its haloes were points.
    radius
        Comoving virial radius [Mpc/h].
    formation
        Concentration divided by the concentration of a halo that forms now: (1 + z_formation) / (1 + z), with the
        correction for dark energy.
    """

    mass: Float[Array, " halo"]
    one_halo: Float[Array, " halo"]
    radius: Float[Array, " halo"]
    formation: Float[Array, " halo"]


def haloes(a: Float[Array, ""], variances: Variances, cosmology: Cosmology) -> Haloes:
    r"""Haloes at the scale factor a: Mead et al. (2021, arXiv:2009.01858) Sect. 2 and eqs. 20 to 22.

    Parameters
    ----------
    a
        Scale factor.
    variances
        Linear density field today, from `variances`.
    cosmology
        Parameters and growth.

    Notes
    -----
    With nu = delta_c / sigma(M, a), haloes between nu and nu + dnu contribute (M / rho) f(nu) dnu to the one-halo
    power. A halo forms when 1 % of its mass collapses, delta_c(a) / [sigma(M / 100, a)] D1(a) = D1(a_formation), or now
    if that is later.
    """
    parameters, growth = cosmology.parameters, cosmology.growth
    density = CRITICAL_DENSITY * parameters.Omega_m
    # the first NODES_PER_PERCENT radii are no haloes, but the 1 % of the mass of those that follow
    radius = jnp.asarray(np.exp(LN_RADIUS[NODES_PER_PERCENT:]))
    mass = 4 / 3 * jnp.pi * density * radius**3

    delta_c, overdensity = collapse(a, cosmology)
    sigma, slope = (values[NODES_PER_PERCENT:] for values in variances)
    nu = delta_c / (growth.D1(a) * sigma)
    # f(nu) dnu on an even grid in ln R: dnu = -nu dln(sigma)
    fraction = -_sheth_tormen(nu) * nu * slope * LN_RADIUS_SPACING

    # sigma of 1 % of each mass, NODES_PER_PERCENT nodes further down; sigma is of today, so that D1(a) drops out
    formation = growth.scale_factor(delta_c / variances.sigma[:-NODES_PER_PERCENT])
    return Haloes(
        mass=mass,
        one_halo=fraction * mass / density,
        # R holds the mass at the mean density, the virial radius at `overdensity` times the mean
        radius=radius / jnp.cbrt(overdensity),
        formation=a / jnp.minimum(formation, a) * _dark_energy_correction(a, cosmology),
    )


def _sheth_tormen(nu: Float[Array, " halo"]) -> Float[Array, " halo"]:
    """Mass function f(nu) of Sheth & Tormen: share of matter in haloes per unit of peak height nu, 1 in all."""
    scaled = 0.707 * nu**2
    return 0.21616 * (1 + scaled**-0.3) * jnp.exp(-scaled / 2)


def collapse(a: Float[Array, ""], cosmology: Cosmology) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Threshold and overdensity of spherical collapse: Mead (2017, arXiv:1606.05345) Appendix A.

    Parameters
    ----------
    a
        Scale factor.
    cosmology
        Parameters and growth.

    Returns
    -------
    delta_c
        Linear density contrast at which a sphere collapses at a; 1.686 while matter dominates.
    overdensity
        Density of the halo that forms, in units of the mean matter density; 18 pi^2 while matter dominates.

    Notes
    -----
    The fits are polynomials in 1 - g / a and 1 - G / a, with growth g normalised to g = a early and
    G = int_0^a g / a' da'.
    """
    times = a * jnp.asarray(UNIT_INTERVAL.nodes[0])
    early = cosmology.growth.D1(jnp.asarray(A_EARLY)) / A_EARLY
    growth = 1 - cosmology.growth.D1(a) / (a * early)
    # D1 / a' is constant before the table of growth starts: the integral from a' = 0 needs no special case
    accumulated = 1 - jnp.sum(UNIT_INTERVAL.weights[0] * cosmology.growth.D1(times) / times) / early
    log_Omega_m = jnp.log10(Omega_m_a(a, cosmology.parameters))

    def fit(p0: float, p1: float, p2: float, p3: float) -> Float[Array, ""]:
        return p0 + p1 * growth + p2 * growth**2 + p3 * accumulated

    threshold = 1 + fit(-0.0069, -0.0208, 0.0312, 0.0021) * log_Omega_m + fit(0.0001, -0.0647, -0.0417, 0.0646)
    overdensity = 1 + fit(-0.79, -10.17, 2.51, 6.51) * log_Omega_m + fit(-1.89, 0.38, 18.8, -15.87) * log_Omega_m**2
    return 3 / 20 * (12 * jnp.pi) ** (2 / 3) * threshold, 18 * jnp.pi**2 * overdensity


def _dark_energy_correction(a: Float[Array, ""], cosmology: Cosmology) -> Float[Array, ""]:
    """Concentration divided by its value in LCDM with the same Omega_m, from growth since Z_EARLY; 1 in LCDM."""
    a_early = jnp.asarray(1 / (1 + Z_EARLY))
    Omega_m, D1 = cosmology.parameters.Omega_m, cosmology.growth.D1
    return D1(a_early) / D1(a) * _growth_LCDM(a, Omega_m) / _growth_LCDM(a_early, Omega_m)


def _growth_LCDM(a: Float[Array, ""], Omega_m: Float[Array, ""]) -> Float[Array, ""]:
    """Growth factor with w = -1, equal to a while matter dominates (Heath 1977): (5/2) Omega_m E int da' / (a' E)^3."""
    # with a' = a t^2 the integrand is smooth at a' = 0, where (a' E)^-3 goes with a'^(3/2)
    ratio = (1 - Omega_m) * a**3 / Omega_m
    t, weights = UNIT_INTERVAL.nodes[0], UNIT_INTERVAL.weights[0]
    integral = jnp.sum(weights * t**4 * (1 + ratio * t**6) ** -1.5)
    return 5 * a * jnp.sqrt(1 + ratio) * integral
