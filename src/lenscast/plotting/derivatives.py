"""Derivatives of data vectors, and automatic derivatives compared with finite differences.

Derivatives of spectra are those of ln C_ell without the shape noise, those of other statistics are absolute. Of several
source bins, only the blocks of a bin with itself are drawn. Where each bin has a parameter of its own, the derivative
is the one with respect to that parameter.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.fisher.samples import Jacobians
from lenscast.parameters import stem
from lenscast.plotting.style import (
    COLOURS,
    MARKERS,
    THEORY,
    bin_axis,
    bin_positions,
    block_label,
    blocks,
    distinct,
    grid,
    label,
    mean_and_error,
    note,
    styled,
    symmetric,
)
from lenscast.statistics.statistic import Statistic

RELATIVE_REACH = 3.0
"""Largest relative deviation that a panel shows [%]."""
SEQUENCE = matplotlib.colormaps["viridis"]
THEORY_NOTE = " Dashed: halofit, seen by planes and field."


@styled
def derivatives(
    statistics: Mapping[str, Statistic],
    jacobians: Jacobians,
    noise: Float[np.ndarray, " bin"],
    theory: pd.DataFrame | None = None,
) -> Figure:
    """Derivatives of each statistic of each source bin with respect to each parameter, with their errors over boxes.

    Parameters
    ----------
    statistics
        Statistics of the data vector by name.
    jacobians
        Means of boxes.
    noise
        Exact mean of the data vector of the noise, which is subtracted from spectra.
    theory
        Columns source_1, source_2, low and dln_<parameter>, drawn with the spectra of the maps as they are.
    """
    bins, names = jacobians.bins, list(jacobians.parameters)
    groups, columns = _groups(bins), list(dict.fromkeys(map(stem, names)))
    sources = 1 + int(bins["source_1"].max())
    figure, axes = grid(len(groups), len(columns), (2.2, 1.9))
    (mean, error), signal = mean_and_error(jacobians.jacobian), jacobians.expected.mean(axis=0) - noise
    for row, ((statistic_name, scale), parts) in zip(axes, groups.items(), strict=True):
        statistic = statistics[statistic_name]
        for key, rows in parts.items():
            source, x = int(key[2]), bin_positions(bins.loc[rows])
            divisor = signal[rows] if statistic.is_spectrum else 1.0
            for axis, column in zip(row, columns, strict=True):
                name = column if column in names else f"{column}_{source + 1}"
                value, spread = (each[names.index(name), rows] for each in (mean, error))
                colour = _colour(statistic, source, sources)
                text = f"source {source + 1}" if sources > 1 else None
                axis.errorbar(x, value / divisor, spread / np.abs(divisor), fmt="o-", color=colour, label=text)
                if theory is not None and statistic.is_plain_spectrum and f"dln_{name}" in theory:
                    pair = theory[(theory["source_1"] == key[2]) & (theory["source_2"] == key[3])].set_index("low")
                    line = THEORY if sources == 1 else colour
                    axis.plot(x, pair.loc[bins["low"][rows], f"dln_{name}"], "--", color=line)
        for axis in row:
            symmetric(axis)
            axis.set_xlabel(bin_axis(statistic, bins.loc[rows]))
        row[0].set_ylabel(_row_label(statistic, scale, bins.loc[rows, "unit"].iloc[0]))
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(rf"$\theta$ = {label(name)}")
    note(figure, _note(statistics, bins, len(jacobians.jacobian)) + ("" if theory is None else THEORY_NOTE))
    if sources > 1:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=sources)
    return figure


def _groups(bins: pd.DataFrame) -> dict[tuple[str, float | None], dict[tuple[Any, ...], np.ndarray]]:
    """Blocks of one source bin each, by statistic and scale."""
    groups: dict[tuple[str, float | None], dict[tuple[Any, ...], np.ndarray]] = {}
    for key, rows in blocks(bins).items():
        if pd.isna(key[3]) or key[2] == key[3]:
            scale = None if pd.isna(key[1]) else key[1]
            groups.setdefault((key[0], scale), {})[key] = rows
    return groups


def _colour(statistic: Statistic, source: int, sources: int) -> Any:
    """Colour of a source bin; a single one has the colour of spectra or that of other statistics."""
    return COLOURS[0 if statistic.is_spectrum else 1] if sources == 1 else SEQUENCE(source / sources)


def _row_label(statistic: Statistic, scale: float | None, unit: str) -> str:
    """Statistic and scale of a row, and what is differentiated."""
    name = block_label((statistic.name, scale, 0, 0), {statistic.name: statistic})
    if statistic.is_spectrum:
        # a spectrum with a scale is that of maps band-passed to the scale, with the same symbol
        band = "" if scale is None else " band"
        return f"{name}{band}\n" + r"$\mathrm{d}\ln C_\ell/\mathrm{d}\theta$"
    if statistic.is_count:
        return f"{name}\n" + r"$\mathrm{d}N/\mathrm{d}\theta$"
    return f"{name}\n" + r"$\mathrm{d}/\mathrm{d}\theta$" + ("" if unit in ("", "1") else f" [{unit}]")


def _note(statistics: Mapping[str, Statistic], bins: pd.DataFrame, boxes: int) -> str:
    """What counts are, and what errors are."""
    units = distinct(bins["unit"][[statistics[name].is_count for name in bins["statistic"]]])
    text = f"N: {' or '.join(units)} and bin. " if units else ""
    text += f"Errors: of the mean over {boxes} boxes."
    return text if bins["source_1"].max() == 0 else f"{text} Pairs of sources: those of a source with itself."


@styled
def derivatives_check(statistics: Mapping[str, Statistic], tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Automatic derivatives compared with central differences on the same seeds.

    Counts are drawn as z-scores, because hard counts scatter; other statistics, which scatter little, as relative
    deviations with their errors. A table with a column ``through_mask`` adds a row for the total: automatic
    (conditional Monte Carlo), central difference of hard counts, and automatic through the hard mask.

    Parameters
    ----------
    statistics
        Statistics by name.
    tables
        Tables of `validation.derivatives.derivative_comparison` by statistic, with a column ``step``, the step relative
        to the full one.
    """
    names = list(dict.fromkeys(next(iter(tables.values()))["parameter"]))
    masked = {statistic: table for statistic, table in tables.items() if "through_mask" in table}
    figure, axes = grid(len(tables) + len(masked), len(names), (2.2, 2.0))
    for row, (statistic, table) in zip(axes, tables.items(), strict=False):
        draw, unit = (_z_scores, "z") if statistics[statistic].is_count else (_relative, "AD / difference - 1 [%]")
        for axis, name in zip(row, names, strict=True):
            draw(axis, table[(table["parameter"] == name) & (table["data"] != "total")])
            axis.set_xlabel("bin")
        row[0].set_ylabel(f"{statistic.replace('_', ' ')}\n{unit}")
    for row, (statistic, table) in zip(axes[len(tables) :], masked.items(), strict=True):
        total = table[(table["data"] == "total") & (table["step"] == table["step"].max())]
        for axis, name in zip(row, names, strict=True):
            _total(axis, total[total["parameter"] == name].iloc[0])
        row[0].set_ylabel(f"total {statistics[statistic].label}\n" + r"$\mathrm{d}N_\mathrm{tot}/\mathrm{d}\theta$")
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(label(name))
    axes[0, 0].legend(loc="best", fontsize=7, title="step", title_fontsize=7)
    boxes = int(next(iter(tables.values()))["boxes"].iloc[0])
    note(figure, f"{boxes} boxes, same seeds on both sides; shaded: deviations below 1 %, or |z| < 2 for counts.")
    return figure


def _steps(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame, str, str]]:
    """Rows of each step of the differences, with label, colour and marker."""
    groups = table.groupby("step", sort=False)
    return [(f"{step:g}", rows, *look) for (step, rows), *look in zip(groups, COLOURS, MARKERS, strict=False)]


def _z_scores(axes: Axes, table: pd.DataFrame) -> None:
    """Deviation of each bin in units of its error."""
    axes.axhspan(-2, 2, color="0.9", zorder=0)
    for name, rows, colour, marker in _steps(table):
        axes.plot(np.arange(len(rows)), rows["z"], marker, color=colour, label=name)
    symmetric(axes)
    reach = max(4.0, 1.1 * table["z"].abs().replace(np.inf, np.nan).max())
    axes.set_ylim(-reach, reach)


def _relative(axes: Axes, table: pd.DataFrame) -> None:
    """Relative deviation of each bin [%]; points outside the panel are drawn at its border as crosses."""
    axes.axhspan(-1, 1, color="0.9", zorder=0)
    for name, rows, colour, marker in _steps(table):
        value = 100 * rows["relative"].to_numpy()
        error = 100 * (rows["deviation_error"] / rows["difference"]).abs().to_numpy()
        height = np.clip(value, -0.95 * RELATIVE_REACH, 0.95 * RELATIVE_REACH)
        outside = height != value
        position = np.arange(len(rows))
        axes.errorbar(position[~outside], height[~outside], error[~outside], fmt=marker, color=colour, label=name)
        axes.plot(position[outside], height[outside], "x", color=colour)
    symmetric(axes)
    axes.set_ylim(-RELATIVE_REACH, RELATIVE_REACH)


def _total(axes: Axes, row: pd.Series) -> None:
    """Three estimates of the derivative of the total count."""
    values = [row["autodiff"], row["difference"], row["through_mask"]]
    errors = [row["autodiff_error"], row["difference_error"], 0.0]
    for position, (value, error) in enumerate(zip(values, errors, strict=True)):
        axes.errorbar(position, value, error, fmt=MARKERS[position], color=COLOURS[position], markersize=6)
    symmetric(axes)
    axes.set_xticks(range(3), ["AD", "FD hard", "AD mask"], rotation=25)
    axes.set_xlim(-0.5, 2.5)
