"""Tomographic spectra of lensing and alignments compared with theory, and their derivatives.

Tables are those of `lenscast.validation.tomography`: components GG (lensing), GI (cross) and II (alignments) of each
pair of source bins, and derivatives with respect to nuisance parameters.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.parameters import stem
from lenscast.plotting.style import COLOURS, MEASURED, THEORY, grid, label, plain_ticks, styled, symmetric

LOOKS: dict[str, dict[str, Any]] = {
    "GG": {"color": COLOURS[0], "marker": "o"},
    "GI": {"color": COLOURS[1], "marker": "s"},
    "II": {"color": COLOURS[2], "marker": "^"},
}
REACH = (0.0, 2.0)
"""Range of the ratios to theory."""
SMALLEST = 1e-4
"""Smallest component that is drawn, over the largest: those below are of bins without galaxies in common."""


@styled
def tomography(table: pd.DataFrame) -> Figure:
    """Spectra of all pairs of source bins by component, below the diagonal; their ratios to theory above it."""
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
            significant = rows[rows["theory"].abs() > 2 * rows["error"]]
            upper.errorbar(significant["centre"], significant["ratio"], significant["ratio_error"], **look)
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
    figure.supylabel(r"$\ell(\ell+1)\,|C_\ell|/2\pi$ (lower left), ratio to theory (upper right)", fontsize=10)
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
    """Derivatives of ln C_ell of each source bin with itself, with respect to nuisance parameters.

    Where each bin has a parameter of its own, the derivative is the one with respect to that parameter.
    """
    table = table[table["source_1"] == table["source_2"]]
    columns = list(dict.fromkeys(map(stem, table["parameter"])))
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
    """Shade the multipoles at which the particles do not resolve the matter that lenses the sources."""
    unresolved = table[~table["resolved"]]
    if len(unresolved):
        axes.axvspan(unresolved["low"].min(), table["high"].max(), color=COLOURS[3], alpha=0.12, linewidth=0)
