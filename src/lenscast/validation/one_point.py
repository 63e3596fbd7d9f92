"""One-point distribution of smoothed convergence maps: density, variance and skewness.

Convention: these functions describe finished maps, in NumPy and without derivatives; forecasts do not use them. Maps
are smoothed with a Gaussian and cut to the pixels where it does not reach over an edge of the map. Moments are central
moments of a map, about its own mean.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64
from scipy.ndimage import gaussian_filter

from lenscast.statistics.region import Region

REACH = 4
"""Radius at which the Gaussian is cut, in units of its width: 6e-5 of its weight along an axis lies farther out."""


def smoothed(
    maps: Float[np.ndarray, "*maps y x"], region: Region, sigma_arcmin: float
) -> Float64[np.ndarray, "*maps y2 x2"]:
    """Maps smoothed with a Gaussian, cut to the region.

    Where the Gaussian reaches farther than the border of the region, the result is smaller by the difference, on each
    side.

    Parameters
    ----------
    maps
        Maps in any unit, which the result has too.
    region
        Part of the maps.
    sigma_arcmin
        Standard deviation of the Gaussian [arcmin].
    """
    width = sigma_arcmin / region.pixel_arcmin
    reach = int(REACH * width + 0.5)
    smooth = gaussian_filter(maps.astype(np.float64), width, axes=(-2, -1), radius=reach)
    return np.asarray(region.crop(smooth, min(region.border - reach, 0)))


def variance(maps: Float64[np.ndarray, "*maps y x"]) -> Float64[np.ndarray, "*maps"]:
    """Variance of each map, <(x - <x>)^2>."""
    return maps.var(axis=(-2, -1))


def skewness(maps: Float64[np.ndarray, "*maps y x"]) -> Float64[np.ndarray, "*maps"]:
    """Skewness of each map, <(x - <x>)^3> / variance^(3/2)."""
    deviation = maps - maps.mean(axis=(-2, -1), keepdims=True)
    return np.asarray((deviation**3).mean(axis=(-2, -1)) / variance(maps) ** 1.5)


def density(
    maps: Float64[np.ndarray, "*maps y x"], edges: Float64[np.ndarray, " edge"]
) -> Float64[np.ndarray, "*maps bin"]:
    """Share of the pixels of each map in each bin, over the width of the bin.

    Parameters
    ----------
    maps
        Maps in any unit.
    edges
        Edges of the bins in this unit, increasing; pixels beyond the outermost edges are in no bin.
    """
    # sorted once, the pixels below all edges follow from one search; a histogram for each map takes longer
    pixels = np.sort(maps.reshape(*maps.shape[:-2], -1), axis=-1)
    below = np.apply_along_axis(np.searchsorted, -1, pixels, edges)
    return np.asarray(np.diff(below, axis=-1) / (pixels.shape[-1] * np.diff(edges)))


def one_point(
    maps: Float64[np.ndarray, "map source y x"], edges: Float64[np.ndarray, "source edge"]
) -> Float64[np.ndarray, "map bin"]:
    """Density, variance and skewness of the maps of each source, in the order of `one_point_bins`."""
    of_source = [
        np.column_stack([density(each, edge), variance(each), skewness(each)])
        for each, edge in zip(np.moveaxis(maps, 1, 0), edges, strict=True)
    ]
    return np.concatenate(of_source, axis=1)


def one_point_bins(edges: Float64[np.ndarray, "source edge"], sigma_arcmin: float) -> pd.DataFrame:
    """Bins of `one_point`, one row each, with the columns of the bins of other statistics; moments have no ends.

    Parameters
    ----------
    edges
        Edges of the bins of the density of each source.
    sigma_arcmin
        Standard deviation of the smoothing [arcmin], which is the ``scale_arcmin`` of the bins.
    """
    rows: list[dict[str, object]] = []
    for source, each in enumerate(edges):
        own = {"source_1": source, "scale_arcmin": sigma_arcmin}
        rows += [
            {"statistic": "density", **own, "low": low, "high": high, "centre": (low + high) / 2}
            for low, high in pairwise(each)
        ]
        rows += [{"statistic": name, **own} for name in ("variance", "skewness")]
    return pd.DataFrame(rows)
