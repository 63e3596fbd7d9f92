"""Estimates with noise of stencils compared with those with maps of noise, and with hard counts."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.fisher.derivatives import summary_and_jacobian
from lenscast.geometry import starlet_scale
from lenscast.statistics import Observation, Peaks, Region, ShapeNoise

PIXELS = 80
RMS = (0.05, 0.035)
EDGES = (0.0, 1.0, 2.0, 3.0)
BINS = len(EDGES) + 1
# hundreds of draws: without any optimisation they take five times as long as a first level costs to compile
OPTIMISED = {"xla_backend_optimization_level": "1"}


@pytest.fixture(scope="module")
def observed_peaks(uneven_depth):
    """Peaks of two sources on a stencil, and how they are observed."""

    def made(setting, pixels=PIXELS, levels=(2, 3), **options):
        stencil, _, uneven = setting.partition(", ")
        whole = Region(pixels, pixels * 5.0 / 256, 0)
        scales = tuple(starlet_scale(level, whole.pixel_arcmin) for level in levels)
        settings = {"snr_edges": EDGES, "stencil": stencil, "counts": "hard"} | options
        peaks = Peaks(name="peaks", scales_arcmin=scales, **settings)
        region = Region(pixels, whole.field_deg, peaks.reach(whole.pixel_arcmin))
        return peaks, Observation(region, ShapeNoise(RMS, uneven_depth(pixels) if uneven else None, max_masked=0.2))

    return made


@pytest.fixture(scope="module", params=["pixel", "scale", "pixel, uneven", "scale, uneven"])
def measure(request, observed_peaks):
    return observed_peaks(request.param)


@pytest.fixture(scope="module")
def maps(gaussian_map, lognormal_map):
    """Maps of two sources, Gaussian and lognormal, and tangents: their amplitude, other maps, and their skewness."""
    kappa = jnp.stack([1.5 * gaussian_map(jax.random.key(1), PIXELS), lognormal_map(jax.random.key(2), PIXELS, 1.5)[0]])
    other = jnp.stack([gaussian_map(jax.random.key(3), PIXELS), gaussian_map(jax.random.key(4), PIXELS)])
    return kappa, jnp.stack([kappa, other, 30 * kappa**2])


@partial(jax.jit, static_argnums=(0, 1, 3), compiler_options=OPTIMISED)
def draws(method, measure, kappa, number):
    """Data vectors by a method of the statistic, one for each draw of its random numbers."""
    return jax.lax.map(lambda key: _one(method, measure, key)(kappa), jax.random.split(jax.random.key(5), number))


@partial(jax.jit, static_argnums=(0, 1, 4))
def jacobians(method, measure, kappa, tangents, number):
    """Jacobians of these data vectors."""
    keys = jax.random.split(jax.random.key(6 + len(method)), number)
    return jax.lax.map(lambda key: summary_and_jacobian(_one(method, measure, key), kappa, tangents).jacobian, keys)


@partial(jax.jit, static_argnums=(0, 3), compiler_options=OPTIMISED)
def differences(measure, kappa, tangents, number, step=0.03):
    """Central differences of hard counts with the same noise."""

    def one(key):
        count = _one("measured", measure, key)
        return jnp.stack([(count(kappa + step * each) - count(kappa - step * each)) / (2 * step) for each in tangents])

    return jax.lax.map(one, jax.random.split(jax.random.key(9), number))


def _one(method, measure, key):
    """Function of the maps that gives their data vector in one draw."""
    peaks, observation = measure
    if method == "estimate":
        return lambda maps: peaks.estimate(maps, key, observation)
    noise = lambda maps: observation.noise.rms_maps() * jax.random.normal(key, maps.shape, jnp.float32)  # noqa: E731
    return lambda maps: getattr(peaks, method)(maps, noise(maps), observation)


def assert_same_mean(first, second):
    """Hold the means of two samples against their errors.

    The mean of chi2 over the 20 bins of two levels and two sources is 1 +- 0.45 if the 5 bins of a histogram are worth
    2 or 3 independent ones, and all tangents one: the bound is 4.5 times that. One of 60 normal variables is above 4.5
    in 1 of 2500 seeds.
    """
    variance = sum(np.var(each, axis=0, ddof=1) / len(each) for each in (first, second))
    difference = np.mean(first, axis=0) - np.mean(second, axis=0)
    occupied = variance > 1e-10
    np.testing.assert_allclose(difference[~occupied], 0, atol=1e-4)
    score = difference[occupied] / np.sqrt(variance[occupied])
    print(f"chi2 / bin {np.mean(score**2):.2f}, largest {np.abs(score).max():.2f}")
    assert np.mean(score**2) < 3
    assert np.abs(score).max() < 4.5


def total_and_error(sample):
    total = np.sum(sample, axis=1)
    return np.mean(total), np.std(total) / np.sqrt(len(total))


@pytest.mark.slow
def test_estimates_have_the_mean_of_hard_counts(measure, maps):
    hard, estimates = draws("measured", measure, maps[0], 800), draws("estimate", measure, maps[0], 300)
    assert estimates.dtype == jnp.float64
    assert_same_mean(estimates, hard)
    (mean, error), (hard_mean, hard_error) = map(total_and_error, (estimates, hard))
    print(f"total {mean / hard_mean - 1:.5f} +- {np.hypot(error, hard_error) / mean:.5f}")
    assert np.hypot(error, hard_error) < 0.003 * mean
    assert abs(mean - hard_mean) < 4 * np.hypot(error, hard_error)


@pytest.mark.slow
def test_jacobians_of_estimates_have_the_mean_of_those_with_maps_of_noise(measure, maps):
    estimates = jacobians("estimate", measure, *maps, 60)
    assert_same_mean(estimates, jacobians("expected", measure, *maps, 200))
    # there is something to see
    assert np.max(np.abs(np.mean(estimates, axis=0)) / np.std(estimates, axis=0)) > 3


@pytest.mark.slow
def test_jacobians_of_estimates_are_those_of_hard_counts(measure, maps):
    assert_same_mean(jacobians("estimate", measure, *maps, 60), differences(measure, *maps, 200))


@pytest.mark.slow
@pytest.mark.parametrize(("stencil", "gain"), [("pixel", 10), ("scale", 8)])
def test_estimates_scatter_less_than_those_with_maps_of_noise(stencil, gain, observed_peaks, maps):
    measure = observed_peaks(stencil, levels=(3,))
    tangents = maps[1][:1]
    scatter = [np.var(jacobians(each, measure, maps[0], tangents, 60), axis=0) for each in ("expected", "estimate")]
    ratio = np.median(scatter[0] / np.maximum(scatter[1], 1e-12))
    print(f"variance of a derivative with maps of noise over that with noise of stencils: {ratio:.1f}")
    # variances of 60 draws are good to 18 %, their ratio to 26 %, and less in the median of 10 bins
    assert ratio > gain


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["scale", "scale, uneven"])
def test_estimates_by_the_path_alone_are_differentiable_in_both_modes(setting, observed_peaks, assert_derivatives):
    measure = observed_peaks(setting, pixels=40, levels=(2,))
    kappa, direction = 0.03 * jax.random.normal(jax.random.key(1), (2, 2, 40, 40))
    # kinks are 1e5 times as far apart as the step
    function = _one("estimate", measure, jax.random.key(2))
    assert_derivatives(function, kappa, direction, step=1e-7, rtol=1e-5)


@pytest.mark.parametrize("setting", ["pixel", "pixel, uneven"])
def test_estimates_with_the_score_have_the_same_derivative_in_both_modes(setting, observed_peaks):
    measure = observed_peaks(setting, pixels=40, levels=(2,))
    kappa, direction = 0.03 * jax.random.normal(jax.random.key(1), (2, 2, 40, 40))

    @jax.jit
    def both_modes(kappa, direction):
        function = _one("estimate", measure, jax.random.key(2))
        value, forward = jax.jvp(function, (kappa,), (direction,))
        weights = jnp.cos(jnp.arange(value.size, dtype=value.dtype))
        (backward,) = jax.vjp(function, kappa)[1](weights)
        return value - function(kappa), forward * weights, jnp.vdot(backward, direction)

    zero, forward, backward = both_modes(kappa, direction)
    np.testing.assert_array_equal(zero, 0)
    np.testing.assert_allclose(backward, np.sum(forward), atol=1e-9 * np.abs(forward).max())


@pytest.mark.slow
@pytest.mark.parametrize("stencil", ["pixel", "scale"])
def test_estimates_on_depth_one_are_those_of_even_depth(stencil, observed_peaks, maps):
    peaks, even = observed_peaks(stencil, levels=(3,))
    ones = even._replace(noise=ShapeNoise(RMS, np.ones((PIXELS, PIXELS))))
    samples = [jacobians("estimate", (peaks, each), maps[0], maps[1][:1], 40) for each in (even, ones)]
    # the axes of the noise without gradient differ, for which only the rest of the noise is the same in distribution
    assert_same_mean(*samples)


def test_estimates_of_each_source_have_noise_of_their_own(observed_peaks):
    peaks, observation = observed_peaks("pixel", pixels=48, levels=(2,))
    same = observation._replace(noise=ShapeNoise((RMS[0],) * 2))
    blank = jnp.zeros((2, 48, 48), jnp.float32)
    first, second = np.reshape(draws("estimate", (peaks, same), blank, 2), (2, 2, BINS))
    assert np.all(first != second)
    assert np.all(first[0] != first[1])


def test_soft_counts_are_estimated_with_a_map_of_noise(observed_peaks):
    soft = observed_peaks("scale", pixels=48, levels=(2,), counts="soft", softness=0.1)
    kappa, key = 0.03 * jax.random.normal(jax.random.key(1), (2, 48, 48), jnp.float32), jax.random.key(3)
    np.testing.assert_array_equal(*(_one(each, soft, key)(kappa) for each in ("estimate", "measured")))


@pytest.mark.slow
def test_estimates_of_a_map_without_structure_are_finite(observed_peaks):
    peaks, observation = observed_peaks("pixel", pixels=48, levels=(2,))
    for height in (0.0, 1e30):
        flat = jnp.full((2, 48, 48), height, jnp.float32)
        value, tangent = jax.jvp(_one("estimate", (peaks, observation), jax.random.key(4)), (flat,), (flat + 1,))
        assert np.isfinite(value).all()
        assert np.isfinite(tangent).all()
