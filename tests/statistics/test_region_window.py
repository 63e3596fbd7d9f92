from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.statistics.region import Region
from lenscast.statistics.region_window import region_averages
from lenscast.statistics.shape_noise import ShapeNoise

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
    np.testing.assert_allclose(region_averages(spectrum, REGION, EDGES, extent=extent), expected, rtol=1e-10)


def test_region_averages_of_weights_are_the_spectrum_convolved_with_theirs(uneven_depth):
    side, extent, pixel = REGION.side, 4, REGION.pixel_radian
    weights = REGION.crop(uneven_depth(REGION.pixels))
    sky = 2 * np.pi * np.fft.fftfreq(extent * side, pixel)
    own = 2 * np.pi * np.fft.fftfreq(side, pixel)
    wave = np.exp(1j * (sky[:, None] - own)[..., None] * pixel * np.arange(side))
    kernel = np.abs(np.einsum("yx,kiy,ljx->kilj", weights, wave, wave, optimize=True)) ** 2
    kernel /= extent**2 * side**2 * np.sum(weights**2)
    power = np.einsum("kilj,kl->ij", kernel, spectrum(np.hypot(sky[:, None], sky)))
    ell = np.hypot(own[:, None], own)
    expected = [power[(ell >= low) & (ell < high)].mean() for low, high in pairwise(EDGES)]
    np.testing.assert_allclose(region_averages(spectrum, REGION, EDGES, weights, extent), expected, rtol=1e-10)


@pytest.mark.parametrize("uneven", [False, True])
def test_region_averages_are_the_mean_of_measured_spectra(uneven, uneven_depth):
    noise = ShapeNoise((1.0,), uneven_depth(REGION.pixels) if uneven else None)
    statistic = PowerSpectrum("power_spectrum", REGION, noise, EDGES)
    size = 4 * REGION.side
    frequency = 2 * np.pi * np.fft.fftfreq(size, REGION.pixel_radian)
    amplitude = np.sqrt(spectrum(np.hypot(frequency[:, None], frequency))) / REGION.pixel_radian
    white = np.random.default_rng(3).standard_normal((600, size, size))
    fields = np.fft.ifft2(np.fft.fft2(white) * amplitude).real[:, None, : REGION.pixels, : REGION.pixels]
    spectra = jax.vmap(lambda kappa: statistic.expected(kappa, jnp.zeros_like(kappa)))(jnp.array(fields, jnp.float32))
    spectra = np.asarray(spectra) - statistic.noise_mean.ravel()
    error = spectra.std(axis=0) / len(fields) ** 0.5
    # sharp edges and holes move bins by a multiple of the error, so that their neglect would show
    theory = region_averages(spectrum, REGION, EDGES, statistic.weights)
    assert np.all(np.abs(spectra.mean(axis=0) - theory) < 4 * error)
    if uneven:
        square = region_averages(spectrum, REGION, EDGES)
        assert np.max(np.abs(spectra.mean(axis=0) - square) / error) > 8


def test_region_averages_refuse_multipoles_beyond_the_pixels():
    with pytest.raises(ValueError, match="above the pixels' Nyquist frequency"):
        region_averages(spectrum, REGION, (200.0, 9000.0))
