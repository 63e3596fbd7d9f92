from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.geometry import starlet_reach
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet
from lenscast.statistics.stencil import CORNERS, EDGES, noise_stencil
from lenscast.statistics.uneven_stencil import uneven_stencil

PIXELS = 64
OFFSETS = [(0, 0), *EDGES, *CORNERS]
LEVELS_AND_SPACINGS = [(2, 1), (2, 2), (3, 1), (3, 4)]


def region_of(level, spacing):
    return Region(PIXELS, 1.25, starlet_reach(level) + spacing)


def stencil_of(level, spacing, depth, max_masked=0.2):
    return uneven_stencil(level, spacing, region_of(level, spacing), ShapeNoise((0.1,), depth, max_masked))


@cache
def impulse_response(level):
    reach = starlet_reach(level)
    unit = jnp.zeros((4 * reach + 1, 4 * reach + 1)).at[2 * reach, 2 * reach].set(1.0)
    return np.asarray(starlet(unit, (level,))[0])


def kernels(level, spacing, y, x):
    """Weights of all pixels of the map in the coefficients of a stencil around a pixel of the region."""
    reach, kernel, weights = starlet_reach(level), impulse_response(level), np.zeros((9, PIXELS, PIXELS))
    for number, (step_y, step_x) in enumerate(OFFSETS):
        top, left = y + (1 + step_y) * spacing, x + (1 + step_x) * spacing
        weights[number, top : top + 2 * reach + 1, left : left + 2 * reach + 1] = kernel
    return weights


def pixels_that_count(stencil, number=12):
    counted = np.argwhere(stencil.local.counted)
    return counted[np.random.default_rng(1).choice(len(counted), number, replace=False)]


@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_stencil_of_even_depth_is_the_same_everywhere(level, spacing):
    even, made = noise_stencil(level, spacing), stencil_of(level, spacing, np.full((PIXELS, PIXELS), 4.0))
    assert made._replace(local=None) == even
    assert made.local.counted.all()
    # variance is a quarter; matrices are singular to 1e-5 on level 3, and stored in single precision
    np.testing.assert_allclose(made.local.rms, 0.5, rtol=1e-6)
    np.testing.assert_allclose(made.local.response, 1, rtol=1e-6)
    contrast = np.array([1.0] + [-1 / 8] * 8) / even.contrast
    tiled = np.tile(contrast[:, None, None], (1, *made.local.counted.shape))
    np.testing.assert_allclose(made.local.weights, tiled, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_uneven_noise_follows_its_part_as_even_noise_does(level, spacing, uneven_depth):
    depth = uneven_depth(PIXELS)
    made = stencil_of(level, spacing, depth)
    variance = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    profile = np.array([made.centre] + 4 * [made.centre - made.edge] + 4 * [made.centre - made.corner])
    assert np.ptp(made.local.response[made.local.counted]) > 1e-3
    for y, x in pixels_that_count(made):
        filters = kernels(level, spacing, y, x).reshape(9, -1)
        covariance = filters * variance.ravel() @ filters.T
        rms = np.sqrt(np.diag(covariance))
        at = [(y + (1 + i) * spacing, x + (1 + j) * spacing) for i, j in OFFSETS]
        np.testing.assert_allclose([made.local.rms[each] for each in at], rms, rtol=1e-6)
        correlation, weights = covariance / np.outer(rms, rms), made.local.weights[:, y, x].astype(float)
        # weights of up to 100 in single precision, whose sum over nine all but cancels
        np.testing.assert_allclose(weights @ correlation @ weights, 1, rtol=2e-5)
        np.testing.assert_allclose(correlation @ weights, made.local.response[y, x] * profile, atol=2e-5)


@pytest.mark.parametrize(("level", "spacing"), LEVELS_AND_SPACINGS)
def test_pixels_count_where_the_filters_of_the_stencil_are_not_masked(level, spacing, uneven_depth):
    depth = uneven_depth(PIXELS)
    counted = stencil_of(level, spacing, depth).local.counted
    rng = np.random.default_rng(2)
    for y, x in np.concatenate([rng.permutation(np.argwhere(counted == each))[:100] for each in (True, False)]):
        share = np.max((kernels(level, spacing, y, x)[:, depth == 0] ** 2).sum(axis=1))
        assert counted[y, x] == (share <= 0.2)
    assert 0 < counted.mean() < 1


def test_pixels_keep_away_from_a_hole_as_from_the_edge():
    depth = np.ones((PIXELS, PIXELS))
    depth[30, 33] = 0
    counted, border = stencil_of(2, 1, depth, max_masked=0.0).local.counted, region_of(2, 1).border
    y, x = np.mgrid[border : PIXELS - border, border : PIXELS - border]
    np.testing.assert_array_equal(counted, np.maximum(np.abs(y - 30), np.abs(x - 33)) > border)


def test_stencil_refuses_a_mask_that_leaves_no_peaks():
    depth = np.ones((PIXELS, PIXELS))
    depth[::4, ::4] = 0
    match = r"masked pixels hold 0.0\d+ of the filter or more everywhere on starlet level 2, above max_masked = 0"
    with pytest.raises(ValueError, match=match):
        stencil_of(2, 1, depth, max_masked=0.0)


def test_stencil_refuses_uneven_depth_where_neighbours_hardly_differ():
    depth = np.where(np.arange(384)[:, None] < 192, 2e-3, 1.0) * np.ones(384)
    region, noise = Region(384, 7.5, starlet_reach(6) + 1), ShapeNoise((0.1,), depth)
    match = r"depth is too uneven for neighbours 1 pixels apart on starlet level 6, .*: choose statistics.peaks.stencil"
    with pytest.raises(ValueError, match=match):
        uneven_stencil(6, 1, region, noise)
