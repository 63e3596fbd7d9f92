"""Bandpower windows: the mean of measured power spectra, for fields whose spectrum is known.

A region that is not periodic mixes neighbouring multipoles: the Fourier modes of a square have power from all modes of
the sky within about a fundamental mode. For spectra as red as those of lensing that changes the lowest bins by some per
cent (see `power_spectrum`), and a mask changes all of them; theory that goes through the same square, and the same
weights, needs no tolerance for it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from lenscast.statistics.binning import fourier_modes
from lenscast.statistics.region import Region

__all__ = ["bandpower_windows"]


def bandpower_windows(
    ell: Float[np.ndarray, " ell"],
    region: Region,
    ell_edges: Sequence[float],
    weights: Float64[np.ndarray, "y x"] | None = None,
    extent: int = 4,
) -> Float[np.ndarray, "bin ell"]:
    """Expectation of the C_ell that `PowerSpectrum` measures on a region of an isotropic field is this matrix @ C(ell).

    Exact, for C(ell) that is linear between multipoles and none outside them, on a periodic sky so many times as wide
    as the region: each bin is a sum over lags of their covariance, times the products of weights over pairs of pixels
    at that lag, and so of the modes of that sky.

    Parameters
    ----------
    ell : multipoles at which the spectrum is known, increasing.
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
    window = np.ones((side, side)) if weights is None else weights / np.sqrt(np.mean(weights**2))
    pairs = np.fft.irfft2(np.abs(np.fft.rfft2(window, s=(2 * side, 2 * side))) ** 2)
    frequency = 2 * np.pi * np.fft.fftfreq(extent * side, pixel)
    of_sky = np.hypot(frequency[:, None], frequency).ravel()
    inside = (of_sky >= ell[0]) & (of_sky <= ell[-1])
    knot = np.clip(np.searchsorted(ell, of_sky[inside], side="right") - 1, 0, len(ell) - 2)
    upper = (of_sky[inside] - ell[knot]) / (ell[knot + 1] - ell[knot])
    lag = np.arange(-side, side)
    matrix = np.zeros((len(ell_edges) - 1, len(ell)))
    for index, row in enumerate(matrix):
        own = np.zeros((side, side // 2 + 1))
        chosen = modes.bin == index
        own.flat[modes.flat_index[chosen]] = modes.weight[chosen]
        # sum of the bin's modes at each lag; lags that differ by a side are one to them
        waves = np.fft.fft2(own, s=(side, side)).real
        on_sky = np.zeros((extent * side, extent * side))
        on_sky[np.ix_(lag, lag)] = np.tile(waves, (2, 2)) * pairs[np.ix_(lag, lag)]
        share = np.fft.fft2(on_sky).real.ravel()[inside] / (side * extent * side) ** 2
        row += np.bincount(knot, (1 - upper) * share, len(ell)) + np.bincount(knot + 1, upper * share, len(ell))
    return matrix
