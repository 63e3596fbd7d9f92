"""Ray-traced maps compared with maps in the Born approximation.

The table is that of `lenscast.validation.lensing.variant_comparison` with the variants born, to which ratios refer, and
ray_tracing. It has rows of the statistics of the experiment and of `lenscast.validation.one_point`, and a column
``z_source``.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.maps import show_map
from lenscast.plotting.style import (
    COLOURS,
    MARKERS,
    bin_axis,
    bin_positions,
    grid,
    note,
    plain_ticks,
    styled,
    symmetric,
)
from lenscast.plotting.validation import statistic_rows
from lenscast.statistics.statistic import Statistic

ZOOM_ARCMIN = 120.0
"""Side of the square of the maps that is drawn [arcmin]."""
SHARED = (
    "Change: ray-traced / Born - 1; errors: jackknife over boxes, which have phases, views and shape noise in common. "
    "Spectra, maps and distributions are\nwithout noise, other statistics of noisy maps. "
)


class ProjectedMaps(NamedTuple):
    """Convergence map of the farthest source in two projections, smoothed as the one-point distributions are.

    Attributes
    ----------
    born, traced
        Maps in the Born approximation and ray-traced.
    pixel_arcmin
        Side of their pixels [arcmin].
    """

    born: Float[np.ndarray, "y x"]
    traced: Float[np.ndarray, "y x"]
    pixel_arcmin: float


@styled
def validation_projection(table: pd.DataFrame, maps: ProjectedMaps, statistics: Mapping[str, Statistic]) -> Figure:
    """What the Born approximation leaves out: in a map, in statistics, and in one-point distributions.

    One spectrum is drawn, and two scales of other statistics.
    """
    figure, axes = grid(3, 3, (4.0, 3.1))
    _maps(axes[0], maps, table["z_source"].max())
    for statistic, _, rows in statistic_rows(table, statistics, is_spectrum=True)[:1]:
        _change(axes[1, 0], rows, f"change of {statistic.label} [%]")
        axes[1, 0].set(xscale="log", xlabel=statistic.axis)
        plain_ticks(axes[1, 0].xaxis)
    _moments(axes[2, 0], table)
    _distribution(axes[1:, 1], table)
    others = statistic_rows(table, statistics, is_spectrum=False)[:2]
    for axis, (statistic, scale, rows) in zip(axes[1:, 2], others, strict=False):
        size = "" if scale is None else f",\n{scale:.3g} arcmin"
        _change(axis, rows, f"change of {'the number of ' if statistic.is_count else ''}{statistic.label}{size} [%]")
        axis.set_xlabel(bin_axis(statistic, rows[rows["z_source"] == rows["z_source"].iloc[0]]))
    for axis in (axes[1, 0], *axes[1:, 2]):
        axis.set_visible(axis.has_data())
    figure.legend(*axes[2, 1].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    smoothing = table.loc[table["statistic"] == "density", "scale_arcmin"].iloc[0]
    is_open = any(rows[["low", "high"]].isna().any(axis=None) for *_, rows in others)
    ends = "Their outermost bins are open. " if is_open else ""
    note(figure, f"{SHARED}{ends}Maps and distributions: smoothed, $\\sigma$ = {smoothing:g} arcmin.")
    return figure


def _maps(axes: np.ndarray, maps: ProjectedMaps, z: float) -> None:
    """Square around the highest peak, in both projections and their difference."""
    born, traced, pixel_arcmin = maps
    side = min(len(born), round(ZOOM_ARCMIN / pixel_arcmin))
    # a square around a peak nearer to the edges would not fit into the map
    centres = slice(side // 2, len(born) - (side - side // 2) + 1)
    corner = np.unravel_index(np.argmax(born[centres, centres]), 2 * (len(born) - side + 1,))
    zoom = tuple(slice(start, start + side) for start in corner)
    limits = np.percentile(born[zoom], [0.5, 99.8])
    reach = np.percentile(np.abs(traced - born)[zoom], 99.5)
    width = side * pixel_arcmin
    show_map(axes[0], born[zoom], rf"Born, $z_s$ = {z:g}", width, ("magma", r"$\kappa$"), limits)
    show_map(axes[1], traced[zoom], "ray-traced", width, ("magma", r"$\kappa$"), limits)
    show_map(axes[2], (traced - born)[zoom], "ray-traced - Born", width, ("RdBu_r", r"$\Delta\kappa$"), (-reach, reach))
    for axis in axes:
        axis.set_xlabel("[arcmin]")
    axes[0].set_ylabel("[arcmin]")


def _change(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Relative change of each bin, with the sources next to each other."""
    sources = list(rows.groupby("z_source"))
    for number, (z, own) in enumerate(sources):
        change, error = _percent(own)
        centre = bin_positions(own)
        spacing = np.diff(centre).min() if len(centre) > 1 else 1.0
        offset = 0.15 * (number - (len(sources) - 1) / 2) * spacing
        axes.errorbar(centre + offset, change, error, linestyle="none", label=rf"$z_s$ = {z:g}", **_look(number))
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
        occupied = own[own["born"] > 0]
        unit, skewness = rms[occupied.index], moments.loc[("skewness", z)]
        label = f"skewness {skewness['born']:.3f} $\\to$ {skewness['ray_tracing']:.3f}"
        axes[0].plot(occupied["centre"], occupied["born"] * unit, color=COLOURS[number])
        look = {**_look(number), "markerfacecolor": "white", "linestyle": "none", "label": label}
        axes[0].plot(occupied["centre"], occupied["ray_tracing"] * unit, **look)
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
