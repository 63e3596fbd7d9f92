from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.statistics.region_window import region_averages
from lenscast.statistics.statistic import Region

REGION = Region(pixels=24, field_deg=2.0, border=4)
EDGES = (200.0, 800.0, 1500.0, 2100.0)


def spectrum(ell):
    """Red, with as much power below the first mode of the region as in its bins."""
    return 1e-9 * (1 + (ell / 150.0) ** 2) ** -1.0


def test_region_averages_of_white_noise_are_its_power():
    white = region_averages(lambda ell: np.full_like(ell, 3e-10), REGION, EDGES)
    np.testing.assert_allclose(white, 3e-10, rtol=1e-12)


def test_region_averages_are_the_spectrum_convolved_with_the_square():
    side, extent, pixel = REGION.side, 4, REGION.pixel_radian
    sky = 2 * np.pi * np.fft.fftfreq(extent * side, pixel)
    own = 2 * np.pi * np.fft.fftfreq(side, pixel)
    kernel = np.exp(1j * (sky[:, None] - own)[..., None] * pixel * np.arange(side)).sum(axis=-1)
    weight = np.abs(kernel) ** 2 / (extent * side * side)
    power = np.einsum("ki,lj,kl->ij", weight, weight, spectrum(np.hypot(sky[:, None], sky)))
    ell = np.hypot(own[:, None], own)
    expected = [power[(ell >= low) & (ell < high)].mean() for low, high in pairwise(EDGES)]
    np.testing.assert_allclose(region_averages(spectrum, REGION, EDGES, extent), expected, rtol=1e-10)


def test_region_averages_are_the_mean_of_measured_spectra():
    statistic = PowerSpectrum("power_spectrum", REGION, 1, 1.0, EDGES)
    size = 4 * REGION.side
    frequency = 2 * np.pi * np.fft.fftfreq(size, REGION.pixel_radian)
    amplitude = np.sqrt(spectrum(np.hypot(frequency[:, None], frequency))) / REGION.pixel_radian
    noise = np.random.default_rng(3).standard_normal((600, size, size))
    fields = np.fft.ifft2(np.fft.fft2(noise) * amplitude).real[:, None, : REGION.pixels, : REGION.pixels]
    spectra = jax.vmap(lambda kappa: statistic.expected(kappa, jnp.zeros_like(kappa)))(jnp.array(fields, jnp.float32))
    spectra = np.asarray(spectra) - statistic.noise_mean[0]
    error = spectra.std(axis=0) / len(fields) ** 0.5
    # the sharp edge moves the first bin by a multiple of the error, so that its neglect would show
    assert np.all(np.abs(spectra.mean(axis=0) - region_averages(spectrum, REGION, EDGES)) < 4 * error)


def test_region_averages_refuse_multipoles_beyond_the_pixels():
    with pytest.raises(ValueError, match="above the pixels' Nyquist frequency"):
        region_averages(spectrum, REGION, (200.0, 9000.0))
