"""Statistics of single pixels against plain NumPy on maps that are filtered pixel by pixel, masks included."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.bins import bins_of
from lenscast.sections.errors import ConfigError
from lenscast.statistics import Observation, Region, ShapeNoise
from lenscast.statistics.registry import statistics_from_config

PIXELS, BORDER = 40, 7
RMS = (0.05, 0.08)
THREE = (0.05, 0.08, 0.06)
EDGES = [-1.0, 0.0, 0.7, 1.5]
SPLINE = np.array([1, 4, 6, 4, 1]) / 16
SIZE = 7 * 60 / 256
"""Side of a pixel [arcmin]."""


def kernel(kind):
    """Kernel of level 2 from its definition: the spline, and the spline with a hole between its taps."""
    dilated = np.zeros(9)
    dilated[::2] = SPLINE
    fine, coarse = np.pad(np.outer(SPLINE, SPLINE), 4), np.outer(*2 * [np.convolve(SPLINE, dilated)])
    return {"starlet": fine - coarse, "smoothing": coarse}[kind]


def by_hand(kind, maps, depth, max_masked, noise_rms=RMS):
    """Filtered kappa, the rms of its noise and whether a pixel counts, by a loop over the pixels of the region."""
    weights, side = kernel(kind), PIXELS - 2 * BORDER
    share = weights**2 / np.sum(weights**2)
    variance = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    kappa, rms, counted = np.empty((len(maps), side, side)), np.empty((side, side)), np.empty((side, side), bool)
    for y in range(side):
        for x in range(side):
            near = (slice(y + BORDER - 6, y + BORDER + 7), slice(x + BORDER - 6, x + BORDER + 7))
            kappa[:, y, x] = (weights * np.where(depth > 0, maps, 0)[:, *near]).sum(axis=(1, 2))
            rms[y, x] = np.sqrt((weights**2 * variance[near]).sum())
            counted[y, x] = (share * (depth[near] == 0)).sum() <= max_masked
    return kappa, rms * np.array(noise_rms)[:, None, None], counted


def measure(name, section, depth, max_masked=0.2):
    """A statistic of a section of the config on a random map, and kappa, noise and pixels by hand."""
    statistic = statistics_from_config({name: section})[name]
    region = Region(PIXELS, PIXELS * SIZE / 60, BORDER)
    observation = Observation(region, ShapeNoise(RMS, depth, max_masked))
    kappa, noise = 0.06 * np.random.default_rng(5).normal(size=(2, 2, PIXELS, PIXELS))
    found = np.asarray(statistic.measured(jnp.asarray(kappa), jnp.asarray(noise), observation))
    return found, by_hand(section["filter"], kappa + noise, np.ones((PIXELS, PIXELS)) if depth is None else depth, 0.2)


@pytest.fixture(params=["uniform", "uneven"])
def depth(request, uneven_depth):
    return uneven_depth(PIXELS) if request.param == "uneven" else None


@pytest.fixture(params=["starlet", "smoothing"])
def scales(request):
    return {"filter": request.param, "scales_arcmin": [4 * SIZE]}


def test_pdf_is_a_histogram(depth, scales):
    found, (kappa, rms, counted) = measure("pdf", {"snr_edges": EDGES, **scales}, depth)
    assert counted.all() == (depth is None)
    expected = [np.histogram((kappa / rms)[source][counted], EDGES)[0] for source in (0, 1)]
    np.testing.assert_allclose(found, np.ravel(expected / (counted.sum() * np.diff(EDGES))), rtol=1e-12)


def test_l1_norm_is_a_sum_of_absolute_values(depth, scales):
    found, (kappa, rms, counted) = measure("l1_norm", {"snr_edges": EDGES, **scales}, depth)
    expected = []
    for nu in (kappa / rms)[:, counted]:
        bins = np.digitize(nu, EDGES)
        expected += [np.abs(nu[bins == index]).sum() for index in range(len(EDGES) + 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_moments_are_means_of_products(order, depth, scales):
    found, (kappa, _, counted) = measure("moments", {"order": order, **scales}, depth)
    first, second = kappa[:, counted]
    expected = {
        2: [np.mean(first**2), np.mean(first * second), np.mean(second**2)],
        3: [np.mean(first**3), np.mean(first**2 * second), np.mean(second**2 * first), np.mean(second**3)],
        4: [np.mean(each**4) - 3 * np.mean(each**2) ** 2 for each in (first, second)],
    }
    np.testing.assert_allclose(found, expected[order], rtol=1e-9, atol=1e-15)


def third_moments(scales, depth):
    """Third moments of three sources, and how they are observed."""
    statistic = statistics_from_config({"third": {"kind": "moments", "order": 3, **scales}})["third"]
    return statistic, Observation(Region(PIXELS, PIXELS * SIZE / 60, BORDER), ShapeNoise(THREE, depth, 0.2))


def test_third_moments_of_three_sources(depth, scales):
    statistic, observation = third_moments(scales, depth)
    maps, noise = 0.06 * np.random.default_rng(6).normal(size=(2, 3, PIXELS, PIXELS))
    nominal = np.ones((PIXELS, PIXELS)) if depth is None else depth

    def of(kappa, counted):
        triples = [(a, b, c) for a in range(3) for b in range(a, 3) for c in range(b, 3)]
        return [np.mean((kappa[a] * kappa[b] * kappa[c])[counted]) for a, b, c in triples]

    noisy, _, counted = by_hand(scales["filter"], maps + noise, nominal, 0.2, THREE)
    measured = statistic.measured(jnp.asarray(maps), jnp.asarray(noise), observation)
    np.testing.assert_allclose(measured, of(noisy, counted), rtol=1e-9, atol=1e-15)
    # noise of plus or minus its rms has the first three moments of normal noise
    kappa, rms, _ = by_hand(scales["filter"], maps, nominal, 0.2, THREE)
    signs = np.array([*product((-1, 1), repeat=3)])[:, :, None, None]
    expected = np.mean([of(kappa + each * rms, counted) for each in signs], axis=0)
    found = statistic.expected(jnp.asarray(maps), jnp.asarray(noise), observation)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_third_moments_of_three_sources_are_differentiable(depth, scales, assert_derivatives):
    statistic, observation = third_moments(scales, depth)
    maps, noise, direction = 0.06 * jax.random.normal(jax.random.key(7), (3, 3, PIXELS, PIXELS), jnp.float64)
    # central differences of a cubic are off in the third order of the step alone
    assert_derivatives(
        lambda kappa: statistic.expected(kappa, noise, observation), maps, direction, step=1e-4, rtol=1e-6
    )


def test_moments_name_their_sources():
    section = {"filter": "smoothing", "scales_arcmin": [2 * SIZE, 4 * SIZE]}
    for order, sources in (
        (2, [(0, 0), (0, 1), (1, 1)]),
        (3, [(0, 0), (0, 1), (1, 0), (1, 1)]),
        (4, [(0, None), (1, None)]),
    ):
        statistic = statistics_from_config({"m": {"kind": "moments", "order": order, **section}})["m"]
        bins = statistic.bins(Observation(Region(PIXELS, PIXELS * SIZE / 60, BORDER), ShapeNoise(RMS)))
        assert [(each["source_1"], each["source_2"]) for each in bins[::2]] == sources
        assert [each["centre"] for each in bins[:2]] == pytest.approx([2 * SIZE, 4 * SIZE])


def test_third_moments_of_three_sources_have_names():
    statistic, observation = third_moments({"filter": "starlet", "scales_arcmin": [4 * SIZE]}, None)
    names = [name.split()[1] for name in bins_of([statistic], observation)["name"]]
    assert names == ["0-0", "0-1", "0-2", "1-0", "0-1-2", "2-0", "1-1", "1-2", "2-1", "2-2"]


def test_expected_without_draws_is_the_same_for_all_noise():
    section = {"snr_edges": EDGES, "filter": "starlet", "scales_arcmin": [4 * SIZE]}
    observation = Observation(Region(PIXELS, PIXELS * SIZE / 60, BORDER), ShapeNoise(RMS))
    kappa, *noise = 0.06 * jax.random.normal(jax.random.key(0), (3, 2, PIXELS, PIXELS))
    for kind in ("pdf", "l1_norm"):
        statistic = statistics_from_config({kind: section})[kind]
        assert not statistic.needs_noise
        first, second = (statistic.expected(kappa, each, observation) for each in noise)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, statistic.estimate(kappa, jax.random.key(1), observation))


def test_functions_of_pixels_have_the_derivatives_of_plain_differentiation():
    from lenscast.statistics.pixel_sums import pixel_sums

    def function(first, second):
        return jnp.stack([jnp.sin(first) * second, first**2])

    maps = jax.random.normal(jax.random.key(2), (2, 3, 8, 8), jnp.float64)
    tangents = jax.random.normal(jax.random.key(3), (2, 3, 8, 8), jnp.float64)
    counted = np.random.default_rng(4).random((8, 8)) > 0.3
    found = jax.jvp(lambda *each: pixel_sums(function, counted, *each), tuple(maps), tuple(tangents))
    plain = jax.jvp(
        lambda *each: jnp.where(counted, function(*each), 0).sum(axis=(-2, -1)).T, tuple(maps), tuple(tangents)
    )
    for ours, theirs in zip(found, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "changes", "match"),
    [
        ("pdf", {"filter": "gaussian"}, r"\.pdf\.filter: 'gaussian' given; must be one of starlet, smoothing"),
        ("pdf", {"snr_edges": [1.0, 0.0]}, r"\.pdf\.snr_edges: values must increase, but 0 follows 1; sort them"),
        ("pdf", {"snr_edges": [1.0]}, r"\.pdf\.snr_edges: \[1.0\] given; must be a list of 2 or more"),
        ("l1_norm", {"edges": [1.0]}, r"\.l1_norm\.edges: unknown key"),
        ("minkowski", {"functional": "V3", "snr_edges": EDGES}, r"functional: 'V3' given; must be one of V0, V1, V2"),
        ("minkowski", {"snr_edges": EDGES}, r"\.minkowski\.functional: missing"),
        ("moments", {"order": 5}, r"\.moments\.order: 5 given; must be one of 2, 3, 4"),
        ("scattering", {"filter": None, "angles": 1}, r"\.scattering\.angles: 1 given; must be"),
        ("minima", {"filter": None, "snr_edges": EDGES}, r"\.minima\.stencil: missing"),
    ],
)
def test_sections_refuse_what_has_no_meaning(name, changes, match):
    section = {"filter": "starlet", "scales_arcmin": [9.4], **changes}
    with pytest.raises(ConfigError, match=match):
        statistics_from_config({name: {key: value for key, value in section.items() if value is not None}})


def test_a_mask_that_leaves_no_pixel_is_refused():
    depth = np.ones((PIXELS, PIXELS))
    depth[::3, ::3] = 0
    with pytest.raises(ValueError, match=r"masked pixels hold .* everywhere on starlet level 2, above max_masked = 0"):
        measure("pdf", {"snr_edges": EDGES, "filter": "starlet", "scales_arcmin": [4 * SIZE]}, depth, 0.0)
