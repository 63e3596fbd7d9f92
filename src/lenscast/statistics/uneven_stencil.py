"""The noise of nu on the stencil of each pixel where depth varies.

Convention: nu, t, w, c and C are those of `stencil`. The noise before the filter has the variance v = 1 / depth per
pixel, in units of the variance at nominal depth, and 0 where masked. `filtered_noise` has the covariance of
two coefficients.

Here a contrast of the noise can make a neighbour respond more than the centre does; a rise of t then makes no peak. So
the weights w are those that give the response c of even depth up to a factor r, w = r C^-1 c with
r = (c C^-1 c)^(-1/2). The factor r is 1 where depth is even. Among holes that mask 10 % of a map it is above 0.77 at
nine of ten pixels that count.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from lenscast.geometry import starlet_reach
from lenscast.statistics.filtered_noise import counted_pixels, lagged_covariance, rms_of
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet_kernel
from lenscast.statistics.stencil import OFFSETS, LocalNoise, Stencil, noise_stencil

__all__ = ["RowOfStencils", "uneven_rows", "uneven_stencil"]

LARGEST_WEIGHT = 1e5
"""Largest weight w: single precision leaves an error of 0.02 in t there, and Fourier transforms leave 1e-6 in c."""


class RowOfStencils(NamedTuple):
    """Noise of nu on the stencils of a row of pixels, in double precision; symbols as in the docstring of the module.

    Attributes
    ----------
    covariance
        Covariance C of the noise over its rms; the identity where a pixel does not count.
    weights
        Weights w of the part t of the noise.
    response
        Factor r.
    """

    covariance: Float64[np.ndarray, "x 9 9"]
    weights: Float64[np.ndarray, "x 9"]
    response: Float64[np.ndarray, " x"]


def uneven_stencil(level: int, spacing: int, region: Region, noise: ShapeNoise) -> Stencil:
    """Stencil of each pixel of a region, for the depth of the survey.

    A pixel counts where masked pixels carry at most `noise.max_masked` of the squared filter weights, at the pixel and
    at its 8 neighbours.

    Parameters
    ----------
    level
        Starlet level j of nu.
    spacing
        Distance of the neighbours [pixels].
    region
        Region in which peaks are counted; filter and neighbours reach beyond it.
    noise
        Shape noise of the maps, with a depth.

    Raises
    ------
    ValueError
        If no pixel counts, or if depth is so uneven that single precision does not tell neighbours apart.
    """
    stencil = noise_stencil(level, spacing)
    depth = noise.weights(region, margin=starlet_reach(level) + spacing)
    kernel = starlet_kernel(level)
    counted = counted_pixels(level, kernel, spacing, depth, noise.max_masked)
    covariance = lagged_covariance(kernel, spacing, depth)
    rms = rms_of(covariance[2, 2])
    weights, response = np.empty((9, *counted.shape)), np.empty(counted.shape)
    for y, row in enumerate(_rows(stencil, covariance, counted)):
        weights[:, y], response[y] = row.weights.T, row.response
    if not np.abs(weights).max() < LARGEST_WEIGHT:
        raise ValueError(
            f"depth is too uneven for neighbours {spacing} pixels apart on starlet level {level}, whose noise hardly "
            "differs: choose statistics.peaks.stencil = scale, or mask the pixels of least depth"
        )
    arrays = (each.astype(np.float32) for each in (weights, response))
    return stencil._replace(local=LocalNoise(rms.astype(np.float32), counted, *arrays))


def uneven_rows(level: int, stencil: Stencil, region: Region, noise: ShapeNoise) -> Iterator[RowOfStencils]:
    """Noise on the stencils of a region, row by row, since the matrices of all pixels would take gigabytes.

    Parameters
    ----------
    level
        Starlet level j of nu.
    stencil
        Made by `uneven_stencil` for this level, region and noise.
    region
        Region in which peaks are counted.
    noise
        Shape noise of the maps, with a depth.
    """
    assert stencil.local is not None, "depth is uneven"
    depth = noise.weights(region, margin=starlet_reach(level) + stencil.spacing)
    covariance = lagged_covariance(starlet_kernel(level), stencil.spacing, depth)
    yield from _rows(stencil, covariance, np.asarray(stencil.local.counted))


def _rows(
    stencil: Stencil, covariance: Float64[np.ndarray, "5 5 y2 x2"], counted: Bool[np.ndarray, "y x"]
) -> Iterator[RowOfStencils]:
    """Noise on the stencils of each row, from the covariance by lag."""
    rms, profile = rms_of(covariance[2, 2]), stencil.profile
    lag_y, lag_x = (OFFSETS[None] - OFFSETS[:, None] + 2).transpose(2, 0, 1)[..., None]
    for row, counted_of_row in enumerate(counted):
        y = row + stencil.spacing * (1 + OFFSETS[:, :1])
        x = np.arange(len(counted_of_row)) + stencil.spacing * (1 + OFFSETS[:, 1:])
        local = covariance[lag_y, lag_x, y[:, None], x[:, None]] / (rms[y, x][:, None] * rms[y, x])
        matrices = np.moveaxis(np.where(counted_of_row, local, np.eye(9)[..., None]), -1, 0)
        solution = np.linalg.solve(matrices, profile[:, None])[..., 0]
        # rounding can give the square root a negative argument where a matrix is almost singular; then weights are NaN
        with np.errstate(invalid="ignore"):
            response = (solution @ profile) ** -0.5
        yield RowOfStencils(matrices, solution * response[:, None], response)
