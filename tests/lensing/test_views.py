"""Views of the planes of a box that realisations draw."""

import jax
import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from lenscast.lensing import draw_view


@pytest.fixture(scope="module")
def views(lightcone):
    """Views of many realisations."""
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
    again = jax.jit(lambda key: draw_view(key, lightcone))(jax.random.split(jax.random.key(1), 400)[7])
    for name, value in vars(again).items():
        np.testing.assert_array_equal(value, getattr(views, name)[7])
