from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise
from lenscast.statistics.region_window import bandpower_windows

REGION = Region(pixels=24, field_deg=2.0, border=4)
EDGES = (200.0, 800.0, 1500.0, 2100.0)


ELL = np.linspace(0.0, 1.001 * np.sqrt(2) * np.pi / REGION.pixel_radian, 200)
# red, with as much power below the first mode of the region as in its bins
C_ELL = 1e-9 / (1 + (ELL / 150.0) ** 2)


def spectrum(ell):
    return np.interp(ell, ELL, C_ELL)


def seen(weights=None, extent=4):
    return bandpower_windows(ELL, REGION, EDGES, weights, extent) @ C_ELL


def test_windows_add_up_to_one():
    np.testing.assert_allclose(bandpower_windows(ELL, REGION, EDGES).sum(axis=1), 1, rtol=1e-12)


def test_windows_know_no_power_outside_their_multipoles():
    part = slice(40, 120)
    peak = np.zeros_like(ELL)
    peak[50:100] = C_ELL[50:100]
    narrow = bandpower_windows(ELL[part], REGION, EDGES) @ peak[part]
    np.testing.assert_allclose(narrow, bandpower_windows(ELL, REGION, EDGES) @ peak, rtol=1e-12)
    assert np.all(bandpower_windows(ELL[part], REGION, EDGES).sum(axis=1) < 1)


def test_seen_spectra_are_the_spectrum_convolved_with_the_square():
    side, extent, pixel = REGION.side, 4, REGION.pixel_radian
    sky = 2 * np.pi * np.fft.fftfreq(extent * side, pixel)
    own = 2 * np.pi * np.fft.fftfreq(side, pixel)
    kernel = np.exp(1j * (sky[:, None] - own)[..., None] * pixel * np.arange(side)).sum(axis=-1)
    weight = np.abs(kernel) ** 2 / (extent * side * side)
    power = np.einsum("ki,lj,kl->ij", weight, weight, spectrum(np.hypot(sky[:, None], sky)))
    ell = np.hypot(own[:, None], own)
    expected = [power[(ell >= low) & (ell < high)].mean() for low, high in pairwise(EDGES)]
    np.testing.assert_allclose(seen(extent=extent), expected, rtol=1e-10)


def test_seen_spectra_of_weights_are_the_spectrum_convolved_with_theirs(uneven_depth):
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
    np.testing.assert_allclose(seen(weights, extent), expected, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("uneven", [False, True])
def test_seen_spectra_are_the_mean_of_measured_spectra(uneven, uneven_depth):
    depth = uneven_depth(REGION.pixels)
    depth[::3, ::3] = 0  # a lattice of holes: bins move by many errors for any other mask
    noise = ShapeNoise((1.0,), depth if uneven else None)
    statistic, observation = PowerSpectrum(name="power_spectrum", ell_edges=EDGES), Observation(REGION, noise)
    size = 4 * REGION.side
    frequency = 2 * np.pi * np.fft.fftfreq(size, REGION.pixel_radian)
    amplitude = np.sqrt(spectrum(np.hypot(frequency[:, None], frequency))) / REGION.pixel_radian
    white = np.random.default_rng(3).standard_normal((600, size, size))
    fields = np.fft.ifft2(np.fft.fft2(white) * amplitude).real[:, None, : REGION.pixels, : REGION.pixels]
    expected = jax.vmap(lambda kappa: statistic.expected(kappa, jnp.zeros_like(kappa), observation))
    blank = jnp.zeros((1, REGION.pixels, REGION.pixels), jnp.float32)
    noise_mean = np.asarray(statistic.expected(blank, blank, observation))
    spectra = np.asarray(expected(jnp.array(fields, jnp.float32))) - noise_mean
    error = spectra.std(axis=0) / len(fields) ** 0.5
    # sharp edges and holes move bins by a multiple of the error, so that their neglect would show
    theory = seen(statistic.pixel_weight(observation))
    assert np.all(np.abs(spectra.mean(axis=0) - theory) < 4 * error)
    if uneven:
        square = seen()
        assert np.max(np.abs(spectra.mean(axis=0) - square) / error) > 12


def test_windows_refuse_multipoles_beyond_the_pixels():
    with pytest.raises(ValueError, match="above the pixels' Nyquist frequency"):
        bandpower_windows(ELL, REGION, (200.0, 9000.0))
