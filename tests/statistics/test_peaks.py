from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import ndtr

from lenscast.geometry import starlet_reach, starlet_scale
from lenscast.sections.errors import ConfigError
from lenscast.statistics import Observation, Peaks, Region, ShapeNoise
from lenscast.statistics.local_maxima import counts_from_tails, masked_tails
from lenscast.statistics.peaks import stencil_spacing
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.starlet import noise_rms, starlet
from lenscast.statistics.uneven_stencil import uneven_stencil

PIXELS = 96
SIGMA = 0.05
EDGES = (0.0, 1.0, 2.0, 3.0, 4.0)
BINS = len(EDGES) + 1


def statistic(stencil="scale", levels=(2, 3), n_sources=1, pixels=PIXELS, depth=None, max_masked=0.2, **options):
    """Peaks on these levels and the observation of maps of this many pixels, less the reach of the peaks."""
    whole = Region(pixels, pixels * 5.0 / 256, 0)
    scales = tuple(starlet_scale(level, whole.pixel_arcmin) for level in levels)
    settings = {"scales_arcmin": scales, "snr_edges": EDGES, "stencil": stencil, "counts": "hard"}
    peaks = Peaks(name="peaks", **(settings | options))
    region = Region(pixels, whole.field_deg, peaks.reach(whole.pixel_arcmin))
    return peaks, Observation(region, ShapeNoise((SIGMA,) * n_sources, depth, max_masked))


def random_maps(n_sources, pixels=PIXELS, dtype=jnp.float32):
    return 0.7 * SIGMA * jax.random.normal(jax.random.key(0), (2, n_sources, pixels, pixels), dtype)


@partial(jax.jit, static_argnums=0)
def measured(measure, kappa, noise):
    peaks, observation = measure
    return peaks.measured(kappa, noise, observation)


@partial(jax.jit, static_argnums=0)
def expected(measure, kappa, noise):
    peaks, observation = measure
    return peaks.expected(kappa, noise, observation)


@pytest.fixture(scope="module", params=["pixel", "scale", "pixel, uneven", "scale, uneven"])
def ensemble(request, lognormal_map, uneven_depth):
    """Derivatives with respect to the amplitude of the fluctuations, of maps with the same seeds: a row for each map.

    Returns the derivatives of `expected` by autodiff, of hard counts by central differences, and of hard peaks by
    autodiff, where their heights are spread over bins with edges of width 0.1.
    """
    stencil, _, uneven = request.param.partition(", ")
    measure, step = statistic(stencil, levels=(2,), depth=uneven_depth(PIXELS) if uneven else None), 0.1
    rms = measure[1].noise.rms_maps()

    def masked(kappa, noise):
        (nu,) = starlet((kappa + noise)[0] / SIGMA, (2,))
        near = jnp.stack([jnp.roll(nu, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
        above = ndtr((nu[None] - jnp.array(EDGES, nu.dtype)[:, None, None]) / 0.1)
        tails = jnp.concatenate([jnp.ones_like(nu)[None], above, jnp.zeros_like(nu)[None]])
        return jnp.sum(jnp.where(nu > near.max(axis=0), tails[:-1] - tails[1:], 0), axis=(1, 2), dtype=jnp.float64)

    @jax.jit
    def derivatives(keys):
        def one(key):
            noise = rms * jax.random.normal(jax.random.fold_in(key, 1), (1, PIXELS, PIXELS), jnp.float32)
            kappa = lambda scaling: lognormal_map(key, PIXELS, scaling)  # noqa: E731
            _, ours = jax.jvp(lambda scaling: expected(measure, kappa(scaling), noise), (1.0,), (1.0,))
            _, plain = jax.jvp(lambda scaling: masked(kappa(scaling), noise), (1.0,), (1.0,))
            up, down = (measured(measure, kappa(1.0 + sign * step), noise) for sign in (1, -1))
            return ours, (up - down) / (2 * step), plain

        return jax.lax.map(one, keys)

    return [np.asarray(each) for each in derivatives(jax.random.split(jax.random.key(1), 300))]


def mean_and_error(sample):
    return np.mean(sample, axis=0), np.std(sample, axis=0) / np.sqrt(len(sample))


@pytest.mark.slow
def test_peak_jacobian_is_that_of_hard_counts(ensemble, probability):
    ours, differences, _ = ensemble
    # what one of 10 000 seeds gives
    assert probability(ours - differences) > 1e-4
    signal, error = mean_and_error(ours)
    assert np.max(np.abs(signal / error)) > 15


@pytest.mark.slow
def test_peak_jacobian_counts_peaks_that_come_and_go(ensemble):
    ours, differences, plain = (np.sum(each, axis=1) for each in ensemble)
    mean, error = mean_and_error(ours - differences)
    assert abs(mean) < 3 * error
    total, error = mean_and_error(differences)
    assert abs(total) > 5 * error
    # autodiff of the peaks found sees none, though it sees them move between bins
    np.testing.assert_allclose(plain, 0, atol=1e-3)
    assert np.abs(np.mean(ensemble[2], axis=0)).max() > 1


def test_peak_counts_of_each_source_are_its_own():
    kappa, noise = random_maps(n_sources=2)
    both, single = statistic(n_sources=2), statistic()
    for measure in (measured, expected):
        together = measure(both, kappa, noise)
        assert together.dtype == jnp.float64
        apart = [measure(single, kappa[i : i + 1], noise[i : i + 1]).reshape(2, BINS) for i in (0, 1)]
        np.testing.assert_allclose(together.reshape(2, 2, BINS), np.stack(apart, axis=1), rtol=1e-5, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["peaks", "minima"])
def test_cross_maps_are_maps_of_the_galaxies_of_both_sources(kind, uneven_depth):
    rms = (SIGMA, 0.7 * SIGMA)
    weights = np.array(rms)[:, None, None] ** -2
    section = {"kind": kind, "scales_arcmin": (4.7,), "snr_edges": EDGES, "stencil": "scale", "counts": "hard"}
    alone, crossed = (
        statistics_from_config({"counts": section | {"cross_maps": maps}})["counts"] for maps in ("none", "pairs")
    )
    region = statistic(levels=(2,))[1].region
    depth = uneven_depth(PIXELS)
    maps = random_maps(n_sources=2)
    both = [np.sum(weights * np.asarray(each), axis=0, keepdims=True) / weights.sum() for each in maps]
    found = Observation(region, ShapeNoise(rms, depth, 0.2))
    joint = Observation(region, ShapeNoise((float(weights.sum() ** -0.5),), depth, 0.2))
    for method, rtol in (("measured", 1e-12), ("expected", 1e-4)):
        last = getattr(crossed, method)(*maps, found)[2 * BINS :]
        expected = getattr(alone, method)(*(jnp.asarray(each, jnp.float32) for each in both), joint)
        np.testing.assert_allclose(last, expected, rtol=rtol, atol=rtol)
    labels = [(each["source_1"], each["source_2"]) for each in crossed.bins(found)]
    assert labels[::BINS] == [(0, None), (1, None), (0, 1)]


def test_soft_counts_are_expected_as_measured():
    kappa, noise = random_maps(n_sources=1)
    soft = statistic(counts="soft", softness=0.1)
    np.testing.assert_array_equal(measured(soft, kappa, noise), expected(soft, kappa, noise))


@pytest.mark.parametrize("uneven", [False, True])
def test_expected_peak_counts_are_differentiable_in_both_modes(uneven, assert_derivatives, uneven_depth):
    measure = statistic(levels=(2,), pixels=40, depth=uneven_depth(40) if uneven else None)
    kappa, noise = random_maps(n_sources=1, pixels=40, dtype=jnp.float64)
    direction = jnp.cos(kappa / SIGMA)
    # kinks are 1e5 times as far apart as the step
    assert_derivatives(lambda maps: expected(measure, maps, noise), kappa, direction, step=1e-7 * SIGMA, rtol=1e-5)


def test_expected_peak_counts_have_the_derivative_in_single_precision():
    measure, (kappa, noise) = statistic(levels=(3,)), random_maps(n_sources=1, dtype=jnp.float64)
    derivative = jax.jit(lambda *maps: jax.jvp(lambda each: expected(measure, each, maps[1]), maps[:1], maps[:1])[1])
    single = derivative(kappa.astype(jnp.float32), noise.astype(jnp.float32))
    double = derivative(kappa, noise)
    # coefficients of S/N 1 are good to 1e-6, and neighbours differ by a tenth of that
    np.testing.assert_allclose(single, double, atol=1e-4 * np.abs(double).max())


# Rounding of nu in float32 is 1e-6. Hard counts are the same in any program on any processor, if no pixel is as near as
# 10 times that to a tie with its highest neighbour, and no peak to an edge of a bin.
CLEAR = 1e-5


def clearance(nu, highest):
    """Smallest distance from such a tie, of values and of their highest neighbours."""
    nu, contrast = np.ravel(nu), np.ravel(nu - highest)
    return min(np.abs(contrast).min(), np.abs(nu[contrast > 0, None] - EDGES).min())


def by_hand(measure, kappa, noise):
    """Counts of single peaks on level 2, one loop over pixels, filtered pixel by pixel in double precision."""
    peaks, (region, shape_noise) = measure
    level, reach, spacing = 2, starlet_reach(2), stencil_spacing(2, peaks.stencil)
    unit = np.zeros((1, 4 * reach + 1, 4 * reach + 1))
    unit[0, 2 * reach, 2 * reach] = 1
    kernel = np.asarray(starlet(jnp.asarray(unit), (level,))[0][0])
    depth, counts = shape_noise.depth, np.zeros(BINS)
    variance = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    maps = np.where(depth > 0, np.asarray(kappa + noise, float)[0], 0) / SIGMA
    inside = slice(region.border, PIXELS - region.border)
    pixels = np.mgrid[inside, inside].reshape(2, -1).T

    def seen(y, x):
        near = (slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1))
        nu = (kernel * maps[near]).sum() / np.sqrt((kernel**2 * variance[near]).sum())
        return nu, (kernel**2 * (depth[near] == 0)).sum()

    steps = [(i, j) for i in (-spacing, 0, spacing) for j in (-spacing, 0, spacing) if i or j]
    compared = []
    for y, x in pixels:
        (nu, *neighbours), shares = zip(*(seen(y + i, x + j) for i, j in [(0, 0), *steps]), strict=True)
        if max(shares) <= shape_noise.max_masked:
            compared.append((nu, max(neighbours)))
            if nu > max(neighbours):
                counts[np.searchsorted(EDGES, nu)] += 1
    assert clearance(*np.transpose(compared)) > CLEAR
    return counts / spacing**2


@pytest.mark.slow
@pytest.mark.parametrize("stencil", ["pixel", "scale"])
def test_peaks_on_an_uneven_map_are_those_found_by_hand(stencil, uneven_depth):
    measure = statistic(stencil, levels=(2,), depth=uneven_depth(PIXELS))
    kappa, noise = random_maps(n_sources=1)
    stencil_of_pixels = uneven_stencil(2, stencil_spacing(2, stencil), *measure[1])
    assert 0.5 < np.mean(stencil_of_pixels.local.counted) < 1
    hard = by_hand(measure, kappa, noise)
    np.testing.assert_array_equal(measured(measure, kappa, noise), hard)
    # smooth counts whose edges are so narrow that they are almost hard
    soft = statistic(stencil, levels=(2,), depth=uneven_depth(PIXELS), counts="soft", softness=1e-4)
    np.testing.assert_allclose(measured(soft, kappa, noise), hard, atol=0.05)
    assert_counts_through_a_mask(measure, stencil_of_pixels, kappa, noise, hard)


def assert_counts_through_a_mask(measure, stencil, kappa, noise, hard):
    """Counts behind a mask of hard peaks are hard counts for narrow edges, and have their total for any edges."""
    peaks, observation = measure
    (nu,) = starlet(observation.noise.snr(kappa + noise), (2,))
    nu = observation.region.crop(nu, margin=stencil.spacing) / stencil.local.rms[None]
    narrow = counts_from_tails(masked_tails(nu, stencil, EDGES, width=1e-4))[:, 0]
    np.testing.assert_allclose(narrow, hard, atol=0.05)
    wide = counts_from_tails(masked_tails(nu, stencil, EDGES, width=0.25))[:, 0]
    through_mask = peaks.through_mask(kappa, noise, observation)
    np.testing.assert_allclose(through_mask, wide, atol=1e-5 * hard.sum())
    np.testing.assert_allclose(through_mask.sum(), hard.sum(), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("stencil", ["pixel", "scale"])
def test_peaks_of_a_map_of_depth_one_are_those_without_one(stencil):
    kappa, noise = random_maps(n_sources=1)
    even, ones = (statistic(stencil, depth=depth) for depth in (None, np.ones((PIXELS, PIXELS))))
    maps, region = np.asarray(kappa + noise, float)[0] / SIGMA, even[1].region
    for level, coefficients in zip((2, 3), starlet(jnp.asarray(maps), (2, 3)), strict=True):
        nu, spacing = np.asarray(coefficients) / noise_rms(level), stencil_spacing(level, stencil)
        steps = [(i, j) for i in (-spacing, 0, spacing) for j in (-spacing, 0, spacing) if i or j]
        highest = np.max([np.roll(nu, step, (0, 1)) for step in steps], axis=0)
        assert clearance(region.crop(nu), region.crop(highest)) > CLEAR
    np.testing.assert_array_equal(measured(ones, kappa, noise), measured(even, kappa, noise))
    # rounding of nu, 1e-7, over the contrast of adjacent pixels on level 3, 0.1
    np.testing.assert_allclose(expected(ones, kappa, noise), expected(even, kappa, noise), rtol=1e-4, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("stencil", "level"), [("pixel", 2), ("scale", 2), ("pixel", 3)])
def test_expected_peak_counts_on_an_uneven_map_are_the_mean_of_measured(stencil, level, uneven_depth, gaussian_map):
    measure = statistic(stencil, levels=(level,), depth=uneven_depth(PIXELS))
    kappa, rms = gaussian_map(jax.random.key(11), PIXELS)[None], measure[1].noise.rms_maps()

    @jax.jit
    def sample(keys):
        def difference(key):
            noise = rms * jax.random.normal(key, kappa.shape, jnp.float32)
            return jnp.stack([measured(measure, kappa, noise), expected(measure, kappa, noise)])

        return jax.lax.map(difference, keys)

    hard, mean = np.moveaxis(sample(jax.random.split(jax.random.key(12), 600)), 1, 0)
    score = (hard - mean).mean(axis=0) / ((hard - mean).std(axis=0) / np.sqrt(len(hard)))
    # one of 6 bins is beyond 4.5 in 1 of 25 000 seeds; hard counts scatter more, for they hang on all of the noise
    assert np.abs(score).max() < 4.5
    assert np.all(mean.std(axis=0) < hard.std(axis=0))


def test_peak_bins_name_the_elements_of_the_data_vector():
    measure = statistic(n_sources=2)
    bins = measure[0].bins(measure[1])
    assert len(bins) == len(measured(measure, *random_maps(n_sources=2)))
    assert bins[BINS] == {
        "statistic": "peaks",
        "source_1": 1,
        "source_2": None,
        "scale_arcmin": 4.6875,
        "low": None,
        "high": 0.0,
        "centre": -0.5,
        "unit": "peaks per region",
    }
    assert bins[-1]["scale_arcmin"] == 9.375
    assert (bins[-1]["low"], bins[-1]["high"]) == (4.0, None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"stencil": "cross"}, r"\.peaks\.stencil: 'cross' given; must be one of pixel, scale"),
        (
            {"counts": "soft"},
            r"\.peaks: counts = soft without a softness; add one such as softness: 0.1",
        ),
        (
            {"counts": "hard", "softness": 0.1},
            r"\.peaks: counts = hard with softness = 0.1; remove softness",
        ),
        ({"counts": "soft", "softness": -0.1}, r"\.peaks\.softness: -0.1 given; must be .*width of the sigmoid"),
        ({"snr_edges": (1.0, 0.0)}, r"\.peaks\.snr_edges: values must increase, but 0 follows 1; sort them"),
        ({"snr_edges": (1.0,)}, r"\.peaks\.snr_edges: \(1.0,\) given; must be a list of 2 or more"),
    ],
)
def test_peaks_refuse_what_has_no_meaning(options, match):
    settings = {"scales_arcmin": (4.7,), "snr_edges": EDGES, "stencil": "pixel", "counts": "hard"}
    with pytest.raises(ConfigError, match=match):
        statistics_from_config({"peaks": settings | options})
