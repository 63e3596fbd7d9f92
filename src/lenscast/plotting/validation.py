"""Statistics of maps compared with those of a finer simulation of the same boxes, and with theory.

Tables are those of `lenscast.validation.lensing.variant_comparison`, with a column ``z_source``. Rows of statistics
that the experiment does not have are left out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.style import (
    COLOURS,
    THEORY,
    bin_axis,
    bin_positions,
    block_label,
    distinct,
    grid,
    note,
    plain_ticks,
    styled,
    symmetric,
    value_label,
)
from lenscast.statistics.statistic import Statistic

LOOKS: dict[str, dict[str, Any]] = {
    "plain": {"color": COLOURS[0], "marker": "o", "label": "particle mesh"},
    "corrected": {"color": COLOURS[1], "marker": "s", "label": "particle mesh, corrected"},
    "refined": {"color": COLOURS[2], "marker": "^", "label": "finer simulation, same boxes"},
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "ktng": {"color": COLOURS[6], "marker": "*", "markersize": 7, "label": r"$\kappa$TNG-Dark, 2500$^3$"},
    "dll_pm": {"color": COLOURS[5], "marker": "v", "label": r"DLL, 128$^3$"},
    "dll_hpn": {"color": COLOURS[4], "marker": "D", "label": r"DLL, 128$^3$, corrected"},
}
REACH = 2.0
"""Largest ratio that the panels of spectra show: larger ones are noise of the particle lattice."""
SHARED = "Errors: jackknife over boxes; boxes, views and shape noise are the same in all variants."
WITH_THEORY = (
    " Theory as the maps show it; published spectra over those of Limber; dotted: what windows leave of Limber's."
)


def statistic_rows(
    table: pd.DataFrame, statistics: Mapping[str, Statistic], is_spectrum: bool
) -> list[tuple[Statistic, float | None, pd.DataFrame]]:
    """Spectra, or the other statistics, of a table: each with its scales and their rows."""
    chosen = []
    for name in table["statistic"].unique():
        if name in statistics and statistics[name].is_spectrum == is_spectrum:
            own = table[table["statistic"] == name]
            for scale in distinct(own["scale_arcmin"]):
                at_scale = own["scale_arcmin"].isna() if scale is None else own["scale_arcmin"] == scale
                chosen.append((statistics[name], scale, own[at_scale]))
    return chosen


@styled
def validation_spectra(table: pd.DataFrame, statistics: Mapping[str, Statistic]) -> Figure:
    """Convergence spectra over theory, and over those of the finer simulation, one column per source.

    Parameters
    ----------
    table
        Table of the comparison. The ratios to theory of `with_theory_ratios` are drawn, with the spectra of
        the maps as they are, where the table has them.
    statistics
        Statistics by name.
    """
    spectra, sources = statistic_rows(table, statistics, is_spectrum=True), sorted(table["z_source"].unique())
    has_theory = ["theory" in table and statistic.is_plain_spectrum for statistic, *_ in spectra]
    size = (3.6, 2.7)
    figure, axes = grid(len(spectra) + sum(has_theory), len(sources), size, sharex=True, sharey="row")
    panels = iter(axes)
    for (statistic, scale, own), is_theory in zip(spectra, has_theory, strict=True):
        block = [next(panels) for _ in range(1 + is_theory)]
        for z, *column in zip(sources, *block, strict=True):
            rows = own[own["z_source"] == z]
            if is_theory:
                _over_theory(column[0], rows)
            _ratios(column[-1], rows["centre"].to_numpy(), rows)
        block[-1][0].set_ylabel(f"{block_label((statistic.name, scale, 0, 0), statistics)} / finer simulation")
        if is_theory:
            block[0][0].set_ylabel(f"{statistic.label} / HMCode2020")
    for z, column in zip(sources, axes.T, strict=True):
        column[0].set_title(rf"$z_s$ = {z:g}")
        column[-1].set(xscale="log", xlabel=spectra[0][0].axis)
        plain_ticks(column[-1].xaxis)
    for axis in axes[:, 0]:
        axis.set_ylim(0, min(axis.get_ylim()[1], REACH))
    _legend(figure, axes)
    note(figure, SHARED + (WITH_THEORY if any(has_theory) else ""))
    return figure


def _over_theory(axes: Axes, rows: pd.DataFrame) -> None:
    """Spectra of all variants over theory, and published ones over theory of their cosmology."""
    ell = rows["centre"].to_numpy()
    axes.plot(ell, rows["theory"] / rows["limber"], ":", color=THEORY, label="windows of the maps")
    for name in _variants(rows):
        ratio, error = (rows[f"{name}_theory_ratio{suffix}"].to_numpy() for suffix in ("", "_error"))
        axes.errorbar(ell, ratio, error, **LOOKS[name])
    for name in (each for each in PUBLISHED if each in rows and rows[each].notna().any()):
        look = {**PUBLISHED[name], "markerfacecolor": "white", "linestyle": "none"}
        axes.plot(ell, rows[f"{name}_theory_ratio"], **look)
    symmetric(axes, 1.0)


@styled
def validation_counts(table: pd.DataFrame, statistics: Mapping[str, Statistic]) -> Figure:
    """Statistics that are not spectra, and their ratios to the finer simulation.

    Each scale has two rows, each source a column.
    """
    parts, sources = statistic_rows(table, statistics, is_spectrum=False), sorted(table["z_source"].unique())
    is_one_axis = len({bin_axis(statistic, own[own["z_source"] == sources[0]]) for statistic, _, own in parts}) == 1
    options = {"sharex": "col" if is_one_axis else "none", "height_ratios": [1.4, 1] * len(parts)}
    figure, axes = grid(2 * len(parts), len(sources), (3.6, 2.2), **options)
    for (upper, lower), (statistic, scale, own) in zip(axes.reshape(len(parts), 2, -1), parts, strict=True):
        name = statistic.label if scale is None else f"{scale:.3g} arcmin"
        for values, ratios, z in zip(upper, lower, sources, strict=True):
            rows = own[own["z_source"] == z]
            x = bin_positions(rows)
            for variant in _variants(table):
                mean, error = (rows[each].to_numpy() for each in (variant, f"{variant}_error"))
                values.errorbar(x, mean, error, **{**LOOKS[variant], "linestyle": "none"})
            values.set_title(rf"{name}, $z_s$ = {z:g}")
            if statistic.is_count:
                values.set_yscale("log")
                plain_ticks(values.yaxis)
            _ratios(ratios, x, rows)
            if not is_one_axis or ratios in axes[-1]:
                ratios.set_xlabel(bin_axis(statistic, rows))
        upper[0].set_ylabel(value_label(statistic, own["unit"].iloc[0]).replace(" and bin", "\nand bin"))
        lower[0].set_ylabel("/ finer\nsimulation")
    _legend(figure, axes)
    is_open = any(own[["low", "high"]].isna().any(axis=None) for *_, own in parts)
    text = " Measured in noisy maps, averaged over draws of the noise"
    note(figure, f"{SHARED}{text}{'; the outermost bins are open' if is_open else ''}.")
    return figure


def _variants(table: pd.DataFrame) -> list[str]:
    """Variants that a table has."""
    return [name for name in LOOKS if name in table]


def _ratios(axes: Axes, x: np.ndarray, rows: pd.DataFrame) -> None:
    """Ratios of the coarse variants to the finer simulation."""
    for name in _variants(rows):
        if f"{name}_ratio" in rows:
            ratio, error = (rows[f"{name}_ratio{suffix}"].to_numpy() for suffix in ("", "_error"))
            axes.errorbar(x, ratio, error, **LOOKS[name])
    symmetric(axes, 1.0)


def _legend(figure: Figure, axes: np.ndarray) -> None:
    """One legend above all panels, with each entry once."""
    entries: dict[str, Any] = {}
    for axis in axes.flat:
        handles, labels = axis.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(list(entries.values()), list(entries), loc="outside upper center", ncols=3)
