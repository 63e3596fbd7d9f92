"""The mean of measured power spectra, for a field whose spectrum is known.

A region that is not periodic mixes neighbouring multipoles: the Fourier modes of a square have power from all modes of
the sky within about a fundamental mode. For spectra as red as those of lensing that changes the lowest bins by some per
cent (see `power_spectrum`); theory that goes through the same square, and the same weights, needs no tolerance for it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Float64

from lenscast.statistics.binning import fourier_modes
from lenscast.statistics.region import Region

__all__ = ["region_averages"]


def region_averages(
    spectrum: Callable[[Float[np.ndarray, "y x"]], Float[np.ndarray, "y x"]],
    region: Region,
    ell_edges: Sequence[float],
    weights: Float64[np.ndarray, "y x"] | None = None,
    extent: int = 4,
) -> Float[np.ndarray, " ell"]:
    """Expectation of the C_ell that `PowerSpectrum` measures on a region of an isotropic field, in bins of ell [sr].

    Exact for a periodic sky so many times as wide as the region: the covariance at each lag, times the sum of products
    of weights over pairs of pixels at that lag, transformed back. Power beyond the Nyquist frequency of the pixels is
    taken to be none.

    Parameters
    ----------
    spectrum : C_ell [sr] at multipoles, 0 among them.
    region : square that is measured.
    ell_edges : edges of the bins.
    weights : of the pixels, `ShapeNoise.weights`; the same for all by default.
    extent : side of the periodic sky, in sides of the region.

    Raises
    ------
    ValueError : as `fourier_modes`.
    """
    side, pixel = region.side, region.pixel_radian
    modes = fourier_modes(side, pixel, ell_edges)
    size = extent * side
    ell_y, ell_x = 2 * np.pi * np.fft.fftfreq(size, pixel), 2 * np.pi * np.fft.rfftfreq(size, pixel)
    covariance = np.fft.irfft2(spectrum(np.hypot(ell_y[:, None], ell_x)), s=(size, size)) / pixel**2
    lag = np.arange(-side, side)
    window = np.ones((side, side)) if weights is None else weights / np.sqrt(np.mean(weights**2))
    pairs = np.fft.irfft2(np.abs(np.fft.rfft2(window, s=(2 * side, 2 * side))) ** 2)
    at_lag = covariance[np.ix_(lag, lag)] * pairs[np.ix_(lag, lag)]
    folded = at_lag.reshape(2, side, 2, side).sum(axis=(0, 2))  # lags that differ by a side are one to its modes
    power = np.fft.rfft2(folded).real.ravel() * (pixel / side) ** 2
    return np.bincount(modes.bin, modes.weight * power[modes.flat_index])
