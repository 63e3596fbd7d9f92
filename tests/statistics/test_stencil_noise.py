import jax
import numpy as np
import pytest

from lenscast.geometry import starlet_reach
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet
from lenscast.statistics.stencil import OFFSETS, noise_stencil
from lenscast.statistics.stencil_noise import GRADIENTS, noise_of_stencil
from lenscast.statistics.uneven_stencil import uneven_rows, uneven_stencil

PIXELS = 64
LEVELS_AND_SPACINGS = [(2, 1), (2, 2), (3, 1), (3, 4)]


def even_noise(level, spacing):
    stencil = noise_stencil(level, spacing)
    return stencil, noise_of_stencil(level, stencil, Region(PIXELS, 1.25, 0), ShapeNoise((0.1,)))


def covariance_of(rise):
    return np.einsum("jk...,lk...->jl...", rise.astype(float), rise.astype(float))


def per_rise(stencil):
    return np.array([stencil.centre] + 4 * [stencil.edge] + 4 * [stencil.corner])


@pytest.mark.slow
@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_rises_scatter_as_those_of_maps_of_noise(level, spacing):
    stencil, noise = even_noise(level, spacing)
    nu = np.asarray(starlet(jax.random.normal(jax.random.key(1), (700, 700)), (level,))[0])
    centre, *near = (np.roll(nu, (-y * spacing, -x * spacing), (0, 1)) for y, x in OFFSETS)
    contrast = (centre - sum(near) / 8) / stencil.contrast
    rise = np.stack([-centre, *(each - centre for each in near)]) / per_rise(stencil)[:, None, None]
    rest = (rise + contrast)[:, 4:-4, 4:-4].reshape(9, -1)
    # 700^2 pixels are 3e4 independent coefficients of level 2, 8e3 of level 3: 1 to 2 % of the largest
    simulated, expected = np.cov(rest), covariance_of(noise.rise)
    np.testing.assert_allclose(simulated, expected, atol=0.08 * np.diag(expected).max())


@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_what_the_gradients_leave_has_no_gradient(level, spacing):
    stencil, noise = even_noise(level, spacing)
    # Sobel's weights add up to 0: rises above the neighbours are as good as nu
    axes = per_rise(stencil)[:, None] * noise.rise
    axes[0] = 0
    np.testing.assert_allclose(GRADIENTS.T @ axes[:, 2:], 0, atol=1e-5)
    np.testing.assert_allclose(noise.gradient @ axes[:, :2], np.eye(2), atol=1e-5)


@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_rises_of_uneven_depth_have_the_covariance_of_their_pixels(level, spacing, uneven_depth):
    region, observed = (
        Region(PIXELS, 1.25, starlet_reach(level) + spacing),
        ShapeNoise((0.1,), uneven_depth(PIXELS), 0.2),
    )
    stencil = uneven_stencil(level, spacing, region, observed)
    noise = noise_of_stencil(level, stencil, region, observed)
    assert noise.rise.shape == (9, 8, region.side, region.side)
    to_rises = np.diag(1 / per_rise(stencil)) @ np.vstack([-np.eye(9)[0], np.eye(9)[1:] - np.eye(9)[0]])
    for y, row in enumerate(uneven_rows(level, stencil, region, observed)):
        counted = stencil.local.counted[y]
        response = row.response[:, None] * stencil.profile
        rest = row.covariance - response[:, :, None] * response[:, None]
        expected = to_rises @ rest @ to_rises.T / row.response[:, None, None] ** 2
        made = np.moveaxis(covariance_of(noise.rise[:, :, y]), -1, 0)
        np.testing.assert_allclose(made[counted], expected[counted], atol=1e-5 * np.abs(expected[counted]).max())


@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_stencils_of_depth_one_have_the_noise_of_even_depth(level, spacing):
    region, observed = (
        Region(PIXELS, 1.25, starlet_reach(level) + spacing),
        ShapeNoise((0.1,), np.ones((PIXELS, PIXELS))),
    )
    noise = noise_of_stencil(level, uneven_stencil(level, spacing, region, observed), region, observed)
    _, even = even_noise(level, spacing)
    expected = covariance_of(even.rise)
    made = covariance_of(noise.rise)
    np.testing.assert_allclose(made, np.broadcast_to(expected[..., None, None], made.shape), atol=1e-5 * expected.max())
    gradient = np.abs(np.broadcast_to(even.gradient[..., None, None], noise.gradient.shape))
    np.testing.assert_allclose(np.abs(noise.gradient), gradient, atol=1e-4)
