"""Minkowski functionals against a loop over pixels, and their means at a pixel against draws of its noise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics import Observation, Region, ShapeNoise
from lenscast.statistics.filtered import noise_covariance
from lenscast.statistics.minkowski_sums import DIFFERENCES, differences, mean_sums, noise_of_differences
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.starlet import starlet

PIXELS, LEVEL = 48, 2
BORDER = 7
SIZE = 300 / 256
EDGES = [-1.0, 0.0, 0.5, 1.5]
RMS = 0.05
ONE = np.ones((1, 1), bool)


def observation(depth=None):
    return Observation(Region(PIXELS, PIXELS * SIZE / 60, BORDER), ShapeNoise((RMS,), depth, 0.2))


def statistic(functional):
    section = {"filter": "starlet", "scales_arcmin": [2**LEVEL * SIZE], "functional": functional, "snr_edges": EDGES}
    return statistics_from_config({"minkowski": section})["minkowski"]


def by_hand(nu):
    """V0, V1 and V2 per arcmin of a field with a frame of one pixel, one pixel after another, as LensTools has them."""
    totals = np.zeros((3, len(EDGES) - 1))
    for y in range(1, len(nu) - 1):
        for x in range(1, len(nu) - 1):
            g_x, g_y = (nu[y, x + 1] - nu[y, x - 1]) / 2 / SIZE, (nu[y + 1, x] - nu[y - 1, x]) / 2 / SIZE
            h_xx = (nu[y, x + 1] + nu[y, x - 1] - 2 * nu[y, x]) / SIZE**2
            h_yy = (nu[y + 1, x] + nu[y - 1, x] - 2 * nu[y, x]) / SIZE**2
            h_xy = (nu[y + 1, x + 1] - nu[y + 1, x - 1] - nu[y - 1, x + 1] + nu[y - 1, x - 1]) / 4 / SIZE**2
            curvature = (2 * g_x * g_y * h_xy - g_x**2 * h_yy - g_y**2 * h_xx) / (g_x**2 + g_y**2)
            for index, (low, high) in enumerate(itertools.pairwise(EDGES)):
                totals[0, index] += nu[y, x] > (low + high) / 2
                if low <= nu[y, x] < high:
                    totals[1, index] += np.hypot(g_x, g_y) / 4 / (high - low)
                    totals[2, index] += curvature / (2 * np.pi) / (high - low)
    return totals / (len(nu) - 2) ** 2


@pytest.mark.slow
def test_functionals_are_those_of_a_loop_over_pixels():
    kappa, noise = RMS * np.random.default_rng(1).normal(size=(2, 1, PIXELS, PIXELS))
    (nu,) = starlet(jnp.asarray(kappa + noise) / RMS, (LEVEL,))
    expected = by_hand(np.asarray(nu[0]))
    assert nu.shape[-1] == PIXELS - 2 * BORDER + 2
    for index, functional in enumerate(("V0", "V1", "V2")):
        found = statistic(functional).measured(jnp.asarray(kappa), jnp.asarray(noise), observation())
        np.testing.assert_allclose(found, expected[index], rtol=1e-9)


def test_differences_are_those_of_their_weights():
    field = np.random.default_rng(2).normal(size=(1, 3, 3))
    found = [np.asarray(each).item() for each in differences(jnp.asarray(field))]
    np.testing.assert_allclose(found, np.einsum("kyx,yx->k", DIFFERENCES, field[0]), rtol=1e-12)


@pytest.mark.slow
def test_noise_of_the_differences_is_that_of_filtered_white_noise(uneven_depth):
    """Even depth: from one large map. Depth 1 everywhere: the same from the local covariance."""
    even, ones = (
        noise_of_differences("starlet", LEVEL, observation(depth)) for depth in (None, np.ones((PIXELS, PIXELS)))
    )
    (nu,) = starlet(jax.random.normal(jax.random.key(0), (1, 1024, 1024), jnp.float64), (LEVEL,))
    value, g_x, g_y, h_xx, h_yy, h_xy = (np.asarray(each) for each in differences(nu))
    # 1e6 pixels are worth about 1e5 independent ones
    np.testing.assert_allclose([g_x.std(), g_y.std()], even.gradient, rtol=0.01)
    np.testing.assert_allclose([np.mean(value * h_xx), np.mean(value * h_yy)], -even.tau, rtol=0.01)
    assert abs(np.mean(value * h_xy)) < 0.01 * even.tau
    np.testing.assert_allclose(ones.gradient, even.gradient, rtol=1e-9)
    for name in ("weights", "rest"):
        here, there = getattr(ones, name), getattr(even, name)
        np.testing.assert_allclose(here, np.broadcast_to(there, here.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("functional", ["V0", "V1", "V2"])
@pytest.mark.parametrize("size", [0.0, 0.3, 3.0, 30.0])
def test_mean_at_a_pixel_is_that_of_draws_of_its_noise(functional, size):
    """The signal has a gradient from none to many times that of the noise."""
    local = noise_of_differences("starlet", LEVEL, observation())
    signal = np.array([0.3, 0.8 * size, -0.6 * size, 0.5, -0.2, 0.4]) * [1, *2 * [local.gradient], 1, 1, 1]
    one = [np.full((1, 1, 1), each) for each in signal]
    found = np.asarray(mean_sums(functional, EDGES, [*map(jnp.asarray, one)], ONE, local))[0]
    # the noise of the stencil: any normal variables with these covariances
    covariance = noise_covariance("starlet", LEVEL, observation(), DIFFERENCES)[..., 0, 0]
    drawn = np.random.default_rng(3).multivariate_normal(signal, covariance, size=400_000, method="eigh").T
    nu, g_x, g_y, h_xx, h_yy, h_xy = drawn
    factor = {
        "V0": np.ones_like(nu),
        "V1": np.hypot(g_x, g_y) / 4,
        "V2": (2 * g_x * g_y * h_xy - g_x**2 * h_yy - g_y**2 * h_xx) / (g_x**2 + g_y**2) / (2 * np.pi),
    }[functional]
    for index, (low, high) in enumerate(itertools.pairwise(EDGES)):
        inside = nu > (low + high) / 2 if functional == "V0" else ((nu >= low) & (nu < high)) / (high - low)
        values = inside * factor
        assert abs(values.mean() - found[index]) < 4 * values.std() / np.sqrt(len(values))


@pytest.mark.slow
def test_means_have_derivatives_where_the_signal_is_flat():
    local = noise_of_differences("starlet", LEVEL, observation())
    flat = [jnp.zeros((1, 1, 1))] * 6
    for functional in ("V1", "V2"):
        slopes = jax.grad(lambda *each: mean_sums(functional, EDGES, each, ONE, local).sum(), argnums=range(6))(*flat)  # noqa: B023
        assert np.isfinite(np.array(slopes)).all()


@pytest.mark.slow
def test_a_flat_map_has_functionals_and_derivatives():
    """Without signal and noise the gradient is 0 everywhere."""
    blank = jnp.zeros((1, PIXELS, PIXELS))
    for functional in ("V0", "V1", "V2"):
        one = statistic(functional)
        value, slope = jax.jvp(lambda maps: one.measured(maps, blank, observation()), (blank,), (blank + 1,))  # noqa: B023
        assert np.isfinite(value).all()
        assert np.isfinite(slope).all()
