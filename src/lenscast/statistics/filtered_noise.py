"""Noise of filtered maps where depth varies, and which of their pixels count.

Convention: the noise before the filter has the variance v = 1 / depth per pixel, in units of the variance at nominal
depth, and 0 where masked. Two filtered values with kernels K_a and K_b then have the covariance
sum_p K_a(p) K_b(p) v(p), a convolution of v with products of shifted kernels. This is exact, and computed in double
precision. Squares of a kernel add up to 1, so that variances are in units of those at nominal depth.
"""

import numpy as np
from jaxtyping import Bool, Float64

__all__ = ["counted_pixels", "lagged_covariance", "rms_of"]

NO_SHARE = 1e-12
"""Share of a filter that counts as 0: Fourier transforms leave 1e-16, and tails of the kernel hold less than this."""


def counted_pixels(
    level: int,
    kernel: Float64[np.ndarray, "side side"],
    spacing: int,
    depth: Float64[np.ndarray, "y x"],
    max_masked: float,
) -> Bool[np.ndarray, "y2 x2"]:
    """True where masked pixels carry at most `max_masked` of the squared filter weights, neighbours included.

    Parameters
    ----------
    level
        Starlet level of the filter, for the error.
    kernel
        Kernel of the filter.
    spacing
        Distance of the 8 neighbours that have to count too [pixels]; 0 for none.
    depth
        Depth in the region and a frame as wide as half the kernel and the spacing.
    max_masked
        Largest share.

    Raises
    ------
    ValueError
        If no pixel counts.
    """
    share = _convolved((depth == 0).astype(float), kernel**2)
    side = len(share) - 2 * spacing
    starts = spacing * np.arange(3)
    highest = np.max([share[y : y + side, x : x + side] for y in starts for x in starts], axis=0)
    if highest.min() > max_masked + NO_SHARE:
        raise ValueError(
            f"masked pixels hold {highest.min():.2g} of the filter or more everywhere on starlet level {level}, above "
            f"max_masked = {max_masked:g}: raise it, or leave out the scale"
        )
    return np.asarray(highest <= max_masked + NO_SHARE)


def lagged_covariance(
    kernel: Float64[np.ndarray, "side side"], spacing: int, depth: Float64[np.ndarray, "y x"]
) -> Float64[np.ndarray, "5 5 y2 x2"]:
    """Noise covariance of each filtered pixel with those -2, ..., 2 spacings away along y and x.

    Two pixels of a stencil of 3 x 3 are at most 2 spacings apart along each axis.

    Parameters
    ----------
    kernel
        Kernel of the filter, symmetric.
    spacing
        Spacing [pixels].
    depth
        Depth of the survey, which the kernel fits into.
    """
    variance = np.where(depth > 0, 1 / np.where(depth > 0, depth, 1.0), 0.0)
    wide = np.pad(kernel, 2 * spacing)

    def at_lag(lag_y: int, lag_x: int) -> Float64[np.ndarray, "y x"]:
        y, x = (2 + lag_y) * spacing, (2 + lag_x) * spacing
        return _convolved(variance, kernel * wide[y : y + len(kernel), x : x + len(kernel)])

    return np.array([[at_lag(lag_y, lag_x) for lag_x in range(-2, 3)] for lag_y in range(-2, 3)])


def rms_of(variance: Float64[np.ndarray, "y x"]) -> Float64[np.ndarray, "y x"]:
    """Rms of the noise of filtered pixels, 1 where they have none."""
    return np.sqrt(np.where(variance > NO_SHARE, variance, 1.0))


def _convolved(
    values: Float64[np.ndarray, "y x"], kernel: Float64[np.ndarray, "side side"]
) -> Float64[np.ndarray, "y2 x2"]:
    """Convolution where the kernel fits, as `scipy.signal.fftconvolve` has it.

    Importing scipy.signal takes as long as importing JAX, which reading a config must not wait for.
    """
    product = np.fft.rfft2(values) * np.fft.rfft2(kernel, s=values.shape)
    first = len(kernel) - 1
    return np.fft.irfft2(product, s=values.shape)[first:, first:]
