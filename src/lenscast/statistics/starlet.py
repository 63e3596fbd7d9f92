"""Isotropic undecimated wavelet (starlet) with the B3 spline, on maps that are not periodic.

Conventions: c_0 is the map, c_j is c_(j-1) convolved with the B3 spline [1, 4, 6, 4, 1] / 16 along both axes, with
taps 2^(j-1) pixels apart, and level j = 1, 2, ... of the starlet holds w_j = c_(j-1) - c_j, whose scale is 2^j pixels.
Coefficients are normalised: divided by their rms response to white noise of unit rms, so that noise has the same rms
per pixel on every level. Coefficients that would need a pixel outside the map are not returned.

Reference: Starck, Fadili & Murtagh (2007), IEEE Transactions on Image Processing 16, 297, Sect. III.
"""

from collections.abc import Sequence

import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64

__all__ = [
    "noise_correlation",
    "noise_rms",
    "starlet",
    "starlet_kernel",
    "starlet_level",
    "starlet_reach",
    "starlet_transfer",
]

B3_SPLINE = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0


def starlet_level(scale_arcmin: float, pixel_arcmin: float) -> int:
    """Level j whose scale of 2^j pixels is `scale_arcmin` to 10 %: names of scales are rounded.

    Parameters
    ----------
    scale_arcmin : scale [arcmin].
    pixel_arcmin : side of a pixel [arcmin].

    Raises
    ------
    ValueError : if there is none.
    """
    level = max(1, round(float(np.log2(max(scale_arcmin / pixel_arcmin, 1.0)))))
    if abs(scale_arcmin / (2**level * pixel_arcmin) - 1) >= 0.1:
        allowed = ", ".join(f"{2**j * pixel_arcmin:.4g}" for j in range(1, 8))
        raise ValueError(
            f"no starlet scale of {scale_arcmin:g} arcmin on pixels of {pixel_arcmin:.4g} arcmin; choose one of "
            f"{allowed} ... arcmin, or other pixels"
        )
    return level


def starlet_reach(level: int) -> int:
    """Farthest pixel, along an axis, that a coefficient of level j depends on."""
    return 2 * (2**level - 1)


def starlet(maps: Float[Array, "*maps y x"], levels: Sequence[int]) -> tuple[Float[Array, "*maps _ _"], ...]:
    """Normalised coefficients of some levels, each on the pixels at least `starlet_reach` away from the edges.

    Parameters
    ----------
    maps : maps in any unit, which the coefficients have too.
    levels : levels j.
    """
    smooth = [maps]
    for j in range(max(levels)):
        smooth.append(_spline(_spline(smooth[-1], 2**j, -1), 2**j, -2))
    return tuple((_trim(smooth[j - 1], 2**j) - smooth[j]) / noise_rms(j) for j in levels)


def starlet_transfer(
    level: int, theta_y: Float64[np.ndarray, "*modes"], theta_x: Float64[np.ndarray, "*modes"]
) -> Float64[np.ndarray, "*modes"]:
    """Factor, between 0 and 1, by which c_(j-1) - c_j scales a Fourier mode; not normalised.

    Parameters
    ----------
    level : level j.
    theta_y, theta_x : phase between neighbouring pixels, ell times the pixel's side [rad].
    """

    def smoothing(steps: int) -> Float64[np.ndarray, "*modes"]:
        factors = [(np.cos(2**i * theta_y / 2) * np.cos(2**i * theta_x / 2)) ** 4 for i in range(steps)]
        return np.prod([np.ones_like(theta_y), *factors], axis=0)

    return smoothing(level - 1) - smoothing(level)


def starlet_kernel(level: int) -> Float64[np.ndarray, "y x"]:
    """Kernel of the normalised coefficients of level j, symmetric, `starlet_reach` pixels wide on each side.

    Its squares are the shares of the pixels in the variance of white noise: they add up to 1.
    """
    fine, coarse = _smoothing_kernel(level - 1), _smoothing_kernel(level)
    fine = np.pad(fine, (len(coarse) - len(fine)) // 2)
    return (np.outer(fine, fine) - np.outer(coarse, coarse)) / noise_rms(level)


def noise_rms(level: int) -> float:
    """Rms of c_(j-1) - c_j for white noise of unit rms, by which coefficients of level j are divided."""
    return float(np.sqrt(_noise_covariance(level)[0, 0]))


def noise_correlation(level: int) -> Float64[np.ndarray, "lag lag"]:
    """Correlation of the noise of two coefficients that are 0, 1, ... pixels apart along y and x; zero farther out."""
    covariance = _noise_covariance(level)
    return covariance / covariance[0, 0]


def _noise_covariance(level: int) -> Float64[np.ndarray, "lag lag"]:
    """Autocorrelation of the kernel of c_(j-1) - c_j, a difference of two products of kernels along the axes."""
    fine, coarse = _smoothing_kernel(level - 1), _smoothing_kernel(level)
    fine = np.pad(fine, (len(coarse) - len(fine)) // 2)

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


def _spline(maps: Float[Array, "*maps y x"], step: int, axis: int) -> Float[Array, "*maps _ _"]:
    """Convolution along one axis with the B3 spline, taps so many pixels apart, where all taps are in the map."""
    length = maps.shape[axis] - 4 * step
    far, near, centre, also_near, also_far = (
        lax.slice_in_dim(maps, i * step, i * step + length, axis=axis) for i in range(5)
    )
    outer, inner, middle = B3_SPLINE[:3].tolist()
    return outer * (far + also_far) + inner * (near + also_near) + middle * centre


def _trim(maps: Float[Array, "*maps y x"], width: int) -> Float[Array, "*maps _ _"]:
    """Maps without so many pixels on each side."""
    return maps[..., width:-width, width:-width]
