from itertools import pairwise

import numpy as np
import pytest

from lenscast.statistics.binning import Interval, fourier_modes, open_intervals

PIXEL = 1e-3


def test_open_intervals_leave_no_value_out():
    assert open_intervals([0.0, 1.0, 4.0]) == [
        Interval(None, 0.0, -0.5),
        Interval(0.0, 1.0, 0.5),
        Interval(1.0, 4.0, 2.5),
        Interval(4.0, None, 5.5),
    ]


@pytest.mark.parametrize("pixels", [32, 33])
def test_fourier_modes_average_over_the_whole_plane(pixels):
    edges = np.array([200.0, 500.0, 1100.0, 3000.0])
    power = np.abs(np.fft.fft2(np.random.default_rng(1).normal(size=(pixels, pixels)))) ** 2
    frequencies = 2 * np.pi * np.fft.fftfreq(pixels, PIXEL)
    ell = np.hypot(frequencies[:, None], frequencies)
    modes = fourier_modes(pixels, PIXEL, edges.tolist())
    half = power[:, : pixels // 2 + 1].ravel()[modes.flat_index]
    for number, (low, high) in enumerate(pairwise(edges)):
        mean = np.sum((modes.weight * half)[modes.bin == number])
        np.testing.assert_allclose(mean, power[(ell >= low) & (ell < high)].mean(), rtol=1e-13)
    np.testing.assert_array_equal(np.digitize(np.hypot(modes.ell_y, modes.ell_x), edges) - 1, modes.bin)


def test_fourier_modes_refuse_bins_beyond_the_pixels():
    with pytest.raises(
        ValueError, match="ell_edges end at 4000, above the pixels' Nyquist frequency 3142: lower the last"
    ):
        fourier_modes(32, PIXEL, [500.0, 4000.0])


def test_fourier_modes_refuse_a_bin_without_modes():
    match = "no Fourier mode has 20 <= ell < 100, they are 196 apart on this map; widen the bin or the map"
    with pytest.raises(ValueError, match=match):
        fourier_modes(32, PIXEL, [20.0, 100.0, 400.0])
