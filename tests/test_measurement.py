"""Data vectors of a map: two estimates, their average over noise, their Jacobian and the names of their bins."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.bins import bin_table, jacobian_parameters
from lenscast.experiment import Experiment, complete
from lenscast.experiment.observation import observation
from lenscast.measurement import (
    MapAndTangents,
    calibrated,
    expected_and_jacobian,
    joined,
    noise_alone,
    noise_maps,
    summarise,
)

PIXELS, FIELD, RMS = 48, 3.0, 0.02
STATISTICS = {
    "power_spectrum": {"ell_edges": [300.0, 900.0, 2000.0, 2700.0]},
    "peaks": {"scales_arcmin": [7.5], "snr_edges": [0.0, 1.0, 2.0], "stencil": "pixel", "counts": "hard"},
}
UNIFORM = {"kind": "uniform"}
DRAW_NOISE = jax.jit(noise_maps, static_argnums=3)
SECOND_MOMENT = '''
from typing import ClassVar

import numpy as np

from lenscast.statistics import Bin, Observation, Statistic


class SecondMoment(Statistic):
    """Mean square of the map of each source in the region."""

    label: ClassVar[str] = "second moment"
    axis: ClassVar[str] = "order"

    def bins(self, observation: Observation) -> list[Bin]:
        own = {"source_2": None, "scale_arcmin": None, "low": None, "high": None, "centre": 2.0, "unit": "1"}
        return [Bin(statistic=self.name, source_1=source, **own) for source in range(observation.noise.sources)]

    def measured(self, kappa, noise, observation):
        return (observation.region.crop(kappa + noise).astype(float) ** 2).mean(axis=(-2, -1))

    def expected(self, kappa, noise, observation):
        signal = (observation.region.crop(kappa).astype(float) ** 2).mean(axis=(-2, -1))
        return signal + np.array(observation.noise.rms) ** 2
'''


def experiment_of(statistics=STATISTICS, parameters=("Omega_c", "sigma8", "w0"), depth=UNIFORM):
    """Two sources on maps of 48 pixels with noise of rms 0.02, and a forecast of these parameters."""
    config = complete({"base": str(Path(__file__).parent / "workflow" / "config.yaml")})
    survey = {
        "sources": {"kind": "planes", "z": [0.5, 0.9]},
        "sigma_e": RMS * 60 * FIELD / PIXELS,
        "n_gal": [1.0, 1.0],
        "depth": depth,
    }
    changed = {
        "lightcone": config["lightcone"] | {"pixels": PIXELS, "field_deg": FIELD},
        "survey": config["survey"] | survey,
        "statistics": statistics,
        "forecast": {"parameters": parameters, "priors": {}, "data_vectors": {"all": [*statistics]}},
    }
    return Experiment.model_validate(config | changed)


EXPERIMENT = experiment_of()
# without peaks the region has no border
SPECTRUM = EXPERIMENT.measuring("power_spectrum")
OBSERVATION = observation(EXPERIMENT)


def draw(seed, realisation, number):
    """Shape noise of one map."""
    return DRAW_NOISE(seed, realisation, number, (2, PIXELS, PIXELS), OBSERVATION.noise.rms_maps())


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
def summary():
    """`summarise` of a map by seed, realisation and number of draws."""
    return jax.jit(
        lambda kappa, seed, number, draws: summarise(kappa, seed, number, EXPERIMENT, draws), static_argnums=3
    )


def derive(experiment, kappa, tangents, shifts=None, draws=1, quantity="expected"):
    """`expected_and_jacobian` of map 1 of seed 4, compiled."""

    @jax.jit
    def program(kappa, tangents, shifts):
        given = MapAndTangents(kappa, tangents, shifts, 4, 1)
        return joined(expected_and_jacobian(given, experiment, None, draws, quantity), experiment.statistics)

    return program(kappa, tangents, shifts)


def test_bins_have_unique_names_in_the_order_of_the_data(maps, summary):
    table = bin_table(EXPERIMENT)
    assert table["name"].is_unique
    assert table["name"].iloc[0] == "power_spectrum 0-0 300..900"
    assert table["name"].iloc[8] == "power_spectrum 1-1 2000..2700"
    assert table["name"].iloc[9] == "peaks 0 7.5 arcmin ..0"
    assert table["name"].iloc[-1] == "peaks 1 7.5 arcmin 2.."
    measured = summary(maps[0], 1, 0, 1).measured
    assert len(table) == len(measured) == 3 * 3 + 2 * 4
    noise = draw(1, 0, 0)
    for name, statistic in EXPERIMENT.statistics.items():
        mine = np.asarray(table["statistic"] == name)
        # the same numbers from another program: a peak may depend on the last bit
        alone = jax.jit(lambda *x, s=statistic: s.measured(*x, OBSERVATION))(maps[0], noise)
        np.testing.assert_allclose(measured[mine], alone, rtol=1e-5)


def test_draws_average_single_draws_with_noise_of_their_own(maps, summary):
    average, spectrum = summary(maps[0], 5, 2, 2), EXPERIMENT.statistics["power_spectrum"]
    measure = jax.jit(lambda noise: spectrum.measured(maps[0], noise, OBSERVATION))
    single = np.array([measure(draw(5, 2, number)) for number in range(2)])
    assert np.all(single[0] != single[1])
    np.testing.assert_allclose(average.measured[:9], single.mean(axis=0), rtol=1e-5)
    for seed, realisation in ((5, 3), (6, 2)):
        assert np.all(summary(maps[0], seed, realisation, 2).measured[:9] != average.measured[:9])


@pytest.mark.slow
def test_measured_data_average_to_the_expected(maps):
    @jax.jit
    def both(kappa):
        return jax.lax.map(lambda number: summarise(kappa, 9, number, EXPERIMENT), jnp.arange(400))

    measured, expected = (np.asarray(each) for each in both(maps[0]))
    difference = measured - expected
    score = difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(400))
    # 17 bins, of which one is beyond 4.5 in 1 of 9000 seeds
    assert np.abs(score).max() < 4.5
    # the mean of the noise is known, exactly for spectra and almost for counts
    np.testing.assert_allclose(expected[:, :9].std(axis=0) / expected[:, :9].mean(axis=0), 0, atol=1e-10)
    assert np.all(expected.std(axis=0) < measured.std(axis=0))
    assert np.all(measured[:, [0, 1, 2]].mean(axis=0) > 0)


def test_jacobian_agrees_with_differences_of_the_expected(maps, summary):
    kappa, tangents = maps
    value, jacobian = derive(EXPERIMENT, kappa, tangents, draws=2)
    assert jacobian_parameters(EXPERIMENT) == ("Omega_c", "sigma8", "w0")
    assert jacobian.shape == (3, 17)
    np.testing.assert_allclose(value, summary(kappa, 4, 1, 2).expected, rtol=1e-5)
    for number, tangent in enumerate(tangents):
        ends = [summary(kappa + sign * 0.1 * tangent, 4, 1, 2).expected for sign in (1, -1)]
        difference = (ends[0] - ends[1]) / 0.2
        # spectra are quadratic: exact but for the rounding of maps
        spectra, atol = jacobian[number, :9], 1e-4 * np.abs(difference[:9]).max()
        np.testing.assert_allclose(spectra, difference[:9], rtol=0, atol=atol)


def test_jacobian_of_another_quantity_is_that_of_its_method(maps):
    kappa, tangents = maps
    (spectrum,), noise, observed = SPECTRUM.statistics.values(), draw(4, 1, 0), observation(SPECTRUM)
    value, jacobian = derive(SPECTRUM, kappa, tangents, quantity="measured")
    np.testing.assert_allclose(value, spectrum.measured(kappa, noise, observed), rtol=1e-5)
    ends = [spectrum.measured(kappa + sign * 0.1 * tangents[0], noise, observed) for sign in (1, -1)]
    difference = (ends[0] - ends[1]) / 0.2
    np.testing.assert_allclose(jacobian[0], difference, rtol=0, atol=1e-4 * np.abs(difference).max())


def test_statistics_say_whether_their_mean_needs_noise(maps):
    noise = [draw(1, 0, number) for number in range(2)]
    for statistic in EXPERIMENT.statistics.values():
        first, second = (jax.jit(lambda n, s=statistic: s.expected(maps[0], n, OBSERVATION))(each) for each in noise)
        assert bool(jnp.array_equal(first, second)) is not statistic.needs_noise


@pytest.mark.slow
def test_data_seen_through_a_mask_average_to_the_expected_and_do_not_know_what_is_masked(maps, tmp_path):
    depth = np.where(np.random.default_rng(1).random((PIXELS, PIXELS)) < 0.02, 0.0, 1.0)
    depth[:, PIXELS // 2 :] *= 2
    np.save(tmp_path / "depth.npy", depth)
    masked = experiment_of(depth={"kind": "map", "file": str(tmp_path / "depth.npy"), "max_masked": 0.2})
    np.testing.assert_array_equal(observation(masked).noise.depth, depth)

    @jax.jit
    def both(kappa):
        return jax.lax.map(lambda number: summarise(kappa, 9, number, masked), jnp.arange(400))

    measured, expected = (np.asarray(each) for each in both(maps[0]))
    difference = measured - expected
    score = difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(400))
    # 17 bins, of which one is beyond 4.5 in 1 of 9000 seeds
    assert np.abs(score).max() < 4.5
    changed = jnp.where(depth > 0, maps[0], 1.0)
    np.testing.assert_array_equal(both(changed).measured, measured)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [("sigma8", "delta_z", "m"), ("m", "sigma8", "delta_z")])
def test_jacobian_with_respect_to_parameters_of_each_source_moves_one_source_at_a_time(parameters, maps):
    kappa, tangents = maps
    experiment, (shared, shifts) = experiment_of(parameters=parameters), (tangents[:1], tangents[1])
    own = {"delta_z": shifts, "m": kappa}
    kinds = [name for name in parameters if name in own]
    assert jacobian_parameters(experiment) == ("sigma8", *(f"{name}_{source}" for name in kinds for source in (1, 2)))
    _, jacobian = derive(experiment, kappa, shared, shifts, draws=2)
    one_by_one = jnp.stack([jnp.zeros_like(kappa).at[s].set(own[name][s]) for name in kinds for s in range(2)])
    _, expected = derive(EXPERIMENT, kappa, jnp.concatenate([shared, one_by_one]), draws=2)
    assert jacobian.shape == (1 + 2 * 2, 17)
    size = np.abs(expected).max(axis=1, keepdims=True)
    # another program, in float32
    np.testing.assert_allclose(jacobian / size, expected / size, rtol=1e-5, atol=1e-6)
    table = bin_table(experiment)
    # a map of the other source alone does not change
    others = (table["source_1"] == 0) & (table["source_2"].isna() | (table["source_2"] == 0))
    np.testing.assert_array_equal(jacobian[2][others.to_numpy()], 0)


def test_derivative_with_respect_to_calibration_is_that_along_the_map(maps, summary):
    kappa, tangents = maps
    _, jacobian = derive(experiment_of(parameters=("m",)), kappa, tangents[:0])
    for source in range(2):
        bias = 0.1 * jnp.eye(2)[source]
        ends = [summary(calibrated(kappa, sign * bias), 4, 1, 1).expected[:9] for sign in (1, -1)]
        # spectra are quadratic in m
        np.testing.assert_allclose(jacobian[source, :9], (ends[0] - ends[1]) / 0.2, rtol=1e-4, atol=1e-14)


@pytest.mark.slow
def test_statistic_in_a_file_of_the_user_has_data_and_a_jacobian(maps, tmp_path):
    (tmp_path / "moment.py").write_text(SECOND_MOMENT)
    experiment = experiment_of(
        statistics=STATISTICS | {"moment": {"file": str(tmp_path / "moment.py")}}, parameters=("sigma8", "m")
    )
    (kappa, tangents), region = maps, observation(experiment).region
    value, jacobian = derive(experiment, kappa, tangents[:1], draws=2)
    table = bin_table(experiment)
    assert list(table["name"][-2:]) == ["moment 0 ..", "moment 1 .."]
    inside, along = (np.asarray(region.crop(each), float) for each in (kappa, tangents[0]))
    moment = (inside**2).mean(axis=(1, 2))
    np.testing.assert_allclose(value[-2:], moment + RMS**2, rtol=1e-6)
    np.testing.assert_allclose(jacobian[0, -2:], 2 * (inside * along).mean(axis=(1, 2)), rtol=1e-5, atol=1e-9)
    # m of a source scales its map
    np.testing.assert_allclose(jacobian[1:, -2:], np.diag(2 * moment), rtol=1e-6)
    summary = jax.jit(lambda kappa: summarise(kappa, 4, 1, experiment, 300))(kappa)
    # 48^2 pixels of 300 draws
    np.testing.assert_allclose(summary.measured[-2:], value[-2:], rtol=0.01)


@pytest.mark.slow
def test_noise_alone_is_the_mean_of_spectra_without_signal():
    pixel = np.radians(FIELD / PIXELS)
    alone = noise_alone(SPECTRUM).reshape(3, 3)
    white = (RMS * pixel) ** 2
    np.testing.assert_allclose(alone, np.array([[white], [0.0], [white]]) * np.ones(3), rtol=1e-12)
    # in a smaller region the same, to rounding
    np.testing.assert_allclose(noise_alone(EXPERIMENT)[:9], alone.ravel(), rtol=1e-12)


def test_noise_has_a_realisation_of_its_own_for_each_map_and_draw():
    labels = [(seed, realisation, number) for seed in (3, 4) for realisation in (0, 1) for number in (0, 1)]
    rms = jnp.full((2, 1, 1), 0.3, jnp.float32)
    noise = np.array([DRAW_NOISE(*label, (2, 64, 64), rms).ravel() for label in labels])
    np.testing.assert_array_equal(DRAW_NOISE(4, 0, 1, (2, 64, 64), rms).ravel(), noise[labels.index((4, 0, 1))])
    # 8192 pixels: rms to 0.8 %, correlations to 1.1 %
    np.testing.assert_allclose(noise.std(axis=1), 0.3, rtol=0.04)
    assert np.abs(np.corrcoef(noise) - np.eye(8)).max() < 0.05


def test_calibration_scales_each_source_by_its_own_factor(maps):
    kappa, _ = maps
    seen = calibrated(kappa, jnp.array([0.1, -0.2]))
    assert seen.dtype == jnp.float32
    np.testing.assert_allclose(seen[0], 1.1 * kappa[0], rtol=1e-6)
    np.testing.assert_allclose(seen[1], 0.8 * kappa[1], rtol=1e-6)
