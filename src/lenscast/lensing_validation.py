"""How good the convergence maps are: beside a finer simulation of the same boxes, beside theory, beside published ones.

Maps in the Born approximation stand beside ray-traced ones in the same way. By perturbation theory, ray tracing changes
spectra by less than 1 % (Cooray & Hu 2002, astro-ph/0202411), and the skewness of maps by less than a few per cent
where sources are galaxies (Barthelemy, Codis & Bernardeau 2020, arXiv:2002.03625; see too Petri, Haiman & May 2017,
arXiv:1612.00852, and Pratten & Lewis 2016, arXiv:1605.05662).

Convention: all variants of a simulation have phases, views of the planes and shape noise in common, so that their
ratios, taken box by box, are free of sample variance. Spectra are those of the maps without noise, peaks
are counted with it. Theory is CAMB's HMCode2020; it goes through what the maps go through (planes, their windows, the
box, the square that is measured), and does not know the resolution of particles and force mesh.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.forecast.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.lensing import Lightcone, lensing_weights
from lenscast.lensing.sources import source_planes
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.theory import (
    NODES_PER_BIN,
    MatterPower,
    bin_averages,
    limber,
    matter_power,
    plane_power,
    plane_sum,
    seen_by,
)

__all__ = ["comparison_table", "published_spectra", "theory_spectra"]

MODEL = "mead2020"
SPECTRUM = "power_spectrum"

KTNG_SOURCE = 0.914
KTNG_EDGES = tuple(float(edge) for edge in range(144, 3313, 288))
KTNG_PARAMETERS = MappingProxyType(
    {"Omega_c": 0.2603, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
)
KTNG = (19.1, 7.11, 4.33, 3.12, 2.31, 1.84, 1.48, 1.22, 1.00, 0.847, 0.725)
"""Convergence C_ell [1e-10 sr] of kappaTNG-Dark (2500^3 particles in 205 Mpc/h; Osato et al. 2021, arXiv:2010.09731),
sources at `KTNG_SOURCE`, in bins of ell between `KTNG_EDGES`. It is a mean over multipoles, where maps are measured by
the mean over modes, which is 12 % less in the first bin and 3 % in the second: compared with Limber's spectrum averaged
in the same way it is that of HMCode2020 within 2 % in every bin."""
DLL_HPN = (1.03, 0.96, 0.93, 0.88, 0.85, 0.79, 0.75, 0.70, 0.65, 0.61, 0.56)
DLL_PM = (1.02, 0.84, 0.73, 0.63, 0.57, 0.50, 0.45, 0.41, 0.40, 0.37, 0.36)
"""C_ell of 128^3 particles in 205 Mpc/h over `KTNG`, with and without a neural correction (Lanzieri et al. 2023,
arXiv:2305.07531)."""


def comparison_table(
    observed: Mapping[str, Float[np.ndarray, "map bin"]],
    box: Int[np.ndarray, " map"],
    bins: pd.DataFrame,
    reference: str,
) -> pd.DataFrame:
    """Means of the variants of a simulation and their ratios to one of them, one row per bin.

    Columns: those of the bins; by variant its mean and ``<variant>_error``; by variant but the reference the ratio of
    means ``<variant>_ratio`` and ``<variant>_ratio_error``. Errors by jackknife over boxes; a ratio without counts is
    NaN.

    Parameters
    ----------
    observed : data vectors of the same maps by variant.
    box : seed of the box of each map.
    bins : of the data vector.
    reference : variant that ratios refer to.

    Raises
    ------
    ValueError : without the reference, or as `forecast.boxes`.
    """
    if reference not in observed:
        raise ValueError(f"variants {', '.join(observed)}: give {reference!r} too, which ratios refer to")
    samples = {name: box_means(values, box).mean for name, values in observed.items()}
    replicates = {name: leave_one_out_means(values) for name, values in samples.items()}
    columns: dict[str, np.ndarray] = {}
    for name, values in samples.items():
        columns |= {name: values.mean(axis=0), f"{name}_error": jackknife_error(replicates[name])}
    for name in (each for each in samples if each != reference):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = columns[name] / columns[reference]
            error = jackknife_error(replicates[name] / replicates[reference])
        counted = np.isfinite(ratio) & np.isfinite(error)
        columns[f"{name}_ratio"] = np.where(counted, ratio, np.nan)
        columns[f"{name}_ratio_error"] = np.where(counted, error, np.nan)
    return bins.assign(**columns)


def theory_spectra(
    parameters: Parameters,
    z_source: Sequence[float],
    spectrum: PowerSpectrum,
    lightcone: Lightcone,
) -> pd.DataFrame:
    """Convergence spectra of HMCode2020, means over bins of ell [sr], one row per source and bin.

    Columns: statistic, source_1 and low, as of the bins; limber, the integral along the line of sight; theory, the sum
    over planes seen through their windows and through the region.

    Parameters
    ----------
    parameters : cosmological parameters.
    z_source : redshifts of the sources, increasing.
    spectrum : statistic that measures the maps.
    lightcone : planes.

    Raises
    ------
    ValueError : without CAMB.

    References: Mead et al. (2021), arXiv:2009.01858.
    """
    power = matter_power(parameters, max(z_source), MODEL)
    cosmos, ell_edges = jax.jit(cosmology)(parameters), spectrum.ell_edges
    nodes = gauss_legendre(np.asarray(ell_edges), NODES_PER_BIN).nodes.ravel()
    ell, windows = seen_by(spectrum)
    rows = []
    for source, z in enumerate(z_source):
        exact = bin_averages(_limber(nodes, z, cosmos, power), ell_edges)[0]
        measured = windows @ plane_sum(plane_power(ell, cosmos, power, lightcone), _weights(z, cosmos, lightcone))[0]
        rows += [
            {"statistic": SPECTRUM, "source_1": source, "low": low, "limber": exact[index], "theory": measured[index]}
            for index, low in enumerate(ell_edges[:-1])
        ]
    return pd.DataFrame(rows)


def published_spectra(z_source: Sequence[float], ell_edges: Sequence[float]) -> pd.DataFrame:
    """Published convergence spectra where source and bins are theirs, one row per bin; none without.

    Columns: statistic, source_1 and low, as of the bins; ktng, dll_hpn and dll_pm [sr]; ktng_limber [sr], Limber's
    spectrum by HMCode2020 of the cosmology of these simulations, averaged as they are, over multipoles.

    Parameters
    ----------
    z_source : redshifts of the sources.
    ell_edges : edges of the bins.

    Raises
    ------
    ValueError : without CAMB, where there is something to compare with.
    """
    same = [source for source, z in enumerate(z_source) if abs(z - KTNG_SOURCE) < 1e-3]
    shared = [number for number, each in enumerate(pairwise(KTNG_EDGES)) if each in set(pairwise(ell_edges))]
    if not same or not shared:
        return pd.DataFrame(columns=["statistic", "source_1", "low", "ktng", "dll_hpn", "dll_pm", "ktng_limber"])
    parameters = Parameters.from_config(KTNG_PARAMETERS)
    power = matter_power(parameters, KTNG_SOURCE, MODEL)
    nodes, weights = gauss_legendre(np.asarray(KTNG_EDGES), NODES_PER_BIN)
    spectrum = _limber(nodes.ravel(), KTNG_SOURCE, jax.jit(cosmology)(parameters), power)[0]
    exact = (spectrum.reshape(nodes.shape) * weights).sum(axis=-1) / weights.sum(axis=-1)
    ktng = 1e-10 * np.array(KTNG)
    columns = {"ktng": ktng, "dll_hpn": ktng * DLL_HPN, "dll_pm": ktng * DLL_PM, "ktng_limber": exact}
    table = pd.DataFrame({"low": KTNG_EDGES[:-1], **columns}).iloc[shared]
    return table.assign(statistic=SPECTRUM, source_1=same[0]).reset_index(drop=True)


def _weights(z: float, cosmos: Cosmology, lightcone: Lightcone) -> Float[np.ndarray, "plane 1"]:
    """Weights of the planes for sources at one redshift."""
    return np.asarray(lensing_weights(source_planes([z]), jnp.zeros(1), cosmos, lightcone))


def _limber(ell: Float[np.ndarray, " ell"], z: float, cosmos: Cosmology, power: MatterPower) -> np.ndarray:
    """Spectrum of sources at one redshift, integrated along the line of sight [sr]."""
    return limber(ell, lambda planes: _weights(z, cosmos, planes), cosmos, power, z)
