"""Bandpower windows: the mean of measured power spectra, for fields whose spectrum is known.

A region that is not periodic mixes neighbouring multipoles: a Fourier mode of a square receives power from all modes of
the sky within about one fundamental mode of the square. The spectra of lensing are so red that this changes the lowest
bins by some per cent (see `power_spectrum`); a mask changes all bins. Theory that goes through the same square and the
same weights needs no tolerance for this mixing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int

from lenscast.statistics.binning import fourier_modes
from lenscast.statistics.region import Region

__all__ = ["bandpower_windows", "mode_waves", "pixel_pairs"]


def bandpower_windows(
    ell: Float[np.ndarray, " ell"],
    region: Region,
    ell_edges: Sequence[float],
    weights: Float64[np.ndarray, "y x"] | None = None,
    extent: int = 4,
) -> Float[np.ndarray, "bin ell"]:
    """Matrix W with <C_b> = sum_ell W(b, ell) C(ell) for the C_b that `PowerSpectrum` measures of an isotropic field.

    The matrix is exact on a periodic sky `extent` times as wide as the region, for a spectrum C(ell) that is linear
    between the given multipoles and 0 outside them.

    Parameters
    ----------
    ell
        Multipoles at which the spectrum is known, increasing.
    region
        Square that is measured.
    ell_edges
        Edges of the bins.
    weights
        Weights of the pixels of the region, `ShapeNoise.weights`; by default all pixels weigh the same.
    extent
        Side of the periodic sky, in sides of the region.

    Raises
    ------
    ValueError
        If the bins do not fit the region, as for `fourier_modes`.

    Notes
    -----
    With the weights w of the pixels and the covariance xi of the field, each bin is a sum over lags d,

        <C_b> ~ sum_d xi(d) [sum_x w(x) w(x + d)] [sum over modes of b of cos(ell d)],

    and xi is the Fourier transform of C(ell) on the periodic sky.
    """
    side, pixel = region.side, region.pixel_radian
    modes = fourier_modes(side, pixel, ell_edges)
    frequency = 2 * np.pi * np.fft.fftfreq(extent * side, pixel)
    of_sky = np.hypot(frequency[:, None], frequency).ravel()
    inside = (of_sky >= ell[0]) & (of_sky <= ell[-1])
    knot = np.clip(np.searchsorted(ell, of_sky[inside], side="right") - 1, 0, len(ell) - 2)
    upper = (of_sky[inside] - ell[knot]) / (ell[knot + 1] - ell[knot])
    lag = np.arange(-side, side)
    matrix = np.zeros((len(ell_edges) - 1, len(ell)))
    pairs = pixel_pairs(np.ones((side, side)) if weights is None else weights / np.sqrt(np.mean(weights**2)))
    for index, row in enumerate(matrix):
        chosen = modes.bin == index
        on_sky = np.zeros((extent * side, extent * side))
        on_sky[np.ix_(lag, lag)] = pairs * mode_waves(side, modes.flat_index[chosen], modes.weight[chosen])
        share = np.fft.fft2(on_sky).real.ravel()[inside] / (side * extent * side) ** 2
        # linear interpolation between multipoles: each mode of the sky divides its share between two of them
        row += np.bincount(knot, (1 - upper) * share, len(ell)) + np.bincount(knot + 1, upper * share, len(ell))
    return matrix


def pixel_pairs(weights: Float64[np.ndarray, "y x"]) -> Float64[np.ndarray, "lag lag"]:
    """Sum over x of w(x) w(x + d), at the lags d from -side to side - 1 along y and x.

    Parameters
    ----------
    weights
        Weight w of each pixel of a square.
    """
    side = len(weights)
    # zeros as wide as the region keep lags from wrapping around
    pairs = np.fft.irfft2(np.abs(np.fft.rfft2(weights, s=(2 * side, 2 * side))) ** 2)
    return np.asarray(np.fft.fftshift(pairs))


def mode_waves(
    side: int, flat_index: Int[np.ndarray, " mode"], weight: Float64[np.ndarray, " mode"]
) -> Float64[np.ndarray, "lag lag"]:
    """Weighted sum of cos(ell d) over modes of a square, at the lags d from -side to side - 1 along y and x.

    Parameters
    ----------
    side
        Pixels per side of the square.
    flat_index
        Modes, by their index in the flattened real Fourier transform of the square.
    weight
        Weight of each.
    """
    own = np.zeros((side, side // 2 + 1))
    own.flat[flat_index] = weight
    # modes of the square do not tell lags apart that differ by a side
    return np.tile(np.fft.fft2(own, s=(side, side)).real, (2, 2))
