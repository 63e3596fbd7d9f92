"""What every statistic has to be: an unbiased, differentiable mean over the noise of what is measured, on any field."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics import Observation, Region, ShapeNoise
from lenscast.statistics.registry import STATISTICS, statistics_from_config

PIXELS = 56
SIGMA = 0.05
SCALE = 4 * 300 / 256
"""Level 2 [arcmin]."""

FILTERED = {"scales_arcmin": [SCALE], "filter": "starlet"}
SMOOTHED = {"scales_arcmin": [SCALE / 2, SCALE], "filter": "smoothing"}
EDGES = [-1.5, -0.5, 0.0, 0.5, 1.5]
PEAKS = {"scales_arcmin": [SCALE], "snr_edges": [0.0, 1.0, 2.0], "counts": "hard"}
SECTIONS = {
    "power_spectrum": {"kind": "power_spectrum", "ell_edges": [500.0, 1500.0, 4000.0]},
    "cross_peaks": {"kind": "peaks", "stencil": "pixel", "cross_maps": "pairs", **PEAKS},
    "minima": {"kind": "minima", "stencil": "pixel", **PEAKS},
    "cross_minima": {"kind": "minima", "stencil": "scale", "cross_maps": "pairs", **PEAKS},
    "variance": {"kind": "moments", "order": 2, **SMOOTHED},
    "third_moment": {"kind": "moments", "order": 3, **SMOOTHED},
    "kurtosis": {"kind": "moments", "order": 4, **FILTERED},
    "l1_norm": {"kind": "l1_norm", "snr_edges": EDGES, **FILTERED},
    "coarse_l1_norm": {"kind": "l1_norm", "snr_edges": EDGES, **SMOOTHED},
    "pdf": {"kind": "pdf", "snr_edges": EDGES, **FILTERED},
    "smooth_pdf": {"kind": "pdf", "snr_edges": EDGES, **SMOOTHED},
    "V0": {"kind": "minkowski", "functional": "V0", "snr_edges": EDGES, **FILTERED},
    "V1": {"kind": "minkowski", "functional": "V1", "snr_edges": EDGES, **FILTERED},
    "V2": {"kind": "minkowski", "functional": "V2", "snr_edges": EDGES, **FILTERED},
    "smooth_V1": {"kind": "minkowski", "functional": "V1", "snr_edges": EDGES, **SMOOTHED},
    "smooth_V2": {"kind": "minkowski", "functional": "V2", "snr_edges": EDGES, **SMOOTHED},
    "scattering": {"kind": "scattering", "scales_arcmin": [SCALE / 2, SCALE], "angles": 2},
}
MIXED = {"cross_peaks", "cross_minima", "variance", "third_moment"}
"""Statistics that mix sources."""

SMOOTH = {"variance", "third_moment", "kurtosis", "scattering", "power_spectrum"}
"""Differences of these have no noise of their own, so that the step has to be small."""


def made(name, sources=1, depth=None, pixels=PIXELS):
    """A statistic, and the observation of maps of this many pixels less its reach."""
    statistic = statistics_from_config({name: SECTIONS[name]})[name]
    field_deg = pixels * 5.0 / 256
    region = Region(pixels, field_deg, statistic.reach(60 * field_deg / pixels))
    return statistic, Observation(region, ShapeNoise((SIGMA, 0.8 * SIGMA)[:sources], depth, 0.2))


def maps_of(key, sources, pixels=PIXELS, dtype=jnp.float64):
    return 0.7 * SIGMA * jax.random.normal(jax.random.key(key), (2, sources, pixels, pixels), dtype)


def test_every_statistic_of_lenscast_is_here_or_has_tests_of_its_own():
    assert {section["kind"] for section in SECTIONS.values()} | {"starlet_power_spectrum"} == {*STATISTICS}


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_bins_name_each_element_once(name):
    statistic, observation = made(name, sources=2)
    kappa, noise = maps_of(0, 2)
    bins = statistic.bins(observation)
    keys = [tuple(value for key, value in each.items() if key not in ("unit", "centre")) for each in bins]
    assert len({*keys}) == len(keys)
    for method in ("measured", "expected"):
        values = jax.jit(partial(getattr(statistic, method), observation=observation))(kappa, noise)
        assert values.shape == (len(bins),)
        assert values.dtype == jnp.float64
        assert np.isfinite(values).all()


@pytest.mark.slow
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("name", SECTIONS)
def test_expected_is_differentiable_in_both_modes(name, uneven, uneven_depth, assert_derivatives):
    statistic, observation = made(name, sources=2, depth=uneven_depth(PIXELS) if uneven else None)
    kappa, noise = maps_of(1, 2)
    direction = SIGMA * jnp.cos(kappa / SIGMA)
    assert_derivatives(
        lambda maps: statistic.expected(maps, noise, observation), kappa, direction, step=1e-6, rtol=2e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_a_source_has_the_statistics_that_it_has_alone(name):
    kappa, noise = maps_of(2, 2)
    both, one = made(name, sources=2), made(name)
    for method in ("measured", "expected"):
        together = getattr(both[0], method)(kappa, noise, both[1])
        alone = getattr(one[0], method)(kappa[:1], noise[:1], one[1])
        own = [each["source_1"] == 0 and each["source_2"] in (None, 0) for each in both[0].bins(both[1])]
        np.testing.assert_allclose(together[np.array(own)], alone, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module", params=[(name, uneven) for name in SECTIONS for uneven in (False, True)], ids=str)
def sample(request, lognormal_map, uneven_depth):
    """Measured, expected, derivatives and differences in the amplitude of fluctuations, of maps of 120 seeds."""
    name, uneven = request.param
    sources = 2 if name in MIXED else 1
    statistic, observation = made(name, sources, uneven_depth(PIXELS) if uneven else None)
    rms, step = observation.noise.rms_maps(), 0.01 if name in SMOOTH else 0.1

    @jax.jit
    def draw(keys):
        def one(key):
            noise = rms * jax.random.normal(jax.random.fold_in(key, 1), (sources, PIXELS, PIXELS), jnp.float32)
            sizes = jnp.array([2.0, 1.5], jnp.float32)[:sources, None, None]
            kappa = lambda scaling: sizes * lognormal_map(key, PIXELS, scaling)  # noqa: E731
            expected, derivative = jax.jvp(
                lambda scaling: statistic.expected(kappa(scaling), noise, observation), (1.0,), (1.0,)
            )
            here, up, down = (statistic.measured(kappa(1.0 + sign * step), noise, observation) for sign in (0, 1, -1))
            return here, expected, derivative, (up - down) / (2 * step)

        return jax.lax.map(one, keys)

    return [np.asarray(each) for each in draw(jax.random.split(jax.random.key(3), 120))]


@pytest.mark.slow
def test_expected_is_the_mean_of_measured_over_the_noise(sample, request, probability):
    name = request.node.callspec.params["sample"][0]
    measured, expected, *_ = sample
    if name in ("kurtosis", "scattering"):
        # the same function, compiled twice
        np.testing.assert_allclose(expected, measured, rtol=1e-6)
        return
    # one of the 62 cases of this file fails for one of 300 seeds of all of them
    assert probability(measured - expected) > 5e-5
    # what is measured scatters at least as much as its mean over some of the noise
    squares = [(each - each.mean(axis=0)) ** 2 for each in (measured, expected)]
    further = squares[0] - squares[1]
    assert np.all(further.mean(axis=0) > -4.5 * further.std(axis=0) / np.sqrt(len(further)))


@pytest.mark.slow
def test_derivative_of_expected_is_that_of_the_mean_of_measured(sample, probability):
    *_, derivative, difference = sample
    mean = derivative.mean(axis=0)
    # differences are off in the second order of their step
    assert probability(derivative - difference, 3e-3 * np.abs(mean).max()) > 5e-5
    significance = mean / (derivative.std(axis=0) / np.sqrt(len(derivative)))
    assert np.abs(significance).max() > 5
