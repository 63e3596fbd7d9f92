"""Derivatives of data vectors, and automatic ones beside finite differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.style import (
    COLOURS,
    MARKERS,
    THEORY,
    block_label,
    blocks,
    grid,
    label,
    mean_and_error,
    note,
    shared_name,
    styled,
    symmetric,
)

__all__ = ["derivatives", "derivatives_check"]

RELATIVE_REACH = 3.0
SEQUENCE = matplotlib.colormaps["viridis"]


@styled
def derivatives(
    jacobian: Float[np.ndarray, "box param bin"],
    expected: Float[np.ndarray, "box bin"],
    noise: Float[np.ndarray, " bin"],
    bins: pd.DataFrame,
    names: Sequence[str],
    theory: pd.DataFrame | None = None,
) -> Figure:
    """Derivatives of each statistic of each source by each parameter, with their errors over boxes.

    Spectra as d ln C / d theta with the noise taken off, counts as d N / d theta in peaks per field.

    Parameters
    ----------
    jacobian, expected : means of boxes.
    noise : exact mean of the spectra of the noise [sr].
    bins : the data vector's bins.
    names : parameters.
    theory : columns source_1, source_2, low and dln_<parameter>; None without.
    """
    groups = _groups(bins)
    columns = list(dict.fromkeys(shared_name(name) for name in names))
    sources = 1 + int(bins["source_1"].max())
    figure, axes = grid(len(groups), len(columns), (2.2, 1.9))
    mean, error = mean_and_error(jacobian)
    signal = expected.mean(axis=0) - noise
    for row, parts in zip(axes, groups.values(), strict=True):
        for key, rows in parts.items():
            source = int(key[2])
            counts = bins["unit"][rows[0]] != "sr"
            divisor = 1.0 if counts else signal[rows]
            x = bins["centre"][rows].to_numpy()
            for axis, column in zip(row, columns, strict=True):
                name = column if column in names else f"{column}_{source + 1}"
                value, spread = (each[names.index(name), rows] for each in (mean, error))
                colour = COLOURS[1 if counts else 0] if sources == 1 else SEQUENCE(source / sources)
                text = f"source {source + 1}" if sources > 1 else None
                axis.errorbar(x, value / divisor, spread / np.abs(divisor), fmt="o-", color=colour, label=text)
                if theory is not None and key[0] == "power_spectrum" and f"dln_{name}" in theory:
                    chosen = theory[(theory["source_1"] == key[2]) & (theory["source_2"] == key[3])].set_index("low")
                    shown = THEORY if sources == 1 else colour
                    axis.plot(x, chosen.loc[bins["low"][rows], f"dln_{name}"], "--", color=shown)
        for axis in row:
            symmetric(axis)
            axis.set_xlabel(r"$\nu$ [S/N]" if counts else r"$\ell$")
        unit = r"$\mathrm{d}N/\mathrm{d}\theta$" if counts else r"$\mathrm{d}\ln C_\ell/\mathrm{d}\theta$"
        row[0].set_ylabel(f"{block_label((*key[:2], 0, 0))}{_band(key)}\n{unit}")
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(rf"$\theta$ = {label(name)}")
    text = f"N: peaks per field and bin. Errors: of the mean over {len(jacobian)} boxes."
    text += "" if sources == 1 else " Spectra: those of each source with itself."
    note(figure, text + ("" if theory is None else " Dashed: halofit, seen by planes and field."))
    if sources > 1:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=sources)
    return figure


def _groups(bins: pd.DataFrame) -> dict[tuple[Any, ...], dict[tuple[Any, ...], np.ndarray]]:
    """Parts of a data vector by statistic and scale, those of one source each."""
    groups: dict[tuple[Any, ...], dict[tuple[Any, ...], np.ndarray]] = {}
    for key, rows in blocks(bins).items():
        if pd.isna(key[3]) or key[2] == key[3]:
            scale = None if pd.isna(key[1]) else key[1]
            groups.setdefault((key[0], scale), {})[key] = rows
    return groups


def _band(key: tuple[object, ...]) -> str:
    """Tell spectra of band-passed maps from those of the maps."""
    return " band" if key[0] == "starlet_power_spectrum" else ""


@styled
def derivatives_check(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Automatic derivatives against central differences on the same seeds.

    Counts as z-scores; spectra, which have next to no scatter, as relative deviations with their errors. A table with
    a column ``through_mask`` adds a row for the total: automatic (conditional Monte Carlo), central difference of hard
    counts, and automatic through the hard mask of the peaks.

    Parameters
    ----------
    tables : of `forecast.comparison.comparison_table` by statistic, with a column step, relative to the full one.
    """
    names = list(dict.fromkeys(next(iter(tables.values()))["parameter"]))
    masked = [table for table in tables.values() if "through_mask" in table]
    figure, axes = grid(len(tables) + len(masked), len(names), (2.2, 2.0))
    for row, (statistic, table) in zip(axes, tables.items(), strict=False):
        draw, unit = (_z_scores, "z") if "through_mask" in table else (_relative, "AD / difference - 1 [%]")
        for axis, name in zip(row, names, strict=True):
            draw(axis, table[(table["parameter"] == name) & (table["data"] != "total")])
            axis.set_xlabel("bin")
        row[0].set_ylabel(f"{statistic.replace('_', ' ')}\n{unit}")
    for row, table in zip(axes[len(tables) :], masked, strict=True):
        total = table[(table["data"] == "total") & (table["step"] == table["step"].max())]
        for axis, name in zip(row, names, strict=True):
            _total(axis, total[total["parameter"] == name].iloc[0])
        row[0].set_ylabel("total peaks\n" + r"$\mathrm{d}N_\mathrm{tot}/\mathrm{d}\theta$")
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(label(name))
    axes[0, 0].legend(loc="best", fontsize=7, title="step", title_fontsize=7)
    boxes = int(next(iter(tables.values()))["boxes"].iloc[0])
    note(figure, f"{boxes} boxes, same seeds on both sides; shaded: 1 % for spectra, |z| < 2 for counts.")
    return figure


def _steps(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame, str, str]]:
    """Rows of each step of the differences, with label, colour and marker."""
    groups = table.groupby("step", sort=False)
    return [(f"{step:g}", rows, *look) for (step, rows), *look in zip(groups, COLOURS, MARKERS, strict=False)]


def _z_scores(axes: Axes, table: pd.DataFrame) -> None:
    """Deviation in units of its error, bin by bin."""
    axes.axhspan(-2, 2, color="0.9", zorder=0)
    for name, rows, colour, marker in _steps(table):
        axes.plot(np.arange(len(rows)), rows["z"], marker, color=colour, label=name)
    symmetric(axes)
    reach = max(4.0, 1.1 * table["z"].abs().replace(np.inf, np.nan).max())
    axes.set_ylim(-reach, reach)


def _relative(axes: Axes, table: pd.DataFrame) -> None:
    """Relative deviation [%], bin by bin; points beyond the panel are drawn at its border."""
    axes.axhspan(-1, 1, color="0.9", zorder=0)
    for name, rows, colour, marker in _steps(table):
        value = 100 * rows["relative"].to_numpy()
        error = 100 * (rows["deviation_error"] / rows["difference"]).abs().to_numpy()
        shown = np.clip(value, -0.95 * RELATIVE_REACH, 0.95 * RELATIVE_REACH)
        beyond = shown != value
        position = np.arange(len(rows))
        axes.errorbar(position[~beyond], shown[~beyond], error[~beyond], fmt=marker, color=colour, label=name)
        axes.plot(position[beyond], shown[beyond], "x", color=colour)
    symmetric(axes)
    axes.set_ylim(-RELATIVE_REACH, RELATIVE_REACH)


def _total(axes: Axes, row: pd.Series) -> None:
    """Three estimates of the derivative of the total count side by side."""
    values = [row["autodiff"], row["difference"], row["through_mask"]]
    errors = [row["autodiff_error"], row["difference_error"], 0.0]
    for position, (value, error) in enumerate(zip(values, errors, strict=True)):
        axes.errorbar(position, value, error, fmt=MARKERS[position], color=COLOURS[position], markersize=6)
    symmetric(axes)
    axes.set_xticks(range(3), ["AD", "FD hard", "AD mask"], rotation=25)
    axes.set_xlim(-0.5, 2.5)
