"""Nonlinear matter power as far as the checks of a config need it: halofit on a spectrum without wiggles.

Free of JAX, and computed in milliseconds. Forecasts never use it: `lenscast.cosmology` has the linear power of the
simulations, and `lenscast.theory` the nonlinear power that they are compared with. Within 10 % of CAMB's halofit.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lenscast.geometry import dark_energy_density
from lenscast.sections.cosmology import FlatCosmology

T_CMB = 2.7255  # [K]
LN_K = np.linspace(np.log(1e-4), np.log(1e4), 500)
LN_R = np.linspace(np.log(1e-3), np.log(1e2), 200)
"""Wavenumbers [h/Mpc] and radii [Mpc/h] of the tables."""


class MatterPower(NamedTuple):
    """Tables of a cosmology; built by `matter_power`.

    Attributes
    ----------
    cosmology
        Cosmology of the tables.
    linear
        Dimensionless linear power today at `LN_K`, k^3 P(k) / (2 pi^2).
    ln_variance
        Logarithm of the linear variance today in Gaussian spheres of the radii `LN_R`.
    """

    cosmology: FlatCosmology
    linear: Float[np.ndarray, " k"]
    ln_variance: Float[np.ndarray, " radius"]

    def __call__(self, k: Float[np.ndarray, "time k"], a: Float[np.ndarray, " time"]) -> Float[np.ndarray, "time k"]:
        """Nonlinear power [(Mpc/h)^3] at wavenumbers [h/Mpc] of each scale factor; Takahashi et al. (2012), Sect. 3."""
        D = growth(a, self.cosmology)[:, None]
        dark = dark_energy_density(a, self.cosmology)
        matter = self.cosmology.Omega_m * a**-3 / (self.cosmology.Omega_m * a**-3 + dark)
        w = self.cosmology.w0 + self.cosmology.wa * (1 - a)
        dark_term = ((1 - matter) * (1 + w))[:, None]
        slope = np.gradient(self.ln_variance, LN_R)
        # the radius within which the variance at this time is 1
        ln_R = np.interp(2 * np.log(D), -self.ln_variance, LN_R)
        n, C = -3 - np.interp(ln_R, LN_R, slope), -np.interp(ln_R, LN_R, np.gradient(slope, LN_R))
        a_n = 10 ** (
            1.5222 + 2.8553 * n + 2.3706 * n**2 + 0.9903 * n**3 + 0.2250 * n**4 - 0.6038 * C + 0.1749 * dark_term
        )
        b_n = 10 ** (-0.5642 + 0.5864 * n + 0.5716 * n**2 - 1.5474 * C + 0.2279 * dark_term)
        c_n = 10 ** (0.3698 + 2.0404 * n + 0.8161 * n**2 + 0.5869 * C)
        gamma = 0.1971 - 0.0843 * n + 0.8460 * C
        alpha = np.abs(6.0835 + 1.3373 * n - 0.1959 * n**2 - 5.5274 * C)
        beta = 2.0379 - 0.7354 * n + 0.3157 * n**2 + 1.2490 * n**3 + 0.3980 * n**4 - 0.1682 * C
        nu = 10 ** (5.2105 + 3.6902 * n)
        f1, f2, f3 = (matter[:, None] ** power for power in (-0.0307, -0.0585, 0.0743))
        y = k * np.exp(ln_R)
        linear = D**2 * np.exp(np.interp(np.log(k), LN_K, np.log(self.linear)))
        two_halo = linear * (1 + linear) ** beta / (1 + alpha * linear) * np.exp(-y / 4 - y**2 / 8)
        one_halo = a_n * y ** (3 * f1) / (1 + b_n * y**f2 + (c_n * f3 * y) ** (3 - gamma)) / (1 + nu / y**2)
        return 2 * np.pi**2 * (two_halo + one_halo) / k**3

    def rms(self, radius: float) -> float:
        """Rms of the linear density today, smoothed with exp(-k^2 R^2 / 2) [R in Mpc/h]."""
        return float(np.exp(np.interp(np.log(radius), LN_R, self.ln_variance) / 2))


@lru_cache(maxsize=8)
def matter_power(cosmology: FlatCosmology) -> MatterPower:
    """Tables of the power of a cosmology, normalised to its sigma8."""
    k = np.exp(LN_K)
    shape = k ** (3 + cosmology.n_s) * _transfer(k, cosmology) ** 2
    x = 8 * k
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    linear = shape * cosmology.sigma8**2 / np.trapezoid(shape * window**2, LN_K)
    gaussian = np.exp(-(np.exp(2 * LN_R)[:, None] * k**2))
    return MatterPower(cosmology, linear, np.log(np.trapezoid(linear * gaussian, LN_K, axis=1)))


def growth(a: Float[np.ndarray, " time"], cosmology: FlatCosmology) -> Float[np.ndarray, " time"]:
    """Linear growth factor, 1 today, to half a percent: dln D / dln a = Omega_m(a)^0.55, Linder (2005)."""
    ln_a = np.linspace(np.log(min(0.02, a.min())), 0.0, 400)
    matter = cosmology.Omega_m * np.exp(-3 * ln_a)
    rate = (matter / (matter + dark_energy_density(np.exp(ln_a), cosmology))) ** 0.55
    ln_D = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(ln_a))])
    return np.exp(np.interp(np.log(a), ln_a, ln_D - ln_D[-1]))


def rms_displacement(cosmology: FlatCosmology, box_size: float, spacing: float = 0.0) -> float:
    """Rms displacement of particles along one axis today, in linear theory [Mpc/h].

    Parameters
    ----------
    cosmology
        Cosmology.
    box_size
        Side of the box, which has no longer waves [Mpc/h].
    spacing
        Distance between particles, whose shortest waves are twice as long; all waves by default [Mpc/h].

    Notes
    -----
    sigma^2 = 1 / (6 pi^2) int P(k) dk.
    """
    k = np.exp(LN_K)
    is_inside = (k > 2 * np.pi / box_size) & (k * spacing < np.pi)
    integrand = np.where(is_inside, matter_power(cosmology).linear / k**2, 0)
    return float(np.sqrt(np.trapezoid(integrand, LN_K) / 3))


def _transfer(k: Float[np.ndarray, " k"], cosmology: FlatCosmology) -> Float[np.ndarray, " k"]:
    """Transfer function without wiggles, Eisenstein & Hu (1998), eqs. 26 and 28 to 31; k in h/Mpc."""
    matter, baryons = cosmology.Omega_m * cosmology.h**2, cosmology.Omega_b * cosmology.h**2
    fraction = cosmology.Omega_b / cosmology.Omega_m
    sound_horizon = 44.5 * np.log(9.83 / matter) / np.sqrt(1 + 10 * baryons**0.75)
    alpha = 1 - 0.328 * np.log(431 * matter) * fraction + 0.38 * np.log(22.3 * matter) * fraction**2
    # with baryons alone the fit of alpha falls below 0
    alpha = max(alpha, 0.05)
    suppressed = alpha + (1 - alpha) / (1 + (0.43 * k * cosmology.h * sound_horizon) ** 4)
    q = k * (T_CMB / 2.7) ** 2 / (cosmology.Omega_m * cosmology.h * suppressed)
    L0 = np.log(2 * np.e + 1.8 * q)
    return L0 / (L0 + (14.2 + 731 / (1 + 62.5 * q)) * q**2)
