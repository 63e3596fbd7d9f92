"""Isotropic undecimated wavelet (starlet) with the B3 spline, on maps that are not periodic.

Conventions: c_0 is the map, c_j is c_(j-1) convolved with the B3 spline [1, 4, 6, 4, 1] / 16 along both axes, with
taps 2^(j-1) pixels apart, and level j = 1, 2, ... of the starlet holds w_j = c_(j-1) - c_j, whose scale is 2^j pixels.
Coefficients are normalised: divided by their rms response to white noise of unit rms, so that noise has the same rms
per pixel on every level. Coefficients that would need a pixel outside the map are not returned. The smooth maps c_j,
normalised in the same way, are maps smoothed with a kernel of variance (4^j - 1) / 3 pixels^2 along each axis, which is
close to a Gaussian whose rms is 0.58 of the scale.

Reference: Starck, Fadili & Murtagh (2007), IEEE Transactions on Image Processing 16, 297, Sect. III.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Float64
from pydantic import Field

from lenscast.geometry import starlet_level, starlet_scale
from lenscast.sections.section import Ascending, Positive
from lenscast.statistics.region import Region

__all__ = [
    "ScalesArcmin",
    "noise_correlation",
    "noise_rms",
    "scale_problems",
    "smooth_rms",
    "smoothed",
    "smoothed_kernel",
    "starlet",
    "starlet_kernel",
    "starlet_transfer",
]

ScalesArcmin = Annotated[
    tuple[Positive, ...],
    Field(min_length=1, description="starlet scales, increasing, each 2^j pixels of the map within 10 % [arcmin]"),
    Ascending,
]
"""Scales of a statistic in the config."""

SMALLEST_REGION = (16, 0.25)
"""Least side of the region that a scale may leave: in pixels, and as a share of the side of the map."""

B3_SPLINE = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0


def scale_problems(
    scales_arcmin: Sequence[float], region: Region, reach: Callable[[int], int]
) -> Iterator[tuple[str, str]]:
    """Scales that are no level of the maps, that leave too little of them, or that are given twice.

    Parameters
    ----------
    scales_arcmin
        Scales in the config [arcmin].
    region
        Gives the pixels and the side of the maps.
    reach
        Farthest pixel that the statistic depends on, for a level.
    """
    pixels, (least, share) = region.pixels, SMALLEST_REGION
    allowed = [
        level for level in range(1, pixels.bit_length()) if pixels - 2 * reach(level) >= max(least, share * pixels)
    ]
    sizes = ", ".join(f"{starlet_scale(level, region.pixel_arcmin):.4g}" for level in allowed)
    advice = f"allowed: {sizes} arcmin" if allowed else "raise lightcone.pixels"
    used: dict[int, float] = {}
    for scale in scales_arcmin:
        try:
            level = starlet_level(scale, region.pixel_arcmin)
        except ValueError as error:
            yield "scales_arcmin", f"{error}; {advice}"
            continue
        if level not in allowed:
            yield (
                "scales_arcmin",
                f"{scale:g} arcmin reaches {reach(level)} pixels into the map from each side, which leaves "
                f"{max(0, pixels - 2 * reach(level))} of {pixels}; {advice}",
            )
        if level in used:
            yield "scales_arcmin", f"{used[level]:g} and {scale:g} arcmin are the same scale; keep one"
        used[level] = scale


def starlet(maps: Float[Any, "*maps y x"], levels: Sequence[int]) -> tuple[Float[Any, "*maps _ _"], ...]:
    """Normalised coefficients of some levels, each on the pixels at least `starlet_reach` away from the edges.

    Parameters
    ----------
    maps
        Maps in any unit, which the coefficients have too.
    levels
        Levels j.
    """
    smooth = _smooth_maps(maps, max(levels))
    return tuple((_trim(smooth[j - 1], 2**j) - smooth[j]) / noise_rms(j) for j in levels)


def smoothed(maps: Float[Any, "*maps y x"], levels: Sequence[int]) -> tuple[Float[Any, "*maps _ _"], ...]:
    """Normalised smooth maps c_j of some levels, on the same pixels as `starlet`.

    Parameters
    ----------
    maps
        Maps in any unit, which the smooth maps have too.
    levels
        Levels j.
    """
    smooth = _smooth_maps(maps, max(levels))
    return tuple(smooth[j] / smooth_rms(j) for j in levels)


def starlet_transfer(
    level: int, theta_y: Float64[np.ndarray, "*modes"], theta_x: Float64[np.ndarray, "*modes"]
) -> Float64[np.ndarray, "*modes"]:
    """Factor, between 0 and 1, by which c_(j-1) - c_j multiplies a Fourier mode; not normalised.

    Parameters
    ----------
    level
        Level j.
    theta_y, theta_x
        Phase between neighbouring pixels, ell times the side of a pixel [rad].
    """

    def smoothing(steps: int) -> Float64[np.ndarray, "*modes"]:
        # factor from c_0 to c_steps: the B3 spline has the transfer function cos(theta / 2)^4 along an axis
        factors = [(np.cos(2**i * theta_y / 2) * np.cos(2**i * theta_x / 2)) ** 4 for i in range(steps)]
        return np.prod([np.ones_like(theta_y), *factors], axis=0)

    return smoothing(level - 1) - smoothing(level)


def starlet_kernel(level: int) -> Float64[np.ndarray, "y x"]:
    """Kernel of the normalised coefficients of level j, symmetric, `starlet_reach` pixels wide on each side.

    Its squares are the shares of the pixels in the variance of white noise, and add up to 1.
    """
    fine, coarse = _smoothing_kernel(level - 1), _smoothing_kernel(level)
    fine = np.pad(fine, (len(coarse) - len(fine)) // 2)
    return (np.outer(fine, fine) - np.outer(coarse, coarse)) / noise_rms(level)


def smoothed_kernel(level: int) -> Float64[np.ndarray, "y x"]:
    """Kernel of the normalised smooth map c_j, as wide as that of `starlet_kernel`; its squares add up to 1."""
    kernel = _smoothing_kernel(level)
    return np.outer(kernel, kernel) / smooth_rms(level)


def smooth_rms(level: int) -> float:
    """Rms of c_j for white noise of unit rms; normalised smooth maps are divided by it."""
    return float(np.sum(_smoothing_kernel(level) ** 2))


def noise_rms(level: int) -> float:
    """Rms of c_(j-1) - c_j for white noise of unit rms; normalised coefficients are divided by it."""
    return float(np.sqrt(_noise_covariance(level)[0, 0]))


def noise_correlation(level: int) -> Float64[np.ndarray, "lag lag"]:
    """Correlation of the noise of two coefficients that are 0, 1, ... pixels apart along y and x.

    The table ends where the correlation is 0.
    """
    covariance = _noise_covariance(level)
    return covariance / covariance[0, 0]


def _noise_covariance(level: int) -> Float64[np.ndarray, "lag lag"]:
    """Autocorrelation of the kernel of c_(j-1) - c_j."""
    fine, coarse = _smoothing_kernel(level - 1), _smoothing_kernel(level)
    fine = np.pad(fine, (len(coarse) - len(fine)) // 2)

    # The kernel is f(y) f(x) - c(y) c(x) with the fine kernel f and the coarse kernel c along one axis. Its
    # autocorrelation has four such products, each the outer product of correlations along the axes.
    def lags(first: Float64[np.ndarray, " tap"], second: Float64[np.ndarray, " tap"]) -> Float64[np.ndarray, "lag lag"]:
        along = np.correlate(first, second, "full")[len(coarse) - 1 :]
        return np.outer(along, along)

    return lags(fine, fine) - 2 * lags(fine, coarse) + lags(coarse, coarse)


def _smoothing_kernel(level: int) -> Float64[np.ndarray, " tap"]:
    """Kernel along one axis that takes c_0 to c_j."""
    kernel = np.ones(1)
    for i in range(level):
        dilated = np.zeros(4 * 2**i + 1)
        dilated[:: 2**i] = B3_SPLINE
        kernel = np.convolve(kernel, dilated)
    return kernel


def _smooth_maps(maps: Float[Any, "*maps y x"], level: int) -> list[Float[Any, "*maps _ _"]]:
    """Smooth maps c_0, c_1, ... up to a level."""
    smooth = [maps]
    for j in range(level):
        smooth.append(_spline(_spline(smooth[-1], 2**j, -1), 2**j, -2))
    return smooth


def _spline(maps: Float[Any, "*maps y x"], step: int, axis: int) -> Float[Any, "*maps _ _"]:
    """Convolution along one axis with the B3 spline, taps `step` pixels apart, where all taps are in the map."""
    from jax import lax

    length = maps.shape[axis] - 4 * step
    far, near, centre, also_near, also_far = (
        lax.slice_in_dim(maps, i * step, i * step + length, axis=axis) for i in range(5)
    )
    outer, inner, middle = B3_SPLINE[:3].tolist()
    return outer * (far + also_far) + inner * (near + also_near) + middle * centre


def _trim(maps: Float[Any, "*maps y x"], width: int) -> Float[Any, "*maps _ _"]:
    """Maps without a frame of `width` pixels."""
    return maps[..., width:-width, width:-width]
