"""Maps filtered to scales, in units of their noise: what statistics of single pixels are measured on.

Convention: nu is a filtered map over the rms of its shape noise there, so that its noise has unit variance at every
pixel. The filter ``starlet`` is the band-pass w_j = c_(j-1) - c_j, ``smoothing`` the smooth map c_j (`starlet`). Both
need the same pixels around each pixel. Masked pixels are 0 to the filter; where they carry more than
`ShapeNoise.max_masked` of its squared weights, a pixel does not count.

The noise of nu at one pixel is Gaussian with a known variance. The mean of any function of nu there is then known too,
without a draw of the noise, and the mean of a sum over pixels is the sum of the means.
"""

import abc
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64
from pydantic import Field

from lenscast.geometry import starlet_levels, starlet_reach, starlet_scale
from lenscast.statistics.binning import Interval
from lenscast.statistics.filtered_noise import counted_pixels, lagged_covariance, rms_of
from lenscast.statistics.region import Region
from lenscast.statistics.starlet import (
    ScalesArcmin,
    noise_rms,
    scale_problems,
    smooth_rms,
    smoothed,
    smoothed_kernel,
    starlet,
    starlet_kernel,
)
from lenscast.statistics.statistic import Bin, Observation, Statistic

__all__ = ["FilteredMaps", "FilteredNoise", "FilteredStatistic", "noise_covariance"]

Filter = Literal["starlet", "smoothing"]


class FilteredNoise(NamedTuple):
    """Noise of filtered maps.

    Attributes
    ----------
    rms
        Rms of the noise over its rms at nominal depth, in the region and a frame around it; one pixel stands for all
        where depth is uniform.
    counted
        Whether each pixel of the region counts.
    """

    rms: Float64[np.ndarray, "_ _"]
    counted: Bool[np.ndarray, "y x"]

    @property
    def pixels(self) -> int:
        """Number of pixels that count."""
        return int(np.count_nonzero(self.counted))


class FilteredMaps(NamedTuple):
    """Maps of one scale.

    Attributes
    ----------
    level
        Starlet level j.
    noise
        Noise of nu before it is divided by its rms, and which pixels count.
    snr
        The given maps as nu, in the region and a frame around it.
    """

    level: int
    noise: FilteredNoise
    snr: list[Float[Any, "source y2 x2"]]


class FilteredStatistic(Statistic, abc.ABC):
    """Statistic of maps that are filtered to scales."""

    scales_arcmin: ScalesArcmin
    filter: Filter = Field(
        description="starlet: band-pass to the scale; smoothing: low-pass, what is left of the map on larger scales"
    )

    def reach(self, pixel_arcmin: float) -> int:
        """Reach of the filter and of what is taken around each pixel [pixels]."""
        return max(self._reach(level) for level in starlet_levels(self.scales_arcmin, pixel_arcmin))

    def problems(self, region: Region) -> Iterator[tuple[str, str]]:
        """Scales that the maps do not have."""
        yield from scale_problems(self.scales_arcmin, region, self._reach)

    def _margin(self) -> int:
        """Pixels around a filtered pixel that the statistic depends on."""
        return 0

    def _reach(self, level: int) -> int:
        """Farthest pixel that the statistic depends on, on a level."""
        return starlet_reach(level) + self._margin()

    def _filtered(self, observation: Observation, *maps: Float[Any, "source y x"]) -> Iterator[FilteredMaps]:
        """Maps as nu, level by level."""
        region, noise = observation
        levels = starlet_levels(self.scales_arcmin, region.pixel_arcmin)
        function = {"starlet": starlet, "smoothing": smoothed}[self.filter]
        for level, *snr in zip(levels, *(function(noise.snr(each), levels) for each in maps), strict=True):
            local = filtered_noise(self.filter, level, self._margin(), observation)
            inside = [region.crop(each, self._margin()) for each in snr]
            yield FilteredMaps(level, local, [each / local.rms[None].astype(each.dtype) for each in inside])

    def _records(self, observation: Observation, intervals: Iterable[Interval], unit: str) -> list[Bin]:
        """One record for each scale, source and interval, the last fastest."""
        region, noise = observation
        levels = starlet_levels(self.scales_arcmin, region.pixel_arcmin)
        return [
            Bin(
                statistic=self.name,
                source_1=source,
                source_2=None,
                scale_arcmin=starlet_scale(level, region.pixel_arcmin),
                low=interval.low,
                high=interval.high,
                centre=interval.centre,
                unit=unit,
            )
            for level, source, interval in product(levels, range(noise.sources), [*intervals])
        ]


def filter_kernel(kind: Filter, level: int) -> Float64[np.ndarray, "side side"]:
    """Kernel of a filter, whose squares add up to 1."""
    return {"starlet": starlet_kernel, "smoothing": smoothed_kernel}[kind](level)


def filter_rms(kind: Filter, level: int) -> float:
    """Rms of a filtered map before it is normalised, for white noise of unit rms."""
    return {"starlet": noise_rms, "smoothing": smooth_rms}[kind](level)


@lru_cache
def filtered_noise(kind: Filter, level: int, margin: int, observation: Observation) -> FilteredNoise:
    """Noise of a filtered map, computed once for each observation.

    Parameters
    ----------
    kind, level
        Filter and its level.
    margin
        Pixels around a pixel that have to count with it.
    observation
        Region and shape noise.
    """
    region, noise = observation
    if noise.depth is None:
        return FilteredNoise(np.ones((1, 1)), np.ones((region.side, region.side), bool))
    kernel, depth = filter_kernel(kind, level), noise.weights(region, starlet_reach(level) + margin)
    counted = counted_pixels(level, kernel, margin, depth, noise.max_masked)
    return FilteredNoise(rms_of(lagged_covariance(kernel, 0, depth)[2, 2]), counted)


def noise_covariance(
    kind: Filter, level: int, observation: Observation, weights: Float64[np.ndarray, "weights 3 3"]
) -> Float64[np.ndarray, "weights weights _ _"]:
    """Covariance of linear combinations of the noise of nu at a pixel and its 8 neighbours.

    Parameters
    ----------
    kind, level
        Filter and its level.
    observation
        Region and shape noise.
    weights
        Weights of each combination, [y x].

    Returns
    -------
    Covariance at each pixel of the region; one pixel stands for all where depth is uniform.
    """
    region, noise = observation
    kernel = filter_kernel(kind, level)
    even = np.ones((len(kernel) + 2, len(kernel) + 2))
    depth = even if noise.depth is None else noise.weights(region, starlet_reach(level) + 1)
    lagged = lagged_covariance(kernel, 1, depth)
    rms, side = rms_of(lagged[2, 2]), lagged.shape[-1] - 2

    def at(offset: tuple[int, ...]) -> tuple[slice, slice]:
        y, x = offset
        return slice(y, y + side), slice(x, x + side)

    rows = weights.reshape(len(weights), 9)
    covariance = np.zeros((len(rows), len(rows), side, side))
    # pair by pair of pixels of the stencil, since the matrices of all pixels would take gigabytes
    for (i, first), (j, second) in product(enumerate(product(range(3), repeat=2)), repeat=2):
        lag = lagged[2 + second[0] - first[0], 2 + second[1] - first[1]]
        pair = lag[at(first)] / rms[at(first)] / rms[at(second)]
        for a, b in np.argwhere(np.outer(rows[:, i], rows[:, j])):
            covariance[a, b] += rows[a, i] * rows[b, j] * pair
    return covariance
