"""Nonlinear matter power of CAMB, an optional dependency (the extra `theory`).

Convention: CAMB's linear power is scaled to the sigma8 of the parameters. Its transfer functions are those of a
Boltzmann code, while the simulations start from Eisenstein & Hu's fit. Wavenumbers are in h/Mpc and power is in
(Mpc/h)^3.
"""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import RectBivariateSpline

from lenscast.cosmology import Parameters, baryon_suppression, cosmology

REDSHIFTS_PER_UNIT = 32
K_MAX = 20.0  # h/Mpc: a power law serves beyond, and sigma8 is complete to 1e-6


@dataclasses.dataclass(frozen=True)
class MatterPower:
    """Matter power of a cosmology from CAMB, linear and nonlinear; built by `camb_power`.

    Attributes
    ----------
    interpolators
        CAMB's interpolators of the power by kind, ``linear`` and ``nonlinear``.
    feedback
        Factor of the nonlinear power by baryonic feedback, a function of z and ln k; None without baryons.
    """

    interpolators: Mapping[str, Any]
    feedback: RectBivariateSpline | None = None

    def linear(self, k: Float[np.ndarray, " k"], z: float = 0.0) -> Float[np.ndarray, " k"]:
        """Linear power [(Mpc/h)^3] at k [h/Mpc] and redshift z."""
        return np.asarray(self.interpolators["linear"].P(z, k))

    def nonlinear(self, k: Float[np.ndarray, " k"], z: float = 0.0) -> Float[np.ndarray, " k"]:
        """Nonlinear power [(Mpc/h)^3] at k [h/Mpc] and redshift z."""
        power = np.asarray(self.interpolators["nonlinear"].P(z, k))
        return power if self.feedback is None else power * self.feedback(z, np.log(k), grid=False)


def camb_power(
    parameters: Parameters,
    z_max: float = 0.0,
    model: str = "takahashi",
    log10_T_AGN: Float[Array, ""] | None = None,
) -> MatterPower:
    """Matter power of CAMB up to a redshift, with the sigma8 of the parameters.

    Parameters
    ----------
    parameters
        Cosmological parameters.
    z_max
        Redshift of the farthest galaxies. The table ends 5 % beyond it, since the last plane may lie behind them.
    model
        Model of nonlinear power, by CAMB's name: "takahashi" is halofit, "mead2020" is HMCode2020.
    log10_T_AGN
        Strength of baryonic feedback, see `baryon_suppression`; None without baryons.

    Raises
    ------
    ValueError
        If CAMB is not installed or does not have the model.

    References
    ----------
    Lewis et al. (2000), astro-ph/9911177; Takahashi et al. (2012), arXiv:1208.2701; Mead et al. (2021),
    arXiv:2009.01858.
    """
    camb = optional("camb", "CAMB")
    if model not in camb.nonlinear.halofit_version_names:
        known = ", ".join(camb.nonlinear.halofit_version_names)
        raise ValueError(f"model = {model!r}: CAMB's models of nonlinear power are {known}")
    shape = {name: float(each) for name, each in vars(parameters).items()}
    sigma8, n_s = shape.pop("sigma8"), shape.pop("n_s")
    end = 1.05 * z_max + 0.05
    redshifts = np.linspace(0, end, 2 + int(REDSHIFTS_PER_UNIT * end)) if z_max > 0 else np.zeros(1)
    results = _transfer_functions(tuple(sorted(shape.items())), tuple(redshifts[::-1].tolist()), model)
    # CAMB takes an amplitude and no sigma8: a first amplitude gives a sigma8, from which the right amplitude follows
    initial = camb.initialpower.InitialPowerLaw()
    initial.set_params(As=2e-9, ns=n_s)
    results.power_spectra_from_transfer(initial)
    initial.set_params(As=2e-9 * (sigma8 / results.get_sigma8_0()) ** 2, ns=n_s)
    results.power_spectra_from_transfer(initial)
    return MatterPower(
        {
            kind: results.get_matter_power_interpolator(nonlinear=kind == "nonlinear", extrap_kmax=1e3)
            for kind in ("linear", "nonlinear")
        },
        None if log10_T_AGN is None else _feedback(parameters, end, log10_T_AGN),
    )


@lru_cache(maxsize=16)
def _transfer_functions(values: tuple[tuple[str, float], ...], redshifts: tuple[float, ...], model: str) -> Any:
    """CAMB's results for parameters other than sigma8 and n_s, which change the spectrum of the start alone.

    They take most of CAMB's time. Each use of them sets a spectrum of the start and copies the power.
    """
    camb = optional("camb", "CAMB")
    value = dict(values)
    h = value["h"]
    settings = camb.CAMBparams(WantCls=False)
    settings.set_cosmology(
        H0=100 * h, ombh2=value["Omega_b"] * h**2, omch2=value["Omega_c"] * h**2, mnu=0.0, num_massive_neutrinos=0
    )
    settings.set_dark_energy(w=value["w0"], wa=value["wa"], dark_energy_model="ppf")
    settings.NonLinear = camb.model.NonLinear_both
    settings.NonLinearModel.set_params(halofit_version=model)
    settings.set_matter_power(redshifts=redshifts, kmax=K_MAX * h)
    return camb.get_transfer_functions(settings)


def _feedback(parameters: Parameters, z_max: float, log10_T_AGN: Float[Array, ""]) -> RectBivariateSpline:
    """Spline of `baryon_suppression` up to z_max and 100 h/Mpc; farther out it keeps the value at the end."""
    z, k = np.linspace(0, z_max, 8 + int(16 * z_max)), np.geomspace(1e-3, 100.0, 160)
    suppression = jax.jit(lambda p, T: baryon_suppression(jnp.asarray(k), jnp.asarray(1 / (1 + z)), cosmology(p), T))
    return RectBivariateSpline(z, np.log(k), np.asarray(suppression(parameters, log10_T_AGN)), s=0)


def optional(module: str, name: str) -> Any:
    """A module of the extra `theory`, or an error that says how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise ValueError(f"theory needs {name}, which is not installed: pip install 'lenscast[theory]'") from None
