"""Maps beside those of a finer simulation of the same boxes, and beside theory."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.style import COLOURS, THEORY, grid, note, plain_ticks, styled, symmetric

__all__ = ["validation_peaks", "validation_spectra"]

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
REACH = 2.0  # of the ratios that are shown: what is beyond is noise of the lattice
SHARED = "Errors: jackknife over boxes; boxes, views and shape noise are the same in all variants."


@styled
def validation_spectra(table: pd.DataFrame) -> Figure:
    """Convergence spectra over theory, and over those of the finer simulation, one column per source.

    Parameters
    ----------
    table : of `lensing_validation.comparison_table`, with a column z_source; columns theory and limber of
        `theory_spectra` and those of `published_spectra` are shown where there are any.
    """
    table = table[table["statistic"] == "power_spectrum"]
    variants, has_theory = _variants(table), "theory" in table
    sources = list(table.groupby("z_source"))
    figure, axes = grid(1 + has_theory, len(sources), (3.6, 2.7), sharex=True, sharey="row")
    for column, (z, rows) in zip(axes.T, sources, strict=True):
        ell = rows["centre"].to_numpy()
        if has_theory:
            column[0].plot(ell, rows["theory"] / rows["limber"], ":", color=THEORY, label="windows of the maps")
            for name in variants:
                ratio, error = ((rows[each] / rows["theory"]).to_numpy() for each in (name, f"{name}_error"))
                column[0].errorbar(ell, ratio, error, **LOOKS[name])
            for name in (each for each in PUBLISHED if each in rows and rows[each].notna().any()):
                look = {**PUBLISHED[name], "markerfacecolor": "white", "linestyle": "none"}
                column[0].plot(ell, rows[name] / rows["ktng_limber"], **look)
            symmetric(column[0], 1.0)
        _ratios(column[-1], ell, rows)
        column[0].set_title(rf"$z_s$ = {z:g}")
        column[-1].set(xscale="log", xlabel=r"multipole $\ell$")
        plain_ticks(column[-1].xaxis)
    axes[-1, 0].set_ylabel(r"$C_\ell$ / finer simulation")
    for axis in axes[:, 0]:
        axis.set_ylim(0, min(axis.get_ylim()[1], REACH))
    if has_theory:
        axes[0, 0].set_ylabel(r"$C_\ell$ / HMCode2020")
    _legend(figure, axes)
    seen = " Theory as the maps show it; published spectra over Limber's; dotted: what windows leave of Limber's."
    note(figure, SHARED + (seen if has_theory else ""))
    return figure


@styled
def validation_peaks(table: pd.DataFrame) -> Figure:
    """Peaks per field and their ratio to those of the finer simulation, two rows per scale, one column per source.

    Parameters
    ----------
    table : of `lensing_validation.comparison_table`, with a column z_source.
    """
    table = table[table["statistic"] == "peaks"]
    scales, sources = (sorted(table[name].unique()) for name in ("scale_arcmin", "z_source"))
    figure, axes = grid(2 * len(scales), len(sources), (3.6, 2.2), sharex="col", height_ratios=[1.4, 1] * len(scales))
    for (upper, lower), scale in zip(axes.reshape(len(scales), 2, -1), scales, strict=True):
        for counts, ratios, z in zip(upper, lower, sources, strict=True):
            rows = table[(table["scale_arcmin"] == scale) & (table["z_source"] == z)]
            height = rows["centre"].to_numpy()
            for name in _variants(table):
                look = {**LOOKS[name], "linestyle": "none"}
                number, error = (rows[each].to_numpy() for each in (name, f"{name}_error"))
                counts.errorbar(height, number, error, **look)
            counts.set(yscale="log", title=rf"{scale:.3g} arcmin, $z_s$ = {z:g}")
            plain_ticks(counts.yaxis)
            _ratios(ratios, height, rows)
        upper[0].set_ylabel("peaks per field\nand bin")
        lower[0].set_ylabel("/ finer\nsimulation")
    for axis in axes[-1]:
        axis.set_xlabel(r"height $\nu$ [S/N]")
    _legend(figure, axes)
    note(figure, SHARED + " Hard counts of noisy maps, averaged over draws of the noise; the outermost bins are open.")
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
    """One legend below all panels, each entry once."""
    entries: dict[str, Any] = {}
    for axis in axes.flat:
        handles, labels = axis.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(list(entries.values()), list(entries), loc="outside upper center", ncols=3)
