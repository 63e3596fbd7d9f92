"""Data vectors of a map: two estimates, their average over noise, their Jacobian and the names of their bins."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.simulate import noise_maps
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.summarise import bin_table, calibrated, expected_and_jacobian, summarise

PIXELS, FIELD, NOISE = 48, 3.0, ShapeNoise((0.02, 0.02))
SECTIONS = {
    "power_spectrum": {"ell_edges": [300.0, 900.0, 2000.0, 2700.0]},
    "peaks": {"scales_arcmin": [7.5], "snr_edges": [0.0, 1.0, 2.0], "stencil": "pixel", "counts": "hard"},
}


NONE = jnp.zeros((0, 2, PIXELS, PIXELS), jnp.float32)


@pytest.fixture(scope="module")
def statistics():
    return statistics_from_config(SECTIONS, PIXELS, FIELD, NOISE)


@pytest.fixture(scope="module")
def maps():
    """Smooth convergence of two sources, and three directions in which it changes."""
    rng = np.random.default_rng(0)
    ell = np.hypot(np.fft.fftfreq(PIXELS)[:, None], np.fft.rfftfreq(PIXELS)) * 2 * np.pi * PIXELS / np.radians(FIELD)
    white = np.fft.rfft2(rng.normal(size=(4, 2, PIXELS, PIXELS)))
    fields = np.fft.irfft2(white * np.exp(-((ell / 1500) ** 2)), s=(PIXELS, PIXELS))
    fields = jnp.asarray(0.02 * fields / fields.std(), jnp.float32)
    return fields[0], fields[1:]


@pytest.fixture(scope="module")
def summary(statistics):
    """`summarise` of a map by seed, realisation and number of draws."""
    return jax.jit(
        lambda kappa, seed, number, draws: summarise(kappa, seed, number, statistics, draws), static_argnums=3
    )


def test_bins_have_unique_names_in_the_order_of_the_data(statistics, maps, summary):
    table = bin_table(statistics)
    assert table["name"].is_unique
    assert table["name"].iloc[0] == "power_spectrum 0-0 300..900"
    assert table["name"].iloc[8] == "power_spectrum 1-1 2000..2700"
    assert table["name"].iloc[9] == "peaks 0 7.5 arcmin ..0"
    assert table["name"].iloc[-1] == "peaks 1 7.5 arcmin 2.."
    measured = summary(maps[0], 1, 0, 1).measured
    assert len(table) == len(measured) == 3 * 3 + 2 * 4
    noise = noise_maps(1, 0, 0, maps[0].shape, NOISE.rms_maps())
    for statistic in statistics:
        mine = np.asarray(table["statistic"] == statistic.name)
        # the same numbers by another program: a peak may hang on the last bit
        alone = jax.jit(lambda *x, s=statistic: s.measured(*x))(maps[0], noise)
        np.testing.assert_allclose(measured[mine], alone, rtol=1e-5)


def test_draws_average_single_draws_with_noise_of_their_own(statistics, maps, summary):
    average, spectrum = summary(maps[0], 5, 2, 2), statistics[0]
    measure = jax.jit(lambda draw: spectrum.measured(maps[0], noise_maps(5, 2, draw, maps[0].shape, NOISE.rms_maps())))
    single = np.array([measure(draw) for draw in range(2)])
    assert np.all(single[0] != single[1])
    np.testing.assert_allclose(average.measured[:9], single.mean(axis=0), rtol=1e-5)
    for seed, realisation in ((5, 3), (6, 2)):
        assert np.all(summary(maps[0], seed, realisation, 2).measured[:9] != average.measured[:9])


def test_measured_data_average_to_the_expected(statistics, maps):
    @jax.jit
    def both(kappa):
        return jax.lax.map(lambda number: summarise(kappa, 9, number, statistics), jnp.arange(400))

    measured, expected = (np.asarray(each) for each in both(maps[0]))
    difference = measured - expected
    score = difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(400))
    # 17 bins
    assert np.abs(score).max() < 3.5
    # what the noise adds on average is known, for spectra exactly and for counts all but
    np.testing.assert_allclose(expected[:, :9].std(axis=0) / expected[:, :9].mean(axis=0), 0, atol=1e-10)
    assert np.all(expected.std(axis=0) < measured.std(axis=0))
    assert np.all(measured[:, [0, 1, 2]].mean(axis=0) > 0)


def test_jacobian_agrees_with_differences_of_the_expected(statistics, maps, summary):
    kappa, tangents = maps
    value, jacobian = jax.jit(partial(expected_and_jacobian, statistics=statistics, draws=2))(
        kappa, tangents, NONE, 4, 1
    )
    assert jacobian.shape == (3, 17)
    np.testing.assert_allclose(value, summary(kappa, 4, 1, 2).expected, rtol=1e-5)
    for number, tangent in enumerate(tangents):
        ends = [summary(kappa + sign * 0.1 * tangent, 4, 1, 2).expected for sign in (1, -1)]
        difference = (ends[0] - ends[1]) / 0.2
        # spectra are quadratic: exact but for the rounding of maps
        spectra, atol = jacobian[number, :9], 1e-4 * np.abs(difference[:9]).max()
        np.testing.assert_allclose(spectra, difference[:9], rtol=0, atol=atol)


def test_jacobian_of_another_quantity_is_that_of_its_method(statistics, maps):
    kappa, tangents = maps
    spectrum = statistics[:1]
    noise = noise_maps(4, 1, 0, kappa.shape, NOISE.rms_maps())

    def of_measured(kappa, tangents):
        return expected_and_jacobian(kappa, tangents, NONE, 4, 1, spectrum, quantity="measured")

    value, jacobian = jax.jit(of_measured)(kappa, tangents)
    np.testing.assert_allclose(value, spectrum[0].measured(kappa, noise), rtol=1e-5)
    ends = [spectrum[0].measured(kappa + sign * 0.1 * tangents[0], noise) for sign in (1, -1)]
    difference = (ends[0] - ends[1]) / 0.2
    np.testing.assert_allclose(jacobian[0], difference, rtol=0, atol=1e-4 * np.abs(difference).max())


def test_statistics_say_whether_their_mean_needs_noise(statistics, maps):
    noise = [noise_maps(1, 0, draw, maps[0].shape, NOISE.rms_maps()) for draw in range(2)]
    for statistic in statistics:
        first, second = (jax.jit(lambda n, s=statistic: s.expected(maps[0], n))(each) for each in noise)
        assert bool(jnp.array_equal(first, second)) is not statistic.needs_noise


@pytest.mark.slow
def test_data_seen_through_a_mask_average_to_the_expected_and_do_not_know_what_is_masked(maps):
    depth = np.where(np.random.default_rng(1).random((PIXELS, PIXELS)) < 0.02, 0.0, 1.0)
    depth[:, PIXELS // 2 :] *= 2
    masked = statistics_from_config(SECTIONS, PIXELS, FIELD, ShapeNoise(NOISE.rms, depth, 0.2))

    @jax.jit
    def both(kappa):
        return jax.lax.map(lambda number: summarise(kappa, 9, number, masked), jnp.arange(400))

    measured, expected = (np.asarray(each) for each in both(maps[0]))
    difference = measured - expected
    score = difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(400))
    # 17 bins
    assert np.abs(score).max() < 3.5
    changed = jnp.where(depth > 0, maps[0], 1.0)
    np.testing.assert_array_equal(both(changed).measured, measured)


def test_jacobian_by_parameters_of_each_source_moves_one_source_at_a_time(statistics, maps):
    kappa, tangents = maps
    derive = jax.jit(partial(expected_and_jacobian, statistics=statistics, draws=2))
    _, jacobian = derive(kappa, tangents[:1], tangents[1:], 4, 1)
    one_by_one = jnp.stack([jnp.zeros_like(kappa).at[s].set(each[s]) for each in tangents[1:] for s in range(2)])
    _, expected = derive(kappa, jnp.concatenate([tangents[:1], one_by_one]), NONE, 4, 1)
    assert jacobian.shape == (1 + 2 * 2, 17)
    size = np.abs(expected).max(axis=1, keepdims=True)
    # another program, in float32
    np.testing.assert_allclose(jacobian / size, expected / size, rtol=1e-5, atol=1e-6)
    table = bin_table(statistics)
    # a map of the other source alone does not change
    others = (table["source_1"] == 0) & (table["source_2"].isna() | (table["source_2"] == 0))
    np.testing.assert_array_equal(jacobian[2][others.to_numpy()], 0)


def test_derivative_by_calibration_is_that_along_the_map(statistics, maps, summary):
    kappa, _ = maps
    _, jacobian = jax.jit(partial(expected_and_jacobian, statistics=statistics[:1], draws=1))(
        kappa, NONE, kappa[None], 4, 1
    )
    for source in range(2):
        bias = 0.1 * jnp.eye(2)[source]
        ends = [summary(calibrated(kappa, sign * bias), 4, 1, 1).expected[:9] for sign in (1, -1)]
        # spectra are quadratic in m
        np.testing.assert_allclose(jacobian[source], (ends[0] - ends[1]) / 0.2, rtol=1e-4, atol=1e-14)


def test_calibration_scales_each_source_by_its_own_factor(maps):
    kappa, _ = maps
    seen = calibrated(kappa, jnp.array([0.1, -0.2]))
    assert seen.dtype == jnp.float32
    np.testing.assert_allclose(seen[0], 1.1 * kappa[0], rtol=1e-6)
    np.testing.assert_allclose(seen[1], 0.8 * kappa[1], rtol=1e-6)
