"""Views of the planes of a box that realisations draw."""

import jax
import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from lenscast.lensing import draw_view, draw_views

NUMBER = 24


@pytest.fixture(scope="module")
def drawn_together(lightcone):
    """Views of many boxes: of each, views that are drawn together."""
    draw = jax.jit(jax.vmap(lambda key: draw_views(key, NUMBER, lightcone)))
    return draw(jax.random.split(jax.random.key(2), 400))


@pytest.fixture(scope="module", params=["alone", "together"])
def views(request, lightcone, drawn_together):
    """Views of many realisations, drawn alone, or one of each box's that are drawn together."""
    if request.param == "together":
        return jax.tree.map(lambda each: each[:, 7], drawn_together)
    return jax.jit(jax.vmap(lambda key: draw_view(key, lightcone)))(jax.random.split(jax.random.key(1), 400))


def test_views_are_uniform(views, lightcone):
    # 4400 planes: each test at a level of 1e-3
    turns = np.stack([views.axis, views.slab, views.transpose, views.flip[..., 0], views.flip[..., 1]])
    counts = np.bincount(np.ravel_multi_index(turns.reshape(5, -1), (3, lightcone.slabs_per_box, 2, 2, 2)))
    assert len(counts) == 48
    assert chisquare(counts).pvalue > 1e-3
    shift = np.asarray(views.shift, np.float64) / lightcone.box_size
    assert shift.min() >= 0
    assert shift.max() < 1
    assert kstest(shift.ravel(), "uniform").pvalue > 1e-3


def test_views_of_planes_and_keys_are_independent(views, lightcone):
    # 400 realisations: correlations scatter by 0.05, some 800 of them stay within 4.5 errors
    numbers = [views.axis, views.slab, views.transpose, *np.moveaxis(views.flip, -1, 0)]
    columns = np.concatenate([*numbers, *np.moveaxis(views.shift, -1, 0)], axis=1).astype(float)
    correlation = np.corrcoef(columns.T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.225
    following = (columns[1:] - columns.mean(axis=0)) * (columns[:-1] - columns.mean(axis=0)) / columns.var(axis=0)
    assert np.abs(following.mean(axis=0)).max() < 0.225


def test_a_view_follows_from_its_key(lightcone):
    views = jax.jit(jax.vmap(lambda key: draw_view(key, lightcone)))(jax.random.split(jax.random.key(1), 400))
    again = jax.jit(lambda key: draw_view(key, lightcone))(jax.random.split(jax.random.key(1), 400)[7])
    for name, value in vars(again).items():
        np.testing.assert_array_equal(value, getattr(views, name)[7])


def phases(views, lightcone):
    """Points of the shifts on the unit circle, along y and x."""
    return np.exp(2j * np.pi * np.asarray(views.shift, float) / lightcone.box_size)


def test_views_drawn_together_share_out_axes_slabs_and_reflections(drawn_together, lightcone):
    slabs = 3 * lightcone.slabs_per_box
    slab = np.asarray(drawn_together.axis + 3 * drawn_together.slab)
    reflection = np.asarray(drawn_together.transpose) + drawn_together.flip @ np.array([2, 4])
    for one_slab, one_reflection in zip(
        np.moveaxis(slab, 1, -1)[:20], np.moveaxis(reflection, 1, -1)[:20], strict=True
    ):
        for plane, turned in zip(one_slab, one_reflection, strict=True):
            assert np.ptp(np.bincount(plane, minlength=slabs)) <= 1
            assert all(np.bincount(turned[plane == each]).max() == 1 for each in range(slabs))


def test_shifts_drawn_together_cover_each_slab_evenly(drawn_together, lightcone):
    points, slab = phases(drawn_together, lightcone), np.asarray(drawn_together.axis + 3 * drawn_together.slab)
    weight = (slab == 0) / np.sum(slab == 0, axis=1, keepdims=True)
    for wave in (points[..., 0], points[..., 1], points[..., 0] * points[..., 1], points[..., 0] / points[..., 1]):
        scatter = np.mean(np.abs(np.sum(weight * wave, axis=1)) ** 2)
        # 1 / (number of views of the slab) for shifts that are drawn alone
        assert scatter < 0.5 * np.mean(1 / np.sum(slab == 0, axis=1))


def test_planes_are_independent_in_views_drawn_together(drawn_together, lightcone):
    points = phases(drawn_together, lightcone)[..., 0]
    for other in (np.roll(points, 1, axis=2), np.conj(np.roll(points, 1, axis=2))):
        scatter = np.abs(np.mean(points * other, axis=1)) ** 2
        # an exponential variable of mean 1 / NUMBER for independent shifts: 4400 of them have a mean good to 1.5 %
        np.testing.assert_allclose(NUMBER * scatter.mean(), 1, atol=0.07)


def test_means_over_views_drawn_together_are_unbiased(drawn_together, lightcone):
    # a function of all planes that knows the axis of each, and whose mean is 1
    y, x = np.moveaxis(phases(drawn_together, lightcone), -1, 0)
    of_axis = np.array([0.1, 0.3, 0.5])[np.asarray(drawn_together.axis)]
    values = np.prod(1 + of_axis * np.real(y * x) + of_axis * np.real(y**2), axis=-1).mean(axis=1)
    assert abs(values.mean() - 1) < 4.5 * values.std() / np.sqrt(len(values))
    # means of a single plane scatter less than those of views that are drawn alone
    single = 1 + of_axis * np.real(y * x)
    assert single.mean(axis=1).var() < 0.5 * single.var() / NUMBER
