"""Ray-traced maps beside those in the Born approximation."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.maps import show_map
from lenscast.plotting.style import COLOURS, MARKERS, grid, note, plain_ticks, styled, symmetric

__all__ = ["validation_projection"]

ZOOM_ARCMIN = 120.0
SHARED = (
    "Change: ray-traced / Born - 1; errors: jackknife over boxes, which have phases, views and shape noise in common. "
    "Spectra, maps and distributions are\nwithout noise, peaks of noisy maps; outermost bins of peaks are open. "
)


@styled
def validation_projection(
    table: pd.DataFrame, born: Float[np.ndarray, "y x"], traced: Float[np.ndarray, "y x"], pixel_arcmin: float
) -> Figure:
    """What the Born approximation leaves out: in a map, in spectra, in one-point distributions and in peak counts.

    Parameters
    ----------
    table : of `lensing_validation.comparison_table` with variants born, which ratios refer to, and ray_tracing: rows of
        spectra, peaks and `statistics.one_point`, and a column z_source.
    born, traced : map of the farthest source in the two projections, smoothed as the distributions are; shown about
        the highest peak.
    pixel_arcmin : side of their pixels [arcmin].
    """
    figure, axes = grid(3, 3, (4.0, 3.1))
    _maps(axes[0], born, traced, pixel_arcmin, table["z_source"].max())
    spectra, peaks = (table[table["statistic"] == name] for name in ("power_spectrum", "peaks"))
    _change(axes[1, 0], spectra, r"change of $C_\ell$ [%]")
    axes[1, 0].set(xscale="log", xlabel=r"multipole $\ell$")
    plain_ticks(axes[1, 0].xaxis)
    _moments(axes[2, 0], table)
    _distribution(axes[1:, 1], table)
    for axis, scale in zip(axes[1:, 2], np.unique(peaks["scale_arcmin"])[:2], strict=False):
        _change(axis, peaks[peaks["scale_arcmin"] == scale], f"change of peak counts,\n{scale:.3g} arcmin [%]")
        axis.set_xlabel(r"height $\nu$ [S/N]")
    axes[2, 2].set_visible(peaks["scale_arcmin"].nunique() > 1)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    smoothing = table.loc[table["statistic"] == "density", "scale_arcmin"].iloc[0]
    note(figure, f"{SHARED}Maps and distributions: smoothed, $\\sigma$ = {smoothing:g} arcmin.")
    return figure


def _maps(
    axes: np.ndarray, born: Float[np.ndarray, "y x"], traced: Float[np.ndarray, "y x"], pixel_arcmin: float, z: float
) -> None:
    """A square about the highest peak, in both projections and their difference."""
    side = min(len(born), round(ZOOM_ARCMIN / pixel_arcmin))
    centres = slice(side // 2, len(born) - (side - side // 2) + 1)
    corner = np.unravel_index(np.argmax(born[centres, centres]), 2 * (len(born) - side + 1,))
    zoom = tuple(slice(start, start + side) for start in corner)
    low, high = np.percentile(born[zoom], [0.5, 99.8])
    reach = np.percentile(np.abs(traced - born)[zoom], 99.5)
    width = side * pixel_arcmin
    show_map(axes[0], born[zoom], rf"$\kappa$, Born, $z_s$ = {z:g}", width, "magma", low, high)
    show_map(axes[1], traced[zoom], r"$\kappa$, ray-traced", width, "magma", low, high)
    show_map(axes[2], (traced - born)[zoom], "ray-traced - Born", width, "RdBu_r", -reach, reach)
    for axis in axes:
        axis.set_xlabel("[arcmin]")
    axes[0].set_ylabel("[arcmin]")


def _change(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Relative change of each bin, sources side by side."""
    sources = list(rows.groupby("z_source"))
    for number, (z, own) in enumerate(sources):
        change, error = _percent(own)
        centre = own["centre"].to_numpy()
        aside = 0.15 * (number - (len(sources) - 1) / 2) * np.diff(centre).min()
        axes.errorbar(centre + aside, change, error, linestyle="none", label=rf"$z_s$ = {z:g}", **_look(number))
    symmetric(axes)
    axes.set_ylabel(label)


def _moments(axes: Axes, table: pd.DataFrame) -> None:
    """Relative change of variance and skewness with the redshift of the sources."""
    for name, marker, face in (("variance", "o", "white"), ("skewness", "s", COLOURS[6])):
        rows = table[table["statistic"] == name]
        change, error = _percent(rows)
        axes.errorbar(
            rows["z_source"].to_numpy(), change, error, fmt=marker, color=COLOURS[6], markerfacecolor=face, label=name
        )
    symmetric(axes)
    axes.set(xlabel="redshift of the sources", ylabel="change of moments [%]")
    axes.legend()


def _distribution(axes: np.ndarray, table: pd.DataFrame) -> None:
    """Densities in units of the rms of the Born maps, with their skewness, and their change."""
    born = table.set_index(["statistic", "z_source"])
    moments = born[["born", "ray_tracing"]]
    rows = table[table["statistic"] == "density"].copy()
    rms = np.sqrt(rows["z_source"].map(moments["born"]["variance"]))
    rows["centre"] /= rms
    for number, (z, own) in enumerate(rows.groupby("z_source")):
        counted = own[own["born"] > 0]
        unit, skewness = rms[counted.index], moments.loc[("skewness", z)]
        label = f"skewness {skewness['born']:.3f} $\\to$ {skewness['ray_tracing']:.3f}"
        axes[0].plot(counted["centre"], counted["born"] * unit, color=COLOURS[number])
        look = {**_look(number), "markerfacecolor": "white", "linestyle": "none", "label": label}
        axes[0].plot(counted["centre"], counted["ray_tracing"] * unit, **look)
    axes[0].set(yscale="log", ylabel=r"density of $\kappa/\sigma$", title="lines: Born, markers: ray-traced")
    axes[0].set_ylim(bottom=axes[0].get_ylim()[0] / 10)
    axes[0].legend(loc="lower center")
    _change(axes[1], rows, "change of the density [%]")
    axes[1].set_xlabel(r"$\kappa/\sigma$, $\sigma$: rms of the Born maps")


def _percent(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Relative change of each row and its error [%]."""
    change, error = (rows[f"ray_tracing_ratio{suffix}"].to_numpy() for suffix in ("", "_error"))
    return 100 * (change - 1), 100 * error


def _look(number: int) -> dict[str, Any]:
    """Colour and marker of a source."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
