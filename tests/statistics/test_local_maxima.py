from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.geometry import starlet_reach
from lenscast.statistics.local_maxima import counts_from_tails, hard_tails, masked_tails, mean_tails, soft_tails
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import noise_rms, starlet
from lenscast.statistics.stencil import noise_stencil
from lenscast.statistics.uneven_stencil import uneven_stencil

ORACLES = Path(__file__).parents[1] / "oracles" / "lenspack"
EDGES = (-1.0, 0.0, 1.0, 2.0)

transform = jax.jit(starlet, static_argnums=1)
hard_counts = jax.jit(hard_tails, static_argnums=(1, 2))
mean_counts = jax.jit(mean_tails, static_argnums=(2, 3))
soft_counts = jax.jit(soft_tails, static_argnums=(1, 2, 3))


def test_counts_from_tails_agree_with_a_histogram():
    values, edges = np.random.default_rng(0).normal(size=200), [-1.0, 0.0, 0.5]
    tails = jnp.array([[200.0], *([np.sum(values > edge).astype(float)] for edge in edges)])
    counts, _ = np.histogram(values, [-np.inf, *edges, np.inf])
    np.testing.assert_array_equal(counts_from_tails(tails)[:, 0], counts)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_hard_tails_find_the_peaks_of_lenspack(level):
    white = jnp.asarray(np.loadtxt(ORACLES / "map.txt"), jnp.float32)
    y, x, height = np.loadtxt(ORACLES / f"peaks_{level}.txt", unpack=True)
    (snr,), stencil = transform(white, (level,)), noise_stencil(level, 1)
    # An edge between each two of their heights, which leaves one peak less above each. Heights are rounded by 1e-6: two
    # that are nearer to each other than 2e-5 have no edge between them, so that counts are those of any processor.
    ordered = np.sort(height / noise_rms(level))
    apart = np.flatnonzero(np.diff(ordered) > 2e-5)
    assert len(apart) > 0.9 * (len(height) - 1)
    edges = tuple(((ordered[apart] + ordered[apart + 1]) / 2).tolist())
    tails = hard_counts(snr[None], stencil, edges)[:, 0]
    np.testing.assert_array_equal(tails, len(height) - np.append(0, apart + 1))
    # there is a peak in each 3 x 3 square around theirs
    squares = jnp.stack([snr[i - 1 : i + 2, j - 1 : j + 2] for i, j in zip(y.astype(int), x.astype(int), strict=True)])
    np.testing.assert_array_equal(hard_counts(squares, stencil, EDGES)[0], 1)


def test_hard_tails_of_a_wide_stencil_average_over_its_grids():
    snr, spacing = jax.random.normal(jax.random.key(0), (2, 40, 40), jnp.float32), 4
    grids = jnp.concatenate([snr[:, i::spacing, j::spacing] for i in range(spacing) for j in range(spacing)])
    single = hard_counts(grids, noise_stencil(3, 1), EDGES).reshape(len(EDGES) + 1, spacing**2, 2)
    np.testing.assert_allclose(hard_counts(snr, noise_stencil(3, spacing), EDGES), single.mean(axis=1), rtol=1e-12)


def test_hard_tails_of_uneven_depth_find_the_heights_of_peaks(uneven_depth):
    level, pixels = 3, 80
    region = Region(pixels, 1.5, starlet_reach(level) + 1)
    stencil = uneven_stencil(level, 1, region, ShapeNoise((0.1,), uneven_depth(pixels), max_masked=0.2))
    snr = np.asarray(3 * jax.random.normal(jax.random.key(8), (region.side + 2,) * 2, jnp.float32))
    near = [np.roll(snr, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    is_peak = (snr > np.max(near, axis=0))[1:-1, 1:-1] & stencil.local.counted
    heights = snr[1:-1, 1:-1][is_peak]
    # response to t differs by 30 % between pixels, to which heights are indifferent
    assert np.ptp(stencil.local.response[stencil.local.counted]) > 0.2
    expected = [len(heights), *(np.sum(heights > edge) for edge in EDGES)]
    np.testing.assert_array_equal(hard_tails(jnp.asarray(snr)[None], stencil, EDGES)[:, 0], expected)


@pytest.mark.parametrize(("level", "spacing"), [(2, 1), (2, 2), (3, 1), (3, 4)])
def test_noise_stencil_has_the_moments_of_noise(level, spacing):
    stencil = noise_stencil(level, spacing)
    nu = np.asarray(transform(jax.random.normal(jax.random.key(1), (700, 700)), (level,))[0])
    at = lambda y, x: np.roll(nu, (-y * spacing, -x * spacing), (0, 1))[spacing:-spacing, spacing:-spacing]  # noqa: E731
    neighbours = {(y, x): at(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    centre = neighbours.pop((0, 0))
    contrast = (centre - sum(neighbours.values()) / 8) / stencil.contrast
    moments = [contrast.var(), (contrast * centre).mean()]
    moments += [(contrast * (centre - neighbours[offset])).mean() for offset in [(0, 1), (1, 0), (1, 1), (-1, 1)]]
    moments += [((neighbours[0, 1] - 2 * centre + neighbours[0, -1]) / 2).std()]
    expected = [1, stencil.centre, stencil.edge, stencil.edge, stencil.corner, stencil.corner, stencil.curvature]
    # 700^2 pixels are 3e4 independent coefficients of level 2, 8e3 of level 3: 1 to 2 % per moment
    np.testing.assert_allclose(moments, expected, rtol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [1, 2])
def test_mean_tails_have_the_mean_of_hard_tails(spacing, gaussian_map):
    level, pixels = 2, 64
    stencil = noise_stencil(level, spacing)

    @jax.jit
    def sample(keys):
        def difference(key):
            noise = jax.random.normal(jax.random.fold_in(key, 1), (1, pixels, pixels), jnp.float32)
            signal = 60 * gaussian_map(key, pixels)[None]
            (nu,), (n,) = starlet(signal + noise, (level,)), starlet(noise, (level,))
            hard, mean = hard_tails(nu, stencil, EDGES), mean_tails(nu, n, stencil, EDGES)
            return jnp.stack([hard, mean])[..., 0]

        return jax.lax.map(difference, keys)

    hard, mean = np.moveaxis(sample(jax.random.split(jax.random.key(2), 400)), 1, 0)
    score = (hard - mean).mean(axis=0) / ((hard - mean).std(axis=0) / np.sqrt(len(hard)))
    # a normal variable is beyond 4.5 in 1 of 150 000 seeds
    assert np.all(np.abs(score) < 4.5)


def test_mean_tails_without_noise_to_speak_of_are_hard_tails(gaussian_map):
    signal, noise = 1e6 * gaussian_map(jax.random.key(3), 64)[None], jnp.zeros((1, 64, 64), jnp.float32)
    stencil = noise_stencil(2, 2)
    # pixels whose neighbours are within the noise of 1 in 1e4 are neither peaks nor not
    np.testing.assert_allclose(
        mean_counts(signal, noise, stencil, EDGES), hard_counts(signal, stencil, EDGES), atol=0.5 / stencil.spacing**2
    )


def test_mean_tails_have_finite_derivatives_where_all_pixels_tie():
    stencil, constant = noise_stencil(2, 1), jnp.zeros((1, 8, 8), jnp.float32)
    for height in (0.0, 1e30):
        value, tangent = jax.jvp(
            lambda snr: mean_counts(snr, constant, stencil, EDGES), (constant + height,), (constant + 1,)
        )
        assert np.isfinite(value).all()
        assert np.isfinite(tangent).all()


@pytest.mark.parametrize("spacing", [1, 2])
def test_mean_tails_are_differentiable_in_both_modes(spacing, assert_derivatives):
    snr, noise, direction = jax.random.normal(jax.random.key(4), (3, 2, 24, 24))
    stencil = noise_stencil(2, spacing)
    # the function has kinks, 2e4 times as far apart as the step
    assert_derivatives(lambda x: mean_tails(x, noise, stencil, EDGES).ravel(), snr, direction, step=1e-6, rtol=1e-5)
    assert_derivatives(lambda x: mean_tails(x, x, stencil, EDGES).ravel(), snr, direction, step=1e-6, rtol=1e-5)


def test_soft_tails_are_differentiable_in_both_modes(assert_derivatives):
    snr, direction = jax.random.normal(jax.random.key(5), (2, 2, 24, 24))
    stencil = noise_stencil(2, 1)
    assert_derivatives(lambda x: soft_tails(x, stencil, EDGES, 0.1).ravel(), snr, direction, step=1e-6, rtol=1e-5)


def test_masked_tails_are_differentiable_in_both_modes_while_no_peak_comes_or_goes(assert_derivatives):
    snr, direction = jax.random.normal(jax.random.key(7), (2, 2, 24, 24))
    stencil = noise_stencil(2, 1)
    assert_derivatives(lambda x: masked_tails(x, stencil, EDGES, 0.25).ravel(), snr, direction, step=1e-6, rtol=1e-5)
    assert_derivatives(
        lambda x: counts_from_tails(masked_tails(x, stencil, EDGES, 0.25)).ravel(), snr, direction, step=1e-6, rtol=1e-5
    )


def test_soft_tails_approach_hard_tails_in_the_second_order_of_softness():
    (nu,) = transform(jax.random.normal(jax.random.key(6), (400, 400)), (2,))
    stencil = noise_stencil(2, 2)
    hard = np.asarray(hard_counts(nu[None], stencil, EDGES))

    def error(softness):
        return np.asarray(soft_counts(nu[None], stencil, EDGES, softness))[0, 0] / hard[0, 0] - 1

    assert 0 < error(0.1) < 0.06
    # second order: a factor of 4 from one to the next
    assert 3 < error(0.2) / error(0.1) < 5
    np.testing.assert_allclose(soft_counts(nu[None], stencil, EDGES, 1e-4), hard, rtol=2e-3)
