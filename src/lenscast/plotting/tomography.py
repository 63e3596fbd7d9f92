"""Tomographic spectra of lensing and alignments, and their derivatives by nuisance parameters, beside theory."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lenscast.plotting.style import COLOURS, THEORY, grid, label, note, plain_ticks, shared_name, styled, symmetric

__all__ = ["tomography", "tomography_derivatives"]

LOOKS: dict[str, dict[str, Any]] = {
    "GG": {"color": COLOURS[0], "marker": "o"},
    "GI": {"color": COLOURS[1], "marker": "s"},
    "II": {"color": COLOURS[2], "marker": "^"},
}
REACH = (0.0, 2.0)
SMALLEST = 1e-4  # of the largest component: what is below has no galaxies in common
SEQUENCE = matplotlib.colormaps["viridis"]


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
            beyond = pair[~pair["resolved"]]
            if len(beyond):
                panel.axvspan(beyond["low"].min(), pair["high"].max(), color=COLOURS[3], alpha=0.12, linewidth=0)
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
    """Derivatives of spectra by nuisance parameters, each source with itself and by its own parameters.

    Parameters
    ----------
    table : of `tomography_validation.compared_derivatives`.
    """
    table = table[table["source_1"] == table["source_2"]]
    columns = list(dict.fromkeys(map(shared_name, table["parameter"])))
    sources = 1 + int(table["source_1"].max())
    figure, axes = grid(1, len(columns), (3.2, 2.8))
    for axis, column in zip(axes[0], columns, strict=True):
        for source in range(sources):
            name = column if column in set(table["parameter"]) else f"{column}_{source + 1}"
            rows = table[(table["parameter"] == name) & (table["source_1"] == source)]
            ell, colour = rows["centre"].to_numpy(), SEQUENCE(source / sources)
            scale = ell * (ell + 1) / (2 * np.pi)
            axis.errorbar(
                ell,
                scale * rows["measured"],
                scale * rows["error"],
                fmt="o",
                color=colour,
                label=f"source {source + 1}",
            )
            axis.plot(ell, scale * rows["theory"], "-", color=colour)
        symmetric(axis)
        axis.set(xscale="log", title=rf"$\theta$ = {label(column)}", xlabel=r"multipole $\ell$")
        plain_ticks(axis.xaxis)
    axes[0, 0].set_ylabel(r"$\ell(\ell+1)/2\pi\;\mathrm{d}C_\ell/\mathrm{d}\theta$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=sources)
    note(figure, "Points: automatic derivatives of the maps. Lines: CCL on HMCode2020, seen through planes and box.")
    return figure
