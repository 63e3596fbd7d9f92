"""A pixel and its 8 neighbours, and the noise of nu there: the same everywhere, or uneven.

Convention: nu is a starlet coefficient over the rms of its noise at that pixel. Where depth varies, the noise before
the filter has variance v = 1 / depth per pixel, in units of that of nominal depth, and 0 where masked; two coefficients
with kernels K_a and K_b then have covariance sum_p K_a(p) K_b(p) v(p), a convolution of v with products of shifted
kernels. All of that is exact, in double precision.

The mean over a part t of the noise (see `local_maxima`) needs a unit normal t = w n and c = C w, which is how much the
noise n of the stencil follows it, for the covariance C of each pixel. Even depth takes a contrast for w. Elsewhere a
contrast can make a neighbour follow t more than the centre does, and then a rise of t makes no peak; so w is taken that
gives the same c everywhere, but for a factor r: w = r C^-1 c and r = (c C^-1 c)^(-1/2), where c is that of even depth.
r is 1 there; among holes that mask 10 % of a map it is above 0.77 at nine of ten pixels that count.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import noise_correlation, starlet_kernel, starlet_reach

__all__ = ["CORNERS", "EDGES", "LocalNoise", "Stencil", "noise_stencil", "uneven_stencil"]

EDGES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
OFFSETS = np.array([(0, 0), *EDGES, *CORNERS])
NO_SHARE = 1e-12
"""Share of a filter that is none: Fourier transforms leave 1e-16, and tails of the kernel less than this."""

LARGEST_WEIGHT = 1e5
"""Beyond it single precision leaves less than 0.02 of t, and Fourier transforms 1e-6 of c."""


class LocalNoise(NamedTuple):
    """Noise of nu where depth varies (symbols of the module's docstring).

    `rms` is that of the normalised coefficients over that of nominal depth, on the region and the neighbours around it.
    On the region: `counted` tells where peaks count, `weights` is w, the centre first, and `response` is r.
    """

    rms: Float[Array | np.ndarray, "y2 x2"]
    counted: Bool[Array | np.ndarray, "y x"]
    weights: Float[Array | np.ndarray, "9 y x"]
    response: Float[Array | np.ndarray, "y x"]


class Stencil(NamedTuple):
    """A pixel and its 8 neighbours, and the noise of nu there.

    `spacing` is the distance of the neighbours [pixels]; `contrast` is the rms of the contrast, `centre` c_0, `edge`
    and `corner` c_0 - c_j for even depth; `curvature` is the rms of half the second difference of the noise along an
    axis. `local` is how this varies, None where depth is even.
    """

    spacing: int
    contrast: float
    centre: float
    edge: float
    corner: float
    curvature: float
    local: LocalNoise | None = None


def noise_stencil(level: int, spacing: int) -> Stencil:
    """Stencil with neighbours so many pixels away, for nu of level j and even depth."""
    correlation = noise_correlation(level)
    offsets = spacing * OFFSETS
    lag_y, lag_x = np.abs(offsets[:, None] - offsets[None]).transpose(2, 0, 1)
    covariance, weights = correlation[lag_y, lag_x], np.array([1.0] + [-1 / 8] * 8)
    contrast = sqrt(weights @ covariance @ weights)
    centre, edge, *_, corner = (covariance @ weights / contrast).tolist()
    assert centre > max(edge, corner, 0.0), "a pixel follows its contrast more than its neighbours do"
    curvature = sqrt(6 - 8 * correlation[0, spacing] + 2 * correlation[0, 2 * spacing]) / 2
    return Stencil(spacing, contrast, centre, centre - edge, centre - corner, curvature)


def uneven_stencil(level: int, spacing: int, region: Region, noise: ShapeNoise) -> Stencil:
    """Stencil of each pixel of a region, for nu of level j and the noise's own depth.

    A pixel counts if masked pixels hold at most `noise.max_masked` of the squared weights of the filter there, and at
    each of its neighbours.

    Parameters
    ----------
    level : level j.
    spacing : distance of the neighbours [pixels].
    region : where peaks are; filter and neighbours reach beyond it.
    noise : of the maps.

    Raises
    ------
    ValueError : if no pixel counts, or depth is so uneven that single precision does not tell neighbours apart.
    """
    stencil = noise_stencil(level, spacing)
    depth = noise.weights(region, margin=starlet_reach(level) + spacing)
    counted = _counted(level, spacing, depth, noise.max_masked)
    covariance = _lagged_covariance(level, spacing, depth)
    rms = np.sqrt(np.where(covariance[2, 2] > NO_SHARE, covariance[2, 2], 1.0))
    profile = stencil.centre - np.array([0.0] + 4 * [stencil.edge] + 4 * [stencil.corner])
    lag_y, lag_x = (OFFSETS[None] - OFFSETS[:, None] + 2).transpose(2, 0, 1)[..., None]
    weights, response = np.empty((9, *counted.shape)), np.empty(counted.shape)
    for row in range(region.side):  # all at once, matrices would take gigabytes
        y = row + spacing * (1 + OFFSETS[:, :1])
        x = np.arange(region.side) + spacing * (1 + OFFSETS[:, 1:])
        local = covariance[lag_y, lag_x, y[:, None], x[:, None]] / (rms[y, x][:, None] * rms[y, x])
        matrices = np.where(counted[row], local, np.eye(9)[..., None])
        solution = np.linalg.solve(np.moveaxis(matrices, -1, 0), profile[:, None])[..., 0]
        with np.errstate(invalid="ignore"):  # of a matrix that is singular to rounding; refused below
            response[row] = (solution @ profile) ** -0.5
        weights[:, row] = solution.T * response[row]
    if not np.abs(weights).max() < LARGEST_WEIGHT:
        raise ValueError(
            f"depth is too uneven for neighbours {spacing} pixels apart on starlet level {level}, whose noise hardly "
            "differs: choose statistics.peaks.stencil = scale, or mask the pixels of least depth"
        )
    arrays = (each.astype(np.float32) for each in (weights, response))
    return stencil._replace(local=LocalNoise(rms.astype(np.float32), counted, *arrays))


def _counted(
    level: int, spacing: int, depth: Float64[np.ndarray, "y x"], max_masked: float
) -> Bool[np.ndarray, "y2 x2"]:
    """Pixels at which, and at whose neighbours, masked ones hold so much of the squared weights of the filter."""
    share = _convolved((depth == 0).astype(float), starlet_kernel(level) ** 2)
    side = len(share) - 2 * spacing
    starts = spacing * (1 + OFFSETS)
    highest = np.max([share[y : y + side, x : x + side] for y, x in starts], axis=0)
    if highest.min() > max_masked + NO_SHARE:
        raise ValueError(
            f"masked pixels hold {highest.min():.2g} of the filter or more everywhere on starlet level {level}, above "
            f"max_masked = {max_masked:g}: raise it, or leave out the scale"
        )
    return np.asarray(highest <= max_masked + NO_SHARE)


def _lagged_covariance(level: int, spacing: int, depth: Float64[np.ndarray, "y x"]) -> Float64[np.ndarray, "5 5 y2 x2"]:
    """Noise covariance of the coefficients of each pixel and of those -2, ... 2 spacings away along y and x."""
    variance = np.where(depth > 0, 1 / np.where(depth > 0, depth, 1.0), 0.0)
    kernel = starlet_kernel(level)
    wide = np.pad(kernel, 2 * spacing)

    def at_lag(lag_y: int, lag_x: int) -> Float64[np.ndarray, "y x"]:
        y, x = (2 + lag_y) * spacing, (2 + lag_x) * spacing
        return _convolved(variance, kernel * wide[y : y + len(kernel), x : x + len(kernel)])

    return np.array([[at_lag(lag_y, lag_x) for lag_x in range(-2, 3)] for lag_y in range(-2, 3)])


def _convolved(
    values: Float64[np.ndarray, "y x"], kernel: Float64[np.ndarray, "side side"]
) -> Float64[np.ndarray, "y2 x2"]:
    """Convolution where the kernel fits: that of scipy.signal, without an import as long as that of JAX."""
    product = np.fft.rfft2(values) * np.fft.rfft2(kernel, s=values.shape)
    first = len(kernel) - 1
    return np.fft.irfft2(product, s=values.shape)[first:, first:]
