"""Tomographic spectra of simulated maps, lensing and alignments apart, compared with theory.

Convention: maps are linear in A_IA, so that the tangents stored with them split each map into lensing and alignments;
no map is simulated again. Tables of theory are those of `lenscast.theory.components`.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Float32, Float64, Int

from lenscast.fisher.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.theory import (
    Components,
    MeasuredSpectrum,
)

COMPONENTS = Components._fields


def measured_components(
    kappa: Float32[Array, "source y x"], alignment: Float32[Array, "source y x"], measured: MeasuredSpectrum
) -> Float64[Array, "component bin"]:
    """Spectra of a noise-free map, lensing and alignments apart [sr], in the bins of the statistic.

    Parameters
    ----------
    kappa
        Convergence of each source, alignments included.
    alignment
        Part of the convergence that alignments mimic.
    measured
        Statistic, with the region in which it measures.
    """
    spectrum, observation = measured
    maps = jnp.concatenate([kappa - alignment, alignment])
    every_pair = source_pairs(len(maps))
    # no noise; lensing and alignments go in as maps of twice the number of sources, whose pairs are GG, GI and II
    every = spectrum.measured(maps, jnp.zeros_like(maps), observation).reshape(len(every_pair), -1)
    sources, wanted = len(kappa), source_pairs(len(kappa))
    position = {pair: index for index, pair in enumerate(every_pair)}
    GG = jnp.array([position[i, j] for i, j in wanted])
    II = jnp.array([position[sources + i, sources + j] for i, j in wanted])
    GI, IG = (jnp.array([position[i, sources + j] for i, j in each]) for each in (wanted, [p[::-1] for p in wanted]))
    return jnp.stack([every[GG], every[GI] + every[IG], every[II]]).reshape(3, -1)


def compare_components(
    measured: Float[np.ndarray, "map component bin"],
    box: Int[np.ndarray, " map"],
    bins: pd.DataFrame,
    theory: pd.DataFrame,
    limit: Float[np.ndarray, " source"],
) -> pd.DataFrame:
    """Measured spectra compared with theory, one row per component, pair and bin.

    Parameters
    ----------
    measured
        Spectra of each map, from `measured_components`.
    box
        Seed of the box of each map.
    bins
        Bins of the statistic.
    theory
        Table of `theory_components`.
    limit
        Multipole of each source up to which particles resolve the matter that lenses it.

    Returns
    -------
    Columns: those of `theory_components`; high and centre of the bin; measured and its error; ratio to theory and its
    error; resolved, whether the bin ends below the limit of both sources. Errors are from the jackknife over boxes.
    """
    means = box_means(measured, box).mean
    mean, error = means.mean(axis=0), jackknife_error(leave_one_out_means(means))
    keys = ["component", "source_1", "source_2", "low"]
    parts = [
        bins[["source_1", "source_2", "low", "high", "centre"]].assign(component=name, measured=value, error=spread)
        for name, value, spread in zip(COMPONENTS, mean, error, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True).merge(theory, on=keys, how="left", validate="one_to_one")
    return table.assign(
        ratio=table["measured"] / table["theory"],
        ratio_error=table["error"] / table["theory"].abs(),
        resolved=_resolved(table, limit),
    )


def compare_component_derivatives(
    jacobian: Float[np.ndarray, "box param bin"],
    signal: Float[np.ndarray, "box bin"],
    names: Sequence[str],
    bins: pd.DataFrame,
    theory: pd.DataFrame,
    limit: Float[np.ndarray, " source"],
) -> pd.DataFrame:
    """Automatic derivatives of ln C_ell with respect to nuisance parameters compared with theory.

    The table has one row per parameter, pair and bin. Power that particles do not resolve is missing in the derivative
    and in the spectrum, so that much of the loss cancels in the ratio; it does not cancel in full, since the nearest
    planes lose most.

    Parameters
    ----------
    jacobian
        Mean over the maps of each box.
    signal
        Data vector, mean over the maps of each box, with the mean of the noise subtracted.
    names
        Parameters of the Jacobian.
    bins
        Bins of the power spectrum, to whose elements Jacobian and signal are restricted.
    theory
        Table of `theory_derivatives`.
    limit
        As for `compare_components`.

    Returns
    -------
    Columns: those of `theory_derivatives`; high and centre of the bin; measured and its error, from the jackknife over
    boxes; resolved, as for `compare_components`.
    """
    shown, parts = bins[["source_1", "source_2", "low", "high", "centre"]], []
    for name in theory["parameter"].unique():
        slope = jacobian[:, list(names).index(name)]
        error = jackknife_error(leave_one_out_means(slope) / leave_one_out_means(signal))
        measured = slope.mean(axis=0) / signal.mean(axis=0)
        parts.append(shown.assign(parameter=name, measured=measured, error=error))
    keys = ["parameter", "source_1", "source_2", "low"]
    table = pd.concat(parts, ignore_index=True).merge(theory, on=keys, how="left", validate="one_to_one")
    return table.assign(resolved=_resolved(table, limit))


def _resolved(table: pd.DataFrame, limit: Float[np.ndarray, " source"]) -> pd.Series:
    """Whether bins end below the limit of both sources."""
    nearest = np.minimum(limit[table["source_1"].astype(int)], limit[table["source_2"].astype(int)])
    return table["high"] <= nearest
