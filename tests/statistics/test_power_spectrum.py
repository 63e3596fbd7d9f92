from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.geometry import starlet_scale
from lenscast.sections.errors import ConfigError
from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise, StarletPowerSpectrum
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.starlet import starlet_transfer

EDGES = (300.0, 700.0, 1200.0, 2000.0, 3500.0)
SIGMA = 0.05
LEVELS = (3, 4)


def statistic(pixels, border=0, n_sources=1, levels=None, depth=None):
    """A spectrum, of starlet scales where levels are given, and the observation of maps of this many pixels."""
    region = Region(pixels, pixels * 5.0 / 256, border)
    observation = Observation(region, ShapeNoise((SIGMA, 2 * SIGMA, SIGMA)[:n_sources], depth))
    if levels is None:
        return PowerSpectrum(name="power_spectrum", ell_edges=EDGES), observation
    scales = tuple(starlet_scale(level, region.pixel_arcmin) for level in levels)
    return StarletPowerSpectrum(name="starlet_power_spectrum", scales_arcmin=scales, ell_edges=EDGES), observation


@partial(jax.jit, static_argnums=0)
def spectra_of(measure, kappa):
    spectra, observation = measure
    return spectra.measured(kappa, jnp.zeros_like(kappa), observation)


@partial(jax.jit, static_argnums=0)
def sample_of(measure, kappa, noise):
    """Measured spectra of each pair of signal and noise."""
    spectra, observation = measure
    return jax.lax.map(lambda each: spectra.measured(*each, observation), (kappa, noise))


def noise_mean(measure):
    """Mean spectra of the noise: what is expected of maps without signal."""
    spectra, observation = measure
    blank = jnp.zeros((observation.noise.sources, observation.region.pixels, observation.region.pixels))
    return spectra.expected(blank, blank, observation)


def truth(measure, spectrum):
    """Mean of a spectrum, times the squared transfer functions, over the modes of each bin, on the full plane."""
    spectra, (region, _) = measure
    pixel, side, levels = region.pixel_radian, region.side, spectra.levels(region.pixel_arcmin)
    frequencies = 2 * np.pi * np.fft.fftfreq(side, pixel)
    ell_y, ell_x = np.meshgrid(frequencies, frequencies, indexing="ij")
    number = np.digitize(np.hypot(ell_y, ell_x), EDGES) - 1
    bands = (
        [1.0] if levels is None else [starlet_transfer(level, ell_y * pixel, ell_x * pixel) ** 2 for level in levels]
    )
    power = spectrum(np.hypot(ell_y, ell_x))
    return np.array([(power * band)[number == i].mean() for band in bands for i in range(len(EDGES) - 1)])


@pytest.mark.parametrize("levels", [None, LEVELS])
def test_power_spectrum_of_a_periodic_map_is_the_spectrum_it_was_made_from(levels, spectrum, amplitude):
    measure = statistic(128, levels=levels)
    # modes of random phase, all of the rms modulus: no sample variance
    phases = np.fft.rfft2(np.random.default_rng(2).normal(size=(128, 128)))
    kappa = np.fft.irfft2(128 * amplitude(128) * phases / np.abs(phases), s=(128, 128))[None]
    measured = spectra_of(measure, jnp.asarray(kappa, jnp.float32))
    assert measured.dtype == jnp.float64
    # the map is in single precision, 1e-7 of a mode of the largest power
    np.testing.assert_allclose(measured, truth(measure, spectrum), rtol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("levels", [None, LEVELS])
def test_power_spectrum_of_a_map_that_is_not_periodic_is_unbiased(levels, spectrum, gaussian_map):
    measure = statistic(128, border=15, levels=levels)
    keys = jax.random.split(jax.random.key(3), 24)
    whole = jax.lax.map(lambda key: gaussian_map(key, 512), keys)
    maps = whole.reshape(-1, 4, 128, 4, 128).swapaxes(2, 3).reshape(-1, 1, 128, 128)
    sample = np.asarray(sample_of(measure, maps, jnp.zeros_like(maps)))
    error = sample.std(axis=0) / np.sqrt(len(sample))
    deviation = np.abs(sample.mean(axis=0) - truth(measure, spectrum))
    # the fundamental mode is 188; sharp edges cost 2 % in the first bin, below four times that, and 1 % in others
    floor = np.tile([0.02, 0.01, 0.01, 0.01], len(sample[0]) // 4) * truth(measure, spectrum)
    assert np.all(deviation < floor + 3 * error), deviation / truth(measure, spectrum)


def test_power_spectrum_of_an_uneven_map_is_that_of_the_weighted_map(uneven_depth, gaussian_map):
    measure = statistic(96, border=5, levels=LEVELS, depth=uneven_depth(96))
    kappa = gaussian_map(jax.random.key(12), 96)
    weighted = np.asarray(kappa, float)[5:-5, 5:-5] * uneven_depth(96)[5:-5, 5:-5]
    power = np.abs(np.fft.fft2(weighted)) ** 2 * measure[1].region.pixel_radian ** 2
    power /= np.sum(uneven_depth(96)[5:-5, 5:-5] ** 2)

    def on_plane(ell):
        assert ell.shape == power.shape
        return power

    np.testing.assert_allclose(spectra_of(measure, kappa[None]), truth(measure, on_plane), rtol=1e-6)


@pytest.mark.parametrize("levels", [None, LEVELS])
def test_power_spectrum_of_a_map_of_depth_one_is_that_without_one(levels, gaussian_map):
    kappa = jnp.stack([gaussian_map(jax.random.key(seed), 96) for seed in (13, 14)])
    even, ones = (statistic(96, 4, 2, levels, depth) for depth in (None, np.ones((96, 96))))
    expected = [spectra.expected(kappa, kappa, observation) for spectra, observation in (even, ones)]
    # other programs, of float32 maps
    np.testing.assert_allclose(*expected, rtol=1e-6, atol=1e-6 * np.abs(expected[1]).max())
    # a survey of twice the depth has half the noise power, whatever its mask
    half = statistic(96, 4, 2, levels, 2 * np.tile([0.0, 1.0], (96, 48)))
    np.testing.assert_allclose(noise_mean(half), noise_mean(ones) / 2, rtol=1e-12)


def test_power_spectra_of_all_pairs_are_bilinear(gaussian_map):
    first, second = (gaussian_map(jax.random.key(seed), 64) for seed in (4, 5))
    measure = statistic(64, border=4, n_sources=3)
    pairs = spectra_of(measure, jnp.stack([first, 2 * first, second])).reshape(6, -1)
    assert source_pairs(3) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    np.testing.assert_allclose(pairs[1], 2 * pairs[0], rtol=1e-6)
    np.testing.assert_allclose(pairs[3], 4 * pairs[0], rtol=1e-6)
    np.testing.assert_allclose(pairs[4], 2 * pairs[2], rtol=1e-6)
    # sum and difference of two maps give their cross spectrum
    single = statistic(64, border=4)
    plus, minus = (spectra_of(single, (first + sign * second)[None]) for sign in (1, -1))
    np.testing.assert_allclose(pairs[2], (plus - minus) / 4, atol=1e-6 * np.max(plus))


@pytest.mark.slow
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("levels", [None, LEVELS])
def test_power_spectrum_expected_is_the_mean_of_measured(levels, uneven, gaussian_map, uneven_depth, probability):
    measure = statistic(96, border=6, n_sources=2, levels=levels, depth=uneven_depth(96) if uneven else None)
    spectra, observation = measure
    kappa = jnp.stack([gaussian_map(jax.random.key(seed), 96) for seed in (6, 7)])
    noise = observation.noise.rms_maps()[None] * jax.random.normal(jax.random.key(8), (400, 2, 96, 96), jnp.float32)
    sample = np.asarray(sample_of(measure, jnp.broadcast_to(kappa, noise.shape), noise))
    # what one of 10 000 seeds gives
    assert probability(sample - np.asarray(spectra.expected(kappa, noise[0], observation))) > 1e-4


@pytest.mark.parametrize("uneven", [False, True])
def test_power_spectrum_is_differentiable_in_both_modes(uneven, assert_derivatives, uneven_depth):
    depth = uneven_depth(48) if uneven else None
    spectra, observation = statistic(48, border=2, n_sources=2, levels=(2, 3), depth=depth)
    maps, direction, noise = SIGMA * jax.random.normal(jax.random.key(9), (3, 2, 48, 48))
    # central differences of a quadratic function are exact
    for function in (spectra.expected, spectra.measured):
        assert_derivatives(lambda kappa, f=function: f(kappa, noise, observation), maps, direction, step=1.0, rtol=1e-9)


def test_power_spectrum_names_its_bins():
    measure = statistic(128, n_sources=2, levels=LEVELS)
    bins = measure[0].bins(measure[1])
    assert len(bins) == 2 * 3 * 4 == len(spectra_of(measure, jnp.zeros((2, 128, 128))))
    assert bins[5] == {
        "statistic": "starlet_power_spectrum",
        "source_1": 0,
        "source_2": 1,
        "scale_arcmin": 9.375,
        "low": 700.0,
        "high": 1200.0,
        "centre": bins[5]["centre"],
        "unit": "sr",
    }
    assert [each["scale_arcmin"] for each in bins[::12]] == [9.375, 18.75]
    assert all(each["low"] < each["centre"] < each["high"] for each in bins)
    plain, observation = statistic(128)
    assert {each["scale_arcmin"] for each in plain.bins(observation)} == {None}


@pytest.mark.parametrize("edges", [[1.0], [1.0, 1.0], [2.0, 1.0, 3.0], [-1.0, 3.0]])
def test_power_spectrum_refuses_edges_that_do_not_increase_from_above_0(edges):
    with pytest.raises(ConfigError, match=r"\.power_spectrum\.ell_edges"):
        statistics_from_config({"power_spectrum": {"ell_edges": edges}})


def test_power_spectrum_says_which_bins_the_maps_do_not_have():
    spectra = PowerSpectrum(name="power_spectrum", ell_edges=(20.0, 50.0, 900.0, 20000.0))
    region = Region(96, 96 * 5.0 / 256, 0)
    problems = list(spectra.problems(region))
    assert [key for key, _ in problems] == ["ell_edges", "ell_edges"]
    assert problems[0][1].startswith("ell = 20000 is not resolved by pixels of 1.172 arcmin; end at ell = 9216")
    assert "no mode in 20 <= ell < 50: modes of the 96 pixels inside the border are 192 apart" in problems[1][1]
    starlet = StarletPowerSpectrum(name="starlet", scales_arcmin=(7.0,), ell_edges=(300.0, 900.0))
    ((key, text),) = starlet.problems(region)
    assert key == "scales_arcmin"
    assert "7 arcmin is not 2^j pixels of 1.172 arcmin" in text
