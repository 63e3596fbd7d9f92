"""Convergence maps and their derivatives with respect to parameters, the tangents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from scipy.ndimage import gaussian_filter

from lenscast.plotting.style import grid, label, note, styled

SMOOTHING_ARCMIN = 2.0
"""Standard deviation of the Gaussian that smooths the noisy map [arcmin]."""


@styled
def maps_and_tangents(
    kappa: Float[np.ndarray, "y x"],
    noisy: Float[np.ndarray, "y x"],
    tangents: Float[np.ndarray, "param y x"],
    names: Sequence[str],
    field_deg: float,
    depth: Float[np.ndarray, "y x"] | None = None,
) -> Figure:
    """A convergence map, the same map with shape noise, and its derivative with respect to each parameter.

    Derivatives are smoothed as the noisy map is: pixel by pixel, shifts of halos dominate them. Colours of the maps run
    between their 0.5 and 99.8 percentiles. Colours of a tangent are symmetric about 0 and reach the 99.5 percentile of
    its absolute value.

    Parameters
    ----------
    kappa
        Map without noise.
    noisy
        Map with shape noise; smoothed here by a Gaussian, with the depth as weight.
    tangents
        Derivatives of the map, per unit of the parameter.
    names
        Parameters.
    field_deg
        Side of the map [deg].
    depth
        Inverse variance of the noise; pixels where it is 0 are left blank. By default it is uniform.
    """
    columns = min(4, -(-(len(names) + 2) // 2))
    rows = -(-(len(names) + 2) // columns)
    figure, axes = grid(rows, columns, (3.2, 2.85), sharex=True, sharey=True)
    panels = list(axes.flat)
    pixel_arcmin, everywhere = 60 * field_deg / len(noisy), np.ones_like(noisy)
    smooth = _smoothed(noisy, everywhere if depth is None else depth, pixel_arcmin)
    titles = ["convergence, noise-free", "convergence and noise, smoothed"]
    for axis, image, title in zip(panels, (kappa, smooth), titles, strict=False):
        limits = np.nanpercentile(image, [0.5, 99.8])
        show_map(axis, image, title, field_deg, ("magma", r"$\kappa$"), limits)
    for axis, tangent, name in zip(panels[2:], tangents, names, strict=False):
        image = _smoothed(tangent, everywhere, pixel_arcmin)
        reach = np.percentile(np.abs(image), 99.5)
        derivative = rf"$\partial\kappa/\partial$ {label(name)}"
        show_map(axis, image, f"{derivative}, smoothed", field_deg, ("RdBu_r", derivative), (-reach, reach))
    for axis in panels[len(names) + 2 :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("[deg]")
    for axis in axes[:, 0]:
        axis.set_ylabel("[deg]")
    note(figure, rf"smoothed: Gaussian of $\sigma$ = {SMOOTHING_ARCMIN:g} arcmin")
    return figure


def _smoothed(
    image: Float[np.ndarray, "y x"], weights: Float[np.ndarray, "y x"], pixel_arcmin: float
) -> Float[np.ndarray, "y x"]:
    """Weighted mean of the pixels around each pixel, NaN where the pixel itself has no weight."""
    width, is_visible = SMOOTHING_ARCMIN / pixel_arcmin, weights > 0
    smooth = gaussian_filter(image * weights, width) / np.where(is_visible, gaussian_filter(weights, width), 1.0)
    return np.where(is_visible, smooth, np.nan)


def show_map(
    axes: Axes, image: Float[np.ndarray, "y x"], title: str, side: float, colours: tuple[str, str], limits: Any
) -> None:
    """Draw one map with its colour bar.

    Parameters
    ----------
    axes
        Panel to draw in.
    image
        Map.
    title
        Title of the panel.
    side
        Side of the map, in the unit of the axes.
    colours
        Name of a colour map of matplotlib, and of what its colours are.
    limits
        Values at its two ends.
    """
    extent = (-side / 2, side / 2, -side / 2, side / 2)
    drawn = axes.imshow(
        image, origin="lower", extent=extent, cmap=colours[0], vmin=limits[0], vmax=limits[1], interpolation="none"
    )
    axes.set_title(title)
    axes.grid(False)
    numbers = ScalarFormatter()
    numbers.set_powerlimits((-2, 2))
    axes.figure.colorbar(drawn, ax=axes, shrink=0.9, pad=0.02, extend="both", format=numbers, label=colours[1])
