"""Theory beside the simulations: nonlinear matter power of CAMB, and the convergence spectra that follow from it.

Convention: the same parameters, distances and lensing weights as the simulations; from CAMB (optional, the extra
`theory`) comes the matter power alone, normalised to sigma8. Spectra are flat-sky and in the Limber approximation:
as an integral along the line of sight, and as the sum over lens planes, seen through their windows, that the simulated
maps are made of. The resolution of particles and force mesh is not in it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement, pairwise
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.cosmology.background import SPEED_OF_LIGHT_OVER_H0
from lenscast.cosmology.power import linear_power
from lenscast.gravity.matter_power import PowerToday
from lenscast.lensing import Lightcone, lensing_weights, plane_window
from lenscast.numerics.quadrature import gauss_legendre

__all__ = [
    "MatterPower",
    "bin_averages",
    "limber",
    "matter_power",
    "matter_power_table",
    "plane_sum",
    "spectra_table",
]

REDSHIFTS_PER_UNIT = 32
K_MAX = 20.0  # h/Mpc: a power law serves beyond, and sigma8 is complete to 1e-6
NODES_PER_BIN = 6


@dataclasses.dataclass(frozen=True)
class MatterPower:
    """Matter power of a cosmology from CAMB, linear and nonlinear; built by `matter_power`."""

    interpolators: Mapping[str, Any]

    def linear(self, k: Float[np.ndarray, " k"], z: float = 0.0) -> Float[np.ndarray, " k"]:
        """Linear power [(Mpc/h)^3] at k [h/Mpc] and redshift z."""
        return np.asarray(self.interpolators["linear"].P(z, k))

    def nonlinear(self, k: Float[np.ndarray, " k"], z: float = 0.0) -> Float[np.ndarray, " k"]:
        """Nonlinear power [(Mpc/h)^3] at k [h/Mpc] and redshift z."""
        return np.asarray(self.interpolators["nonlinear"].P(z, k))


def matter_power(parameters: Parameters, z_max: float = 0.0, model: str = "takahashi") -> MatterPower:
    """Matter power of CAMB up to a redshift, with sigma8 as asked.

    Parameters
    ----------
    parameters : cosmological parameters.
    z_max : largest redshift that matters; the table goes beyond it by a twentieth, where the last plane may lie.
    model : of nonlinear power, by CAMB's name: "takahashi" is halofit, "mead2020" is HMCode2020.

    Raises
    ------
    ValueError
        If CAMB is not installed or does not have the model.

    References: Lewis et al. (2000), astro-ph/9911177; Takahashi et al. (2012), arXiv:1208.2701; Mead et al. (2021),
    arXiv:2009.01858.
    """
    camb = _camb()
    if model not in camb.nonlinear.halofit_version_names:
        known = ", ".join(camb.nonlinear.halofit_version_names)
        raise ValueError(f"model = {model!r}: CAMB's models of nonlinear power are {known}")
    value = {name: float(each) for name, each in vars(parameters).items()}
    h = value["h"]
    settings = camb.CAMBparams(WantCls=False)
    settings.set_cosmology(
        H0=100 * h, ombh2=value["Omega_b"] * h**2, omch2=value["Omega_c"] * h**2, mnu=0.0, num_massive_neutrinos=0
    )
    settings.set_dark_energy(w=value["w0"], wa=value["wa"], dark_energy_model="ppf")
    settings.InitPower.set_params(As=2e-9, ns=value["n_s"])
    end = 1.05 * z_max + 0.05
    redshifts = np.linspace(0, end, 2 + int(REDSHIFTS_PER_UNIT * end)) if z_max > 0 else np.zeros(1)
    settings.NonLinear = camb.model.NonLinear_both
    settings.NonLinearModel.set_params(halofit_version=model)
    settings.set_matter_power(redshifts=[float(z) for z in redshifts[::-1]], kmax=K_MAX * h)
    results = camb.get_transfer_functions(settings)
    results.calc_power_spectra()
    amplitude = 2e-9 * (value["sigma8"] / results.get_sigma8_0()) ** 2
    settings.InitPower.set_params(As=amplitude, ns=value["n_s"])
    results.power_spectra_from_transfer(settings.InitPower)
    return MatterPower(
        {
            kind: results.get_matter_power_interpolator(nonlinear=kind == "nonlinear", extrap_kmax=1e3)
            for kind in ("linear", "nonlinear")
        }
    )


def limber(
    ell: Float[np.ndarray, " ell"], z_source: Sequence[float], cosmos: Cosmology, power: MatterPower, panels: int = 24
) -> Float[np.ndarray, "pair ell"]:
    """Convergence spectra [sr] of all pairs of sources, integrated along the line of sight.

    C_ell = int dchi q_1(chi) q_2(chi) / chi^2 P(ell / chi, z(chi)), q = (3/2) Omega_m (H0/c)^2 (chi/a) (1 - chi/chi_s).

    Parameters
    ----------
    ell : multipoles.
    z_source : redshifts of the sources.
    cosmos : distances and matter density.
    power : nonlinear matter power of the same cosmology up to the last source.
    panels : of the integral, 8 nodes each, up to each source.

    References: Kilbinger (2015), arXiv:1411.0115, Eq. 29.
    """
    spectra = []
    chi_source = np.asarray(cosmos.distances.comoving_distance(1 / (1 + jnp.asarray(z_source))))
    for first, second in _pairs(z_source):
        chi, width = gauss_legendre(np.linspace(0, chi_source[first], panels + 1), order=8)
        chi, width = chi.ravel(), width.ravel()
        a = np.asarray(cosmos.distances.scale_factor(jnp.asarray(chi)))
        strength = _strength(cosmos) * chi / a
        kernel = strength**2 * (1 - chi / chi_source[first]) * (1 - chi / chi_source[second]) / chi**2
        matter = np.stack([power.nonlinear(ell / x, 1 / y - 1) for x, y in zip(chi, a, strict=True)])
        spectra.append(np.einsum("c,cl->l", width * kernel, matter))
    return np.stack(spectra)


def plane_sum(
    ell: Float[np.ndarray, " ell"],
    z_source: Sequence[float],
    cosmos: Cosmology,
    power: MatterPower,
    lightcone: Lightcone,
    windows: bool = True,
) -> Float[np.ndarray, "pair ell"]:
    """Convergence spectra [sr] of all pairs of sources, as the sum over lens planes that maps are made of.

    C_ell = sum_i w_i1 w_i2 / (chi_i^2 dchi) P(ell / chi_i, z_i) W_i(ell), with the planes' weights w_i and windows W_i.

    Parameters
    ----------
    ell, z_source, cosmos, power : as of `limber`.
    lightcone : planes.
    windows : whether to include `lensing.plane_window`, and to leave out modes longer than the box.
    """
    weights = np.asarray(lensing_weights(jnp.asarray(z_source), cosmos, lightcone))
    a = np.asarray(cosmos.distances.scale_factor(jnp.asarray(lightcone.chi)))
    pairs = _pairs(z_source)
    spectra = np.zeros((len(pairs), len(ell)))
    for weight, chi, scale_factor in zip(weights, lightcone.chi, a, strict=True):
        if not weight.any():
            continue
        plane = power.nonlinear(ell / chi, 1 / scale_factor - 1) / (chi**2 * lightcone.thickness)
        if windows:
            in_box = ell >= 2 * np.pi * chi / lightcone.box_size
            plane = plane * plane_window(ell, chi, lightcone) * in_box
        spectra += np.array([weight[i] * weight[j] for i, j in pairs])[:, None] * plane
    return spectra


def spectra_table(
    parameters: Parameters,
    z_source: Sequence[float],
    ell_edges: Sequence[float],
    lightcone: Lightcone,
    steps: Mapping[str, float] = MappingProxyType({}),
) -> pd.DataFrame:
    """Convergence spectra averaged over bins of ell, one row per pair of sources and bin.

    Columns: source_1, source_2; low, high and ell, the mean multipole of the bin; limber and limber_windows [sr], from
    `limber` and from `plane_sum`; dln_<parameter>, the derivative of ln limber_windows by each parameter with a step.

    Parameters
    ----------
    parameters : cosmological parameters.
    z_source : redshifts of the sources, increasing.
    ell_edges : edges of the bins.
    lightcone : planes.
    steps : of central differences by parameter.
    """
    tabulate = jax.jit(cosmology)
    nodes = gauss_legendre(np.asarray(ell_edges, float), NODES_PER_BIN).nodes.ravel()

    def planes(shifted: Parameters, power: MatterPower) -> Float[np.ndarray, "pair ell"]:
        return bin_averages(plane_sum(nodes, z_source, tabulate(shifted), power, lightcone), ell_edges)

    def slope(name: str, step: float) -> Float[np.ndarray, "pair ell"]:
        sides = [_shifted(parameters, name, sign * step) for sign in (1, -1)]
        plus, minus = (np.log(planes(side, matter_power(side, max(z_source)))) for side in sides)
        return (plus - minus) / (2 * step)

    power = matter_power(parameters, max(z_source))
    exact = limber(nodes, z_source, tabulate(parameters), power)
    columns = {"limber": bin_averages(exact, ell_edges), "limber_windows": planes(parameters, power)}
    columns |= {f"dln_{name}": slope(name, step) for name, step in steps.items()}
    mean_ell = bin_averages(nodes[None], ell_edges)[0]
    return pd.DataFrame(
        {"source_1": i, "source_2": j, "low": low, "high": high, "ell": mean_ell[index]}
        | {name: values[pair, index] for name, values in columns.items()}
        for pair, (i, j) in enumerate(_pairs(z_source))
        for index, (low, high) in enumerate(pairwise(ell_edges))
    )


def matter_power_table(powers: Sequence[PowerToday], parameters: Parameters) -> pd.DataFrame:
    """Matter power of simulations beside theory, one row per shell of wavenumber.

    Columns: k [h/Mpc] and, in (Mpc/h)^3, power and its error; corrected and its error, linear theory times the ratio of
    a box's power to that of its own linear modes, NaN where these end; linear (Eisenstein & Hu), linear_camb, halofit.
    Errors are those of the mean over boxes.

    Parameters
    ----------
    powers : of boxes with the same geometry, 2 or more.
    parameters : cosmological parameters.
    """
    k = np.asarray(powers[0].evolved.k)
    theory, linear = matter_power(parameters), np.asarray(linear_power(jnp.asarray(k), parameters))
    evolved = np.stack([np.asarray(each.evolved.power) for each in powers])
    initial = np.full_like(evolved, np.nan)
    initial[:, : powers[0].linear.k.size] = [np.asarray(each.linear.power) for each in powers]
    corrected = linear * evolved / initial
    return pd.DataFrame(
        {
            "k": k,
            "power": evolved.mean(axis=0),
            "error": evolved.std(axis=0, ddof=1) / len(powers) ** 0.5,
            "corrected": corrected.mean(axis=0),
            "corrected_error": corrected.std(axis=0, ddof=1) / len(powers) ** 0.5,
            "linear": linear,
            "linear_camb": theory.linear(k),
            "halofit": theory.nonlinear(k),
        }
    )


def bin_averages(values: Float[np.ndarray, "pair node"], ell_edges: Sequence[float]) -> Float[np.ndarray, "pair ell"]:
    """Averages over bins of ell in which a multipole counts as often as a map has modes of it, in proportion to ell.

    Parameters
    ----------
    values : at the nodes of `gauss_legendre` in each bin.
    ell_edges : edges of the bins.
    """
    nodes = gauss_legendre(np.asarray(ell_edges, float), values.shape[-1] // (len(ell_edges) - 1))
    weight = nodes.weights * nodes.nodes
    by_bin = values.reshape(len(values), *weight.shape)
    return (by_bin * weight).sum(axis=-1) / weight.sum(axis=-1)


def _pairs(z_source: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of sources, the first no farther than the second."""
    return list(combinations_with_replacement(range(len(z_source)), 2))


def _shifted(parameters: Parameters, name: str, step: float) -> Parameters:
    """Parameters with one of them moved."""
    return dataclasses.replace(parameters, **{name: getattr(parameters, name) + step})


def _strength(cosmos: Cosmology) -> float:
    """(3/2) Omega_m (H0/c)^2 [(h/Mpc)^2]."""
    return float(1.5 * cosmos.parameters.Omega_m / SPEED_OF_LIGHT_OVER_H0**2)


def _camb() -> Any:
    """The optional dependency, or how to get it."""
    try:
        import camb
    except ImportError:
        raise ValueError("theory needs CAMB, which is not installed: pip install 'lenscast[theory]'") from None
    return camb
