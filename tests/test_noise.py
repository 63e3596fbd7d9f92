"""Shape noise of maps."""

import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.measurement import noise_maps
from lenscast.sections.survey import Survey
from lenscast.statistics import ShapeNoise

SHAPE = (2, 128, 128)


def rms(value):
    return jnp.full((2, 1, 1), value, jnp.float32)


def test_rms_is_that_of_the_mean_ellipticity_of_a_pixel():
    sources = {"kind": "planes", "z": [0.914]}
    survey = Survey(sources=sources, area_deg2=1.0, sigma_e=0.26, n_gal=(20.0,), depth={"kind": "uniform"})
    (found,) = ShapeNoise.of_survey(survey, pixel_arcmin=0.293).rms
    # 0.26 per component, 20 galaxies per arcmin^2, pixels of 0.293 arcmin: 1.717 galaxies each
    assert found == pytest.approx(0.26 / np.sqrt(1.71698), rel=1e-6)
    assert found == pytest.approx(0.198, abs=5e-4)  # Lanzieri et al. (2023)


def test_noise_has_its_rms_and_is_white():
    noise = np.asarray(noise_maps(0, 0, 0, SHAPE, rms(0.2)))
    assert noise.dtype == np.float32
    # 16384 pixels per map: the rms to 0.6 %, mean and correlations to 0.8 %; four errors
    np.testing.assert_allclose(noise.std(axis=(1, 2)), 0.2, rtol=0.022)
    unit = noise / 0.2
    assert np.abs(unit.mean(axis=(1, 2))).max() < 0.032
    others = [np.roll(unit, 1, axis) for axis in (1, 2)] + [unit[::-1]]
    assert max(np.abs((unit * each).mean(axis=(1, 2))).max() for each in others) < 0.032
    # kurtosis of a Gaussian
    np.testing.assert_allclose((unit**4).mean(), 3, rtol=0.08)


def test_noise_of_each_pixel_has_its_rms():
    rows = jnp.linspace(0, 2, 128, dtype=jnp.float32)[None, :, None]
    sizes = jnp.array([0.1, 0.3], jnp.float32)[:, None, None] * rows
    uneven, even = (np.asarray(noise_maps(2, 0, 0, SHAPE, each)) for each in (sizes, rms(1.0)))
    np.testing.assert_allclose(uneven, sizes * even, rtol=1e-6)
    assert np.all(uneven[:, 0] == 0)


def test_noise_differs_between_boxes_realisations_and_draws():
    labels = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    maps = [np.asarray(noise_maps(*each, SHAPE, rms(1.0))).ravel() for each in labels]
    np.testing.assert_array_equal(noise_maps(1, 0, 0, SHAPE, rms(1.0)).ravel(), maps[0])
    np.testing.assert_allclose(noise_maps(1, 0, 0, SHAPE, rms(0.1)).ravel(), jnp.float32(0.1) * maps[0], rtol=1e-6)
    correlations = np.corrcoef(maps)[np.triu_indices(4, 1)]
    # 32768 pixels: four errors
    assert np.abs(correlations).max() < 0.022
