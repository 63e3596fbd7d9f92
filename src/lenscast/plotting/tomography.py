"""Tomographic spectra of lensing and alignments, and their derivatives by nuisance parameters, beside theory."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.style import COLOURS, MEASURED, THEORY, grid, label, plain_ticks, shared_name, styled, symmetric

__all__ = ["tomography", "tomography_derivatives"]

LOOKS: dict[str, dict[str, Any]] = {
    "GG": {"color": COLOURS[0], "marker": "o"},
    "GI": {"color": COLOURS[1], "marker": "s"},
    "II": {"color": COLOURS[2], "marker": "^"},
}
REACH = (0.0, 2.0)
SMALLEST = 1e-4  # of the largest component: what is below has no galaxies in common


@styled
def tomography(table: pd.DataFrame) -> Figure:
    """Spectra of all pairs of sources, lensing and alignments apart, below the diagonal; their ratios to theory above.

    Parameters
    ----------
    table : of `tomography_validation.compared`.
    """
    sources = 1 + int(table["source_2"].max())
    figure, axes = grid(sources, sources + 1, (2.5, 2.0), sharex=True)
    for (i, j), pair in table.groupby(["source_1", "source_2"]):
        lower, upper = axes[int(j), int(i)], axes[int(i), int(j) + 1]
        for name, rows in pair.groupby("component", sort=False):
            ell, look = rows["centre"].to_numpy(), LOOKS[str(name)]
            scale = ell * (ell + 1) / (2 * np.pi)
            lower.errorbar(
                ell, scale * rows["measured"].abs(), scale * rows["error"], linestyle="none", label=name, **look
            )
            lower.plot(ell, scale * rows["theory"].abs(), color=look["color"])
            lower.plot(ell, scale * rows["ccl"].abs(), ":", color=look["color"])
            shown = rows[rows["theory"].abs() > 2 * rows["error"]]
            upper.errorbar(shown["centre"], shown["ratio"], shown["ratio_error"], **look)
            if name == "GG":
                upper.fill_between(ell, 1, 1 + rows["shot"] / rows["theory"], color=THEORY, alpha=0.12, linewidth=0)
        symmetric(upper, 1.0)
        largest = np.max(ell * (ell + 1) / (2 * np.pi) * pair["ccl"].abs().to_numpy().reshape(-1, len(ell)))
        lower.set(xscale="log", yscale="log", ylim=(SMALLEST * largest, 3 * largest))
        upper.set_ylim(*REACH)
        for panel in (lower, upper):
            _shade(panel, pair)
            panel.set_title(f"{int(i) + 1}-{int(j) + 1}" + (" / theory" if panel is upper else ""))
        plain_ticks(upper.xaxis)
    figure.supxlabel(r"multipole $\ell$", fontsize=10)
    figure.supylabel(r"$\ell(\ell+1)\,|C_\ell|/2\pi$ (below), ratio to theory (above)", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    text = (
        "Lines: CCL on HMCode2020, seen through planes and box (dotted: without). Shaded: beyond the particles' "
        "Nyquist wavenumber at half the distance; grey:\nwhat Poisson shot noise would add. Ratios where theory is "
        "above twice the error. Errors: jackknife over boxes."
    )
    figure.text(0.01, -0.01, text, ha="left", va="top", fontsize=9)
    return figure


@styled
def tomography_derivatives(table: pd.DataFrame) -> Figure:
    """Derivatives of ln C_ell by nuisance parameters, each source with itself and by its own parameters.

    Parameters
    ----------
    table : of `tomography_validation.compared_derivatives`.
    """
    table = table[table["source_1"] == table["source_2"]]
    columns = list(dict.fromkeys(map(shared_name, table["parameter"])))
    sources = 1 + int(table["source_1"].max())
    figure, axes = grid(sources, len(columns), (3.0, 1.5), sharex=True)
    for column, panels in zip(columns, axes.T, strict=True):
        for source, axis in enumerate(panels):
            name = column if column in set(table["parameter"]) else f"{column}_{source + 1}"
            rows = table[(table["parameter"] == name) & (table["source_1"] == source)]
            axis.errorbar(rows["centre"], rows["measured"], rows["error"], fmt="o", color=MEASURED)
            axis.plot(rows["centre"], rows["theory"], "-", color=THEORY)
            _shade(axis, rows)
            symmetric(axis)
            axis.set(xscale="log")
        panels[0].set_title(rf"$\theta$ = {label(column)}")
        plain_ticks(panels[-1].xaxis)
    for source, axis in enumerate(axes[:, 0]):
        axis.set_ylabel(f"source {source + 1}")
    figure.supxlabel(r"multipole $\ell$", fontsize=10)
    figure.supylabel(r"$\mathrm{d}\ln C_\ell/\mathrm{d}\theta$", fontsize=10)
    text = (
        "Points: automatic derivatives of the maps. Lines: CCL on HMCode2020, seen through planes and box. Shaded: "
        "beyond\nthe particles' Nyquist wavenumber at half the distance. Errors: jackknife over boxes."
    )
    figure.text(0.01, -0.01, text, ha="left", va="top", fontsize=9)
    return figure


def _shade(axes: Axes, table: pd.DataFrame) -> None:
    """Where particles do not resolve what lenses the sources."""
    beyond = table[~table["resolved"]]
    if len(beyond):
        axes.axvspan(beyond["low"].min(), table["high"].max(), color=COLOURS[3], alpha=0.12, linewidth=0)
