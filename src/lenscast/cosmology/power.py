"""Linear matter power spectrum today: Eisenstein & Hu (1998, astro-ph/9709112) with wiggles, normalised to sigma8.

Convention: k in h/Mpc, P in (Mpc/h)^3, P(k) = int d^3x xi(x) exp(-i k x). Dark energy does not change the shape, and
sigma8 is the amplitude today: derivatives with respect to w0 and wa are zero here, they enter through growth.
P(0) = 0, with zero gradients.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lenscast.cosmology.parameters import Parameters
from lenscast.numerics.interpolation import UniformHermiteTable

T_CMB = 2.7255
"""Temperature of the microwave background [K] (Fixsen 2009, arXiv:0911.1955)."""

LN_K = np.linspace(np.log(1e-4), np.log(1e2), 1024)
"""Grid of ln(k Mpc/h), for the table and for variances: a dozen points on the finest wiggle that is not yet damped."""

LN_K_SPACING = float(LN_K[1] - LN_K[0])

SLOPE_STENCIL = np.array([1.0, -9.0, 45.0, 0.0, -45.0, 9.0, -1.0]) / 60
"""Sixth-order central difference on unit spacing, in the order of a convolution kernel."""


class _Fit(NamedTuple):
    """Scales and amplitudes of the transfer function; wavenumbers in 1/Mpc and lengths in Mpc, without h."""

    baryon_fraction: Float[Array, ""]
    k_equality: Float[Array, ""]
    k_silk: Float[Array, ""]
    sound_horizon: Float[Array, ""]
    alpha_c: Float[Array, ""]
    beta_c: Float[Array, ""]
    alpha_b: Float[Array, ""]
    beta_b: Float[Array, ""]
    beta_node: Float[Array, ""]


def _fit(parameters: Parameters) -> _Fit:
    """Eisenstein & Hu (1998) eqs. 2 to 7, 11, 12, 14, 15, 23 and 24.

    Their z_eq and z_d are 1 + z here, as in their own code: eq. 2 gives 1 + z_eq, and eq. 5 takes 1 + z.
    """
    matter = parameters.Omega_m * parameters.h**2
    baryons = parameters.Omega_b * parameters.h**2
    fraction = parameters.Omega_b / parameters.Omega_m
    theta = T_CMB / 2.7

    # eqs. 2 and 3: equality of matter and radiation
    equality = 2.50e4 * matter * theta**-4
    k_equality = 7.46e-2 * matter * theta**-2
    # eq. 4: the drag epoch, when photons release the baryons
    b1 = 0.313 * matter**-0.419 * (1 + 0.607 * matter**0.674)
    b2 = 0.238 * matter**0.223
    drag = 1 + 1291 * matter**0.251 / (1 + 0.659 * matter**0.828) * (1 + b1 * baryons**b2)
    # eq. 5: R, the ratio of baryon to photon momentum density, at the drag epoch and at equality
    loading = 31.5e3 * baryons * theta**-4
    r_drag, r_equality = loading / drag, loading / equality
    # eq. 6: sound horizon at the drag epoch
    ratio = (jnp.sqrt(1 + r_drag) + jnp.sqrt(r_drag + r_equality)) / (1 + jnp.sqrt(r_equality))
    sound_horizon = 2 / (3 * k_equality) * jnp.sqrt(6 / r_equality) * jnp.log(ratio)

    # eqs. 11 and 12: baryons slow the growth of cold dark matter before the drag epoch
    a1 = (46.9 * matter) ** 0.670 * (1 + (32.1 * matter) ** -0.532)
    a2 = (12.0 * matter) ** 0.424 * (1 + (45.0 * matter) ** -0.582)
    cold_b1 = 0.944 / (1 + (458 * matter) ** -0.708)
    cold_b2 = (0.395 * matter) ** -0.0266
    # eq. 15 at y = (1 + z_eq) / (1 + z_d)
    y = equality / drag
    root = jnp.sqrt(1 + y)
    G = y * (-6 * root + (2 + 3 * y) * jnp.log((root + 1) / (root - 1)))
    return _Fit(
        baryon_fraction=fraction,
        k_equality=k_equality,
        k_silk=1.6 * baryons**0.52 * matter**0.73 * (1 + (10.4 * matter) ** -0.95),  # eq. 7
        sound_horizon=sound_horizon,
        alpha_c=a1**-fraction * a2 ** -(fraction**3),  # eq. 11
        beta_c=1 / (1 + cold_b1 * ((1 - fraction) ** cold_b2 - 1)),  # eq. 12
        alpha_b=2.07 * k_equality * sound_horizon * (1 + r_drag) ** -0.75 * G,  # eq. 14
        beta_b=0.5 + fraction + (3 - 2 * fraction) * jnp.sqrt((17.2 * matter) ** 2 + 1),  # eq. 24
        beta_node=8.41 * matter**0.435,  # eq. 23
    )


def _pressureless(
    q: Float[Array, "*shape"], alpha: Float[Array, ""] | float, beta: Float[Array, ""] | float
) -> Float[Array, "*shape"]:
    """Transfer function of matter without pressure, Eisenstein & Hu (1998) eqs. 19 and 20."""
    logarithm = jnp.log(jnp.e + 1.8 * beta * q)
    coefficient = 14.2 / alpha + 386 / (1 + 69.9 * q**1.08)
    return logarithm / (logarithm + coefficient * q**2)


def transfer(k: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Matter transfer function with acoustic oscillations, 1 at k = 0; Eisenstein & Hu (1998) eqs. 16 to 22."""
    fit = _fit(parameters)
    k = k * parameters.h  # the paper has k in 1/Mpc
    q = k / (13.41 * fit.k_equality)  # eq. 10
    ks = k * fit.sound_horizon
    # eqs. 17 and 18: cold dark matter, interpolated across the sound horizon
    weight = 1 / (1 + (ks / 5.4) ** 4)
    large, small = _pressureless(q, 1.0, fit.beta_c), _pressureless(q, fit.alpha_c, fit.beta_c)
    cold = weight * large + (1 - weight) * small
    # eqs. 21 and 22: baryons oscillate, with nodes shifted on large scales and Silk damping on small ones; eq. 21
    # multiplied through by k^3 is finite at k = 0, and jnp.sinc(x) = sin(pi x) / (pi x) is their j0 of the phase
    driving = fit.alpha_b * ks**3 / (ks**3 + fit.beta_b**3) * jnp.exp(-((k / fit.k_silk) ** 1.4))
    phase = ks**2 / jnp.cbrt(ks**3 + fit.beta_node**3)
    baryons = (_pressureless(q, 1.0, 1.0) / (1 + (ks / 5.2) ** 2) + driving) * jnp.sinc(phase / jnp.pi)
    return fit.baryon_fraction * baryons + (1 - fit.baryon_fraction) * cold  # eq. 16


def _unnormalised(k: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Power spectrum up to its amplitude, k^n_s T^2(k), for k > 0."""
    return k**parameters.n_s * transfer(k, parameters) ** 2


def _variance(power: Float[Array, " k"], radius: Float[Array, ""] | float) -> Float[Array, ""]:
    """Variance in spheres of a field with the given spectrum on LN_K.

    sigma^2(R) = int dlnk k^3 P(k) W^2(k R) / (2 pi^2), with W the transform of a sphere, W(x) = 3 j1(x) / x.
    """
    x = jnp.exp(LN_K) * radius
    window = 3 * (jnp.sin(x) - x * jnp.cos(x)) / x**3
    # the integrand is smooth in ln k and vanishes at both ends: a sum with even weights is exponentially accurate
    return LN_K_SPACING * jnp.sum(np.exp(3 * LN_K) * window**2 * power) / (2 * jnp.pi**2)


def _amplitude(power: Float[Array, " k"], parameters: Parameters) -> Float[Array, ""]:
    """Factor that normalises a spectrum on LN_K to sigma8."""
    return parameters.sigma8**2 / _variance(power, 8.0)


def _on_grid(parameters: Parameters) -> Float[Array, " k"]:
    """Spectrum on LN_K, normalised to sigma8."""
    power = _unnormalised(jnp.exp(LN_K), parameters)
    return power * _amplitude(power, parameters)


def sigma_R(radius: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Rms of the linear density contrast today in spheres, sigma8 at 8 Mpc/h; to 1e-6 from 1 to 50 Mpc/h.

    Parameters
    ----------
    radius
        Comoving radius of the sphere [Mpc/h].
    parameters
        Cosmological parameters.
    """
    power = _on_grid(parameters)
    return jnp.sqrt(jnp.vectorize(lambda scale: _variance(power, scale))(radius))


def linear_power(k: Float[Array, "*shape"], parameters: Parameters) -> Float[Array, "*shape"]:
    """Linear matter power spectrum today [(Mpc/h)^3], from the transfer function itself.

    Parameters
    ----------
    k
        Wavenumber [h/Mpc], zero allowed.
    parameters
        Cosmological parameters.
    """
    amplitude = _amplitude(_unnormalised(jnp.exp(LN_K), parameters), parameters)
    # k = 0 must not enter a power even where its result is unused: its gradient there is NaN, and 0 NaN stays NaN
    positive = jnp.where(k > 0, k, 1.0)
    return jnp.where(k > 0, amplitude * _unnormalised(positive, parameters), 0.0)


class PowerTable(eqx.Module):
    """Linear power spectrum today, cheap on meshes, in the dtype of the wavenumber; built by `power_table`.

    ln P is cubic in ln k between 1e-4 and 1e2 h/Mpc, accurate to 1e-6, and continues as a power law on both sides. Its
    interpolation weights depend on no parameter. Value and gradients at k = 0 are 0.

    Attributes
    ----------
    ln_power
        ln P [(Mpc/h)^3] as a function of ln k [h/Mpc].
    """

    ln_power: UniformHermiteTable

    def __call__(self, k: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Power [(Mpc/h)^3] at the wavenumber k [h/Mpc]."""
        return self._power_of(k, 1.0)

    def root(self, k: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Square root of the power [(Mpc/h)^(3/2)], with gradients that are finite at k = 0 too."""
        return self._power_of(k, 0.5)

    def gaussian_rms(self, radius: float) -> Float[Array, ""]:
        """Rms of the linear density today, smoothed by exp(-k^2 radius^2 / 2).

        Parameters
        ----------
        radius
            Comoving smoothing scale [Mpc/h].
        """
        k = np.exp(LN_K)
        terms = np.exp(3 * LN_K - (k * radius) ** 2) * self(jnp.asarray(k))
        return jnp.sqrt(LN_K_SPACING * jnp.sum(terms) / (2 * jnp.pi**2))

    def _power_of(self, k: Float[Array, "*shape"], exponent: float) -> Float[Array, "*shape"]:
        """P(k)^exponent, 0 at k = 0."""
        # the exponent is inside the exponential: a root of P(k) = 0 would have an infinite gradient
        positive = jnp.where(k > 0, k, 1.0)
        return jnp.where(k > 0, jnp.exp(exponent * self.ln_power(jnp.log(positive))), 0.0)


def power_table(parameters: Parameters) -> PowerTable:
    """Tabulate `linear_power`."""
    ln_power = jnp.log(_on_grid(parameters))
    slopes = jnp.convolve(ln_power, SLOPE_STENCIL / LN_K_SPACING, mode="valid")
    # the stencil has no slope for the outer three points on either side: they are no knots
    reach = SLOPE_STENCIL.size // 2
    inner = slice(reach, -reach)
    return PowerTable(UniformHermiteTable(ln_power[inner], slopes, float(LN_K[reach]), LN_K_SPACING))
