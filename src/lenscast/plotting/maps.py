"""Convergence maps and their tangents."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from scipy.ndimage import gaussian_filter

from lenscast.plotting.style import grid, label, styled

__all__ = ["maps_and_tangents"]

SMOOTHING_ARCMIN = 2.0


@styled
def maps_and_tangents(
    kappa: Float[np.ndarray, "y x"],
    noisy: Float[np.ndarray, "y x"],
    tangents: Float[np.ndarray, "param y x"],
    names: Sequence[str],
    field_deg: float,
    depth: Float[np.ndarray, "y x"] | None = None,
) -> Figure:
    """A convergence map, the same as a survey sees it, and its derivative by each parameter.

    Colours of the map run between its 0.5 and 99.8 percentiles, those of a tangent are symmetric about 0 and reach the
    99.5 percentile of its size.

    Parameters
    ----------
    kappa : noise-free map.
    noisy : the map with shape noise; smoothed here by a Gaussian, as the panel says, with its depth as weight.
    tangents : derivatives of the map, per unit of the parameter.
    names : parameters.
    field_deg : side of the map [deg].
    depth : inverse variance of the noise; pixels where it is 0 are left blank. The same everywhere by default.
    """
    columns = min(4, -(-(len(names) + 2) // 2))
    rows = -(-(len(names) + 2) // columns)
    figure, axes = grid(rows, columns, (3.2, 2.85), sharex=True, sharey=True)
    panels = list(axes.flat)
    seen = _smoothed(noisy, np.ones_like(noisy) if depth is None else depth, 60 * field_deg / len(noisy))
    low, high = np.percentile(kappa, [0.5, 99.8])
    show_map(panels[0], kappa, r"$\kappa$, noise-free", field_deg, "magma", low, high)
    low, high = np.nanpercentile(seen, [0.5, 99.8])
    title = rf"$\kappa$ + noise, smoothed $\sigma$ = {SMOOTHING_ARCMIN:g} arcmin"
    show_map(panels[1], seen, title, field_deg, "magma", low, high)
    for axis, tangent, name in zip(panels[2:], tangents, names, strict=False):
        reach = np.percentile(np.abs(tangent), 99.5)
        title = rf"$\partial\kappa/\partial$ {label(name)}"
        show_map(axis, tangent, title, field_deg, "RdBu_r", -reach, reach)
    for axis in panels[len(names) + 2 :]:
        axis.set_visible(False)
    figure.supxlabel("[deg]", fontsize=10)
    figure.supylabel("[deg]", fontsize=10)
    return figure


def _smoothed(
    image: Float[np.ndarray, "y x"], weights: Float[np.ndarray, "y x"], pixel_arcmin: float
) -> Float[np.ndarray, "y x"]:
    """Weighted mean of the pixels around each, NaN where it has no weight itself."""
    width, seen = SMOOTHING_ARCMIN / pixel_arcmin, weights > 0
    smooth = gaussian_filter(image * weights, width) / np.where(seen, gaussian_filter(weights, width), 1.0)
    return np.where(seen, smooth, np.nan)


def show_map(
    axes: Axes, image: Float[np.ndarray, "y x"], title: str, side: float, colours: str, low: float, high: float
) -> None:
    """One map with its colour bar."""
    extent = (-side / 2, side / 2, -side / 2, side / 2)
    shown = axes.imshow(image, origin="lower", extent=extent, cmap=colours, vmin=low, vmax=high, interpolation="none")
    axes.set_title(title)
    axes.grid(False)
    numbers = ScalarFormatter()
    numbers.set_powerlimits((-2, 2))
    axes.figure.colorbar(shown, ax=axes, shrink=0.9, pad=0.02, extend="both", format=numbers)
