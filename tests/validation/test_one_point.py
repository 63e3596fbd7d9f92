import numpy as np
import pytest
from scipy.stats import norm, skew

from lenscast.statistics.region import Region
from lenscast.validation.one_point import density, one_point, one_point_bins, skewness, smoothed, variance

REGION = Region(pixels=128, field_deg=128 / 60, border=16)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_smoothing_damps_a_wave_as_a_gaussian_of_this_width(sigma):
    y, x = np.meshgrid(np.arange(128), np.arange(128), indexing="ij")
    wave = np.cos(2 * np.pi * (y / 32 + x / 16))  # pixels of 1 arcmin
    squared = (2 * np.pi) ** 2 * (1 / 32**2 + 1 / 16**2)
    # the Gaussian ends at four widths, where 6e-5 of it is left on each axis, and is sampled at pixels
    expected = np.exp(-squared * sigma**2 / 2) * REGION.crop(wave)
    np.testing.assert_allclose(smoothed(wave, REGION, sigma), expected, atol=3e-4)


def test_smoothing_sees_no_edge(rng):
    maps = rng.normal(size=(2, 128, 128))
    beyond = np.pad(maps, ((0, 0), (20, 20), (20, 20)), constant_values=1e6)
    wide = Region(pixels=168, field_deg=168 / 60, border=36)
    np.testing.assert_array_equal(smoothed(maps, REGION, 4.0), smoothed(beyond, wide, 4.0))


def test_smoothing_beyond_the_border_leaves_a_margin(rng):
    maps = rng.normal(size=(128, 128)).astype(np.float32)
    assert smoothed(maps, REGION, 4.0).shape == (96, 96)
    wider = smoothed(maps, REGION, 5.0)
    assert wider.shape == (88, 88)
    beyond = np.pad(maps, 5, constant_values=1e6)
    np.testing.assert_array_equal(wider, smoothed(beyond, Region(138, 138 / 60, 25), 5.0))


def test_moments_are_those_of_each_map_about_its_mean(rng):
    maps = rng.lognormal(sigma=0.5, size=(3, 2, 40, 30)) + 7
    pixels = maps.reshape(3, 2, -1)
    np.testing.assert_allclose(skewness(maps), skew(pixels, axis=-1), rtol=1e-10)
    np.testing.assert_allclose(variance(maps), (pixels**2).mean(-1) - pixels.mean(-1) ** 2, rtol=1e-10)
    np.testing.assert_allclose(skewness(-3 * maps), -skewness(maps), rtol=1e-10)


def test_skewness_of_a_lognormal_map_is_the_analytic_one(rng):
    width = 0.2
    maps = rng.lognormal(sigma=width, size=(8, 256, 256))
    growth = np.exp(width**2)
    # 5e5 pixels: sqrt(6 / 5e5) = .0035 for a Gaussian, about twice that here
    np.testing.assert_allclose(skewness(maps).mean(), (growth + 2) * np.sqrt(growth - 1), atol=0.02)


def test_density_is_that_of_a_gaussian_map(rng):
    maps, edges = rng.normal(0, 2, (16, 128, 128)), np.array([-4.0, -1.0, 0.0, 3.0, 5.0])
    expected = np.diff(norm.cdf(edges, scale=2)) / np.diff(edges)
    shares = density(maps, edges)
    # shares of p of 16384 pixels scatter by sqrt(p (1 - p) / 16384) between maps; five times that of their mean
    scatter = np.sqrt(expected / np.diff(edges) / maps.size)
    assert np.all(np.abs(shares.mean(axis=0) - expected) < 5 * scatter)
    np.testing.assert_allclose(shares[3], np.histogram(maps[3], edges)[0] / 16384 / np.diff(edges))


def test_one_point_bins_say_what_its_values_are(rng):
    maps, edges = rng.normal(size=(5, 2, 32, 32)), np.array([[-1.0, 0.0, 2.0], [-3.0, 0.5, 1.0]])
    values, bins = one_point(maps, edges), one_point_bins(edges, 2.0)
    assert values.shape == (5, len(bins))
    for source in (0, 1):
        own = bins["source_1"] == source
        np.testing.assert_array_equal(
            values[:, own & (bins["statistic"] == "skewness")][:, 0], skewness(maps[:, source])
        )
        np.testing.assert_array_equal(
            values[:, own & (bins["statistic"] == "variance")][:, 0], variance(maps[:, source])
        )
        rows = bins[own & (bins["statistic"] == "density")]
        np.testing.assert_array_equal(rows["low"], edges[source, :-1])
        np.testing.assert_array_equal(rows["high"], edges[source, 1:])
        np.testing.assert_array_equal(rows["centre"], (edges[source, 1:] + edges[source, :-1]) / 2)
        np.testing.assert_array_equal(values[:, rows.index], density(maps[:, source], edges[source]))
    assert set(bins["scale_arcmin"]) == {2.0}
