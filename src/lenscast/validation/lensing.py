"""Convergence maps compared with higher-resolution runs of the same phases, with theory, and with published spectra.

The same functions compare maps in the Born approximation with ray-traced maps. By perturbation theory, ray tracing
changes spectra by less than 1 % (Cooray & Hu 2002, astro-ph/0202411), and the skewness of maps by less than a few per
cent where the sources are galaxies (Barthelemy, Codis & Bernardeau 2020, arXiv:2002.03625; see also Petri, Haiman & May
2017, arXiv:1612.00852, and Pratten & Lewis 2016, arXiv:1605.05662).

Convention: all variants of a simulation share initial phases, views of the planes and shape noise, so that sample
variance cancels in their ratios, which are taken box by box. Spectra are measured on maps without noise, peaks are
counted on maps with noise. Theory is CAMB's HMCode2020. It includes the planes, their windows, the box and the square
that is measured; it does not know the resolution of particles and force mesh.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.fisher.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.lensing import lensing_kernel, limber_sum, source_planes
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics import PowerSpectrum
from lenscast.theory import (
    NODES_PER_BIN,
    MatterPower,
    MeasuredSpectrum,
    bandpowers,
    bin_averages,
    camb_power,
    limber,
    plane_power,
)

MODEL = "mead2020"

KTNG_EDGES = tuple(float(edge) for edge in range(144, 3313, 288))
KTNG_PARAMETERS = MappingProxyType(
    {"Omega_c": 0.2603, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
)
KTNG = (19.1, 7.11, 4.33, 3.12, 2.31, 1.84, 1.48, 1.22, 1.00, 0.847, 0.725)
"""Convergence C_ell [1e-10 sr] of kappaTNG-Dark (2500^3 particles in 205 Mpc/h; Osato et al. 2021, arXiv:2010.09731),
sources at `PUBLISHED_SOURCE`, in bins of ell between `KTNG_EDGES`.

These are means over multipoles. Our maps are measured by means over modes, which are 12 % lower in the first bin and
3 % lower in the second. The Limber spectrum of HMCode2020, averaged over multipoles too, agrees within 2 % in every
bin: it stands for kappaTNG-Dark at redshifts where no spectrum is published."""
PUBLISHED_SOURCE = 0.914
DLL_HPN = (1.03, 0.96, 0.93, 0.88, 0.85, 0.79, 0.75, 0.70, 0.65, 0.61, 0.56)
DLL_PM = (1.02, 0.84, 0.73, 0.63, 0.57, 0.50, 0.45, 0.41, 0.40, 0.37, 0.36)
"""C_ell of 128^3 particles in 205 Mpc/h over `KTNG`, with and without a neural correction (Lanzieri et al. 2023,
arXiv:2305.07531)."""


def variant_comparison(
    observed: Mapping[str, Float[np.ndarray, "map bin"]],
    box: Int[np.ndarray, " map"],
    bins: pd.DataFrame,
    reference: str,
) -> pd.DataFrame:
    """Means of the variants of a simulation and their ratios to the mean of one of them, one row per bin.

    Parameters
    ----------
    observed
        Data vectors of the same maps by variant.
    box
        Seed of the box of each map.
    bins
        Bins of the data vector.
    reference
        Variant in the denominator of the ratios.

    Returns
    -------
    Columns: those of the bins; for each variant its mean ``<variant>`` and ``<variant>_error``; for each variant except
    the reference the ratio of means ``<variant>_ratio`` and ``<variant>_ratio_error``. Errors are from the jackknife
    over boxes. A ratio of bins without counts is NaN.

    Raises
    ------
    ValueError
        If the reference is not among the variants, or there are too few boxes.
    """
    if reference not in observed:
        raise ValueError(f"variants {', '.join(observed)}: give {reference!r} too, which ratios refer to")
    samples = {name: box_means(values, box).mean for name, values in observed.items()}
    replicates = {name: leave_one_out_means(values) for name, values in samples.items()}
    columns: dict[str, np.ndarray] = {}
    for name, values in samples.items():
        columns |= {name: values.mean(axis=0), f"{name}_error": jackknife_error(replicates[name])}
    for name in (each for each in samples if each != reference):
        # a bin without counts in the reference gives 0 / 0; it becomes NaN below
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
    measured: MeasuredSpectrum,
    lightcone: Lightcone,
) -> pd.DataFrame:
    """Convergence spectra of HMCode2020, means over bins of ell [sr], one row per source and bin.

    Parameters
    ----------
    parameters
        Cosmological parameters.
    z_source
        Redshifts of the sources, increasing.
    measured
        Statistic that measures the maps, with its region and mask.
    lightcone
        Planes.

    Returns
    -------
    Columns: statistic, source_1 and low, as in the bins; limber, the integral along the line of sight; theory, the sum
    over planes with their windows, mixed by the region.

    Raises
    ------
    ValueError
        If CAMB is not installed.

    References
    ----------
    Mead et al. (2021), arXiv:2009.01858.
    """
    power = camb_power(parameters, max(z_source), MODEL)
    cosmos, ell_edges = cosmology(parameters), measured.spectrum.ell_edges
    nodes = gauss_legendre(np.asarray(ell_edges), NODES_PER_BIN).nodes.ravel()
    ell, windows = bandpowers(measured)
    planes, parts = plane_power(ell, cosmos, power, lightcone), []
    for source, z in enumerate(z_source):
        exact = bin_averages(_limber(nodes, z, cosmos, power), ell_edges)[0]
        windowed = windows @ limber_sum(planes, _kernel(z, cosmos, lightcone))[0]
        columns = {"source_1": source, "low": ell_edges[:-1], "limber": exact, "theory": windowed}
        parts.append(pd.DataFrame({"statistic": measured.spectrum.name} | columns))
    return pd.concat(parts, ignore_index=True)


def published_spectra(z_source: Sequence[float], spectrum: PowerSpectrum) -> pd.DataFrame:
    """Published convergence spectra, and theory of their cosmology, for the bins that they share with ours.

    Parameters
    ----------
    z_source
        Redshifts of the sources.
    spectrum
        Statistic whose bins are compared.

    Returns
    -------
    One row per source and shared bin, with the columns statistic, source_1 and low, as in the bins; ktng_limber [sr],
    the Limber spectrum of HMCode2020 in the cosmology of kappaTNG-Dark, averaged over multipoles; ktng, dll_hpn and
    dll_pm [sr], NaN for sources at other redshifts than `PUBLISHED_SOURCE`. The table has no rows if no bin is shared.

    Raises
    ------
    ValueError
        If CAMB is not installed and the table has rows.
    """
    shared = [number for number, each in enumerate(pairwise(KTNG_EDGES)) if each in set(pairwise(spectrum.ell_edges))]
    if not shared:
        return pd.DataFrame(columns=["statistic", "source_1", "low", "ktng_limber", "ktng", "dll_hpn", "dll_pm"])
    parameters = Parameters.of(KTNG_PARAMETERS)
    power, cosmos = camb_power(parameters, max(z_source), MODEL), cosmology(parameters)
    nodes, weights = gauss_legendre(np.asarray(KTNG_EDGES), NODES_PER_BIN)
    ktng, parts = 1e-10 * np.array(KTNG), []
    for source, z in enumerate(z_source):
        integral = _limber(nodes.ravel(), z, cosmos, power)[0].reshape(nodes.shape)
        # the mean over multipoles, without the weight ell of `bin_averages`
        exact = (integral * weights).sum(axis=-1) / weights.sum(axis=-1)
        here = 1.0 if abs(z - PUBLISHED_SOURCE) < 1e-3 else np.nan
        columns = {"ktng": here * ktng, "dll_hpn": here * ktng * DLL_HPN, "dll_pm": here * ktng * DLL_PM}
        parts.append(pd.DataFrame({"source_1": source, "low": KTNG_EDGES[:-1], "ktng_limber": exact, **columns}))
    table = pd.concat([part.iloc[shared] for part in parts], ignore_index=True)
    return table.assign(statistic=spectrum.name)


def with_theory_ratios(table: pd.DataFrame, variants: Sequence[str]) -> pd.DataFrame:
    """Table of the comparison with ratios to HMCode2020, in which our spectra and published ones can be compared.

    Parameters
    ----------
    table
        From `variant_comparison`, with the columns of `theory_spectra` and possibly of `published_spectra`.
    variants
        Variants of the simulation.

    Returns
    -------
    The table with ``<variant>_theory_ratio`` and its error, the spectrum of the maps over ``theory``, and
    ``<name>_theory_ratio`` for each published one, over ``ktng_limber``. Each theory has the cosmology, the windows and
    the averages over ell of the spectrum above it.
    """
    columns = {}
    for name in variants:
        columns[f"{name}_theory_ratio"] = table[name] / table["theory"]
        columns[f"{name}_theory_ratio_error"] = table[f"{name}_error"] / table["theory"]
    for name in (each for each in ("ktng", "dll_hpn", "dll_pm") if each in table):
        columns[f"{name}_theory_ratio"] = table[name] / table["ktng_limber"]
    return table.assign(**columns)


def _kernel(z: float, cosmos: Cosmology, lightcone: Lightcone) -> Float[np.ndarray, "plane 1"]:
    """Kernel of the planes for sources at one redshift."""
    return np.asarray(lensing_kernel(source_planes([z]), jnp.zeros(1), cosmos, lightcone))


def _limber(ell: Float[np.ndarray, " ell"], z: float, cosmos: Cosmology, power: MatterPower) -> np.ndarray:
    """Spectrum of sources at one redshift, integrated along the line of sight [sr]."""
    return limber(ell, lambda planes: _kernel(z, cosmos, planes), cosmos, power, z)
