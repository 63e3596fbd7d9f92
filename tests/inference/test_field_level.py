"""The field level: gradients of the model, a linear stand-in with an exact posterior, chains, tables and files."""

from pathlib import Path

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lenscast import io, pipeline, plotting
from lenscast.experiment import Experiment, complete
from lenscast.experiment.observation import observation
from lenscast.fisher.matrices import FisherMatrix
from lenscast.gravity import white_noise
from lenscast.inference import (
    HMC,
    MCLMC,
    Bands,
    Coordinates,
    FieldPosterior,
    FieldRun,
    MockPosterior,
    begin_field_chain,
    chain_rng,
    compared_mocks,
    coverage_table,
    field_chain,
    field_table,
    field_targets,
    forecast_of_map,
    linear_limit,
    map_area_deg2,
    mock_coverage,
    mock_data,
    mock_field,
    mock_posterior,
    mock_recovery,
    prior_draw,
    recovery_table,
    sample_field,
)
from lenscast.inference.field_chain import shared_power
from lenscast.inference.preconditioner import curvature
from lenscast.io.chains import load_field_chain, load_mock_posteriors, save_field_chain, save_mock_posteriors
from lenscast.measurement import noise_maps
from lenscast.sections.distribution import Distribution
from lenscast.streams import INITIAL_FIELD, box_key

BASE = str(Path(__file__).parents[1] / "workflow" / "config.yaml")
CHANGES = {
    "simulation": {"box_size": 600.0, "particles": 8, "a_start": 0.2, "integrator": {"kind": "fastpm", "steps": 2}},
    "lightcone": {
        "slabs_per_box": 2, "planes": 4, "plane_mesh": 16, "field_deg": 10.0, "pixels": 16, "realisations_per_box": 1
    },
    "survey": {"sources": {"kind": "planes", "z": [0.3]}},
    "field_level": {"seed": 3},
    "statistics": {"power_spectrum": {"ell_edges": [36, 108, 180]}, "starlet_power_spectrum": None, "peaks": None},
    "resolution": {"levels": []},
}  # fmt: skip


def described(parameters=("sigma8", "w0", "m"), **changes):
    """An experiment of these parameters."""
    priors = dict.fromkeys(("Omega_c", "Omega_b", "h", "n_s", "sigma8", "w0", "A_IA", "m"))
    priors |= {name: {"sigma8": 0.14, "w0": 0.8, "m": 0.013}[name] for name in parameters}
    vectors = {"C_ell": ["power_spectrum"], "combined": None, "peaks": None}
    forecast = {"parameters": list(parameters), "priors": priors, "data_vectors": vectors}
    return Experiment.model_validate(complete({"base": BASE, **CHANGES, "forecast": forecast, **changes}))


@pytest.fixture(scope="module")
def experiment():
    return described()


def information(experiment, sigma=(0.05, 0.2, 0.01)):
    names = experiment.parameters
    area = experiment.survey.area_deg2 / map_area_deg2(experiment)
    fiducial = np.array([experiment.fiducial[name] for name in names])
    return FisherMatrix(names, fiducial, np.diag(area / np.array(sigma[: len(names)]) ** 2))


@pytest.fixture(scope="module")
def posterior(experiment):
    return FieldPosterior.of_forecast(information(experiment), experiment)


@pytest.fixture(scope="module")
def mock(posterior):
    """The map of the box of the posterior."""
    return jax.jit(lambda z: mock_field(posterior, z, 3))(jnp.zeros(3))


# response of the 256 pixels, in units of their noise, to 512 values of the white noise and to one parameter
RESPONSE = 0.03 * np.random.default_rng(1).standard_normal((256, 513)) * np.where(np.arange(513) == 512, 6, 1)


class Linear(FieldPosterior):
    """A model that is linear in the white noise and in the coordinates of parameters without a range."""

    def convergence(self, position, adjoint=None):
        pixels = self.experiment.lightcone.pixels
        signal = jnp.asarray(RESPONSE) @ position * self.rms[0, 0, 0]
        return signal.astype(jnp.float32).reshape(1, pixels, pixels)


@pytest.fixture(scope="module")
def linear():
    """Stand-in with one parameter without a range, its map, and its exact posterior."""
    experiment = described(["m"])
    posterior = Linear(**vars(FieldPosterior.of_forecast(information(experiment, (0.01,)), experiment)))
    mock = mock_field(posterior, jnp.zeros(1), 5)
    dimensions = posterior.modes + 1
    jacobian = np.asarray(jax.jacfwd(posterior.convergence)(jnp.zeros(dimensions))).reshape(-1, dimensions)
    jacobian = jacobian.astype(np.float64) / float(posterior.rms[0, 0, 0])
    slope = float(posterior.coordinates.factor[0, 0])
    prior = np.eye(dimensions)
    prior[-1, -1] = slope**2 * float(posterior.priors[0, 0])
    covariance = np.linalg.inv(jacobian.T @ jacobian + prior)
    data = np.asarray(mock.observed, np.float64).ravel() / float(posterior.rms[0, 0, 0])
    return posterior, mock, covariance @ jacobian.T @ data, covariance


def run_of(linear, sampler, chain):
    posterior, mock, *_ = linear
    bands = Bands(8, 600.0, 3)
    return FieldRun(field_targets(posterior)(mock.observed), sampler, posterior, bands, (0, chain))


DRAWS = 2500  # of each of two chains
UNIT_WIDTH = MCLMC(150, memory=1.0)


@pytest.fixture(scope="module", params=[MCLMC(150), UNIT_WIDTH], ids=["default", "unit width"])
def chains(linear, request):
    """Two chains of the stand-in, whose coordinates are at most of unit width: the default direction lasts longer."""
    found = []
    for number in range(2):
        run = run_of(linear, request.param, number)
        found.append([*sample_field(run, begin_field_chain(run), draws=DRAWS, every=DRAWS + 150)][-1])
    return found


@pytest.mark.slow
def test_white_noise_as_an_argument_gives_the_maps_of_a_seed(posterior, experiment, mock):
    kappa = jax.jit(pipeline.maps, static_argnums=2)(3, pipeline.fiducial(experiment), experiment)[0]
    noise = noise_maps(3, 0, 0, kappa.shape, posterior.rms)
    # programs that JAX compiles apart may round differently
    np.testing.assert_allclose(mock.observed, kappa + noise, atol=2e-6)
    assert np.std(mock.position[:-3]) == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_gradient_of_the_log_density_is_that_of_differences(posterior, mock):
    target = field_targets(posterior)(mock.observed)
    position, rng, errors, slopes = np.asarray(mock.position), np.random.default_rng(0), [], []
    value, gradient = target(position)
    # the likelihood of the truth is that of the noise, chi^2 of one per pixel
    assert value == pytest.approx(-0.5 * (16**2 + 8**3), rel=0.2)
    for number in range(16):
        direction = rng.standard_normal(len(position))
        direction[:-3] *= number % 2 == 0  # every other one along the parameters alone
        direction /= np.linalg.norm(direction)
        step = 0.1 if number % 2 == 0 else 0.02
        difference = (target(position + step * direction)[0] - target(position - step * direction)[0]) / (2 * step)
        errors.append(abs(difference - gradient @ direction))
        slopes.append(abs(gradient @ direction))
    # differences meet the kinks of clouds where particles change their cells, and the rounding of maps in 32 bits
    assert np.mean(errors) < 0.01 * np.mean(slopes)
    assert np.max(errors) < 0.03 * np.mean(slopes)


def test_log_density_has_derivatives_in_forward_mode_of_its_prior_and_likelihood(posterior):
    rng = np.random.default_rng(0)
    position, step = rng.standard_normal((2, posterior.modes + 3)) * 0.3
    value, slope = jax.jvp(posterior.log_prior, (jnp.asarray(position),), (jnp.asarray(step),))
    ends = [posterior.log_prior(jnp.asarray(position + sign * 1e-4 * step)) for sign in (1, -1)]
    assert float(slope) == pytest.approx(float(ends[0] - ends[1]) / 2e-4, rel=1e-6)
    # independent: standard normal noise, Gaussian parameters inside their ranges and the Jacobian of the coordinates
    theta = np.asarray(posterior.coordinates.parameters(jnp.asarray(position[-3:])))
    widths = np.diag(np.asarray(posterior.priors)) ** -0.5
    expected = (
        stats.norm.logpdf(position[:-3]).sum()
        + stats.norm.logpdf(theta, np.asarray(posterior.coordinates.centre), widths).sum()
    )
    expected += posterior.coordinates.log_jacobian(jnp.asarray(position[-3:]))
    constant = stats.norm.logpdf(0) * posterior.modes + stats.norm.logpdf(0, scale=widths).sum()
    assert float(value) == pytest.approx(float(expected - constant), rel=1e-10)
    kappa, observed = rng.standard_normal((2, 1, 16, 16)).astype(np.float32) * 0.02
    found = posterior.log_likelihood(jnp.asarray(kappa), jnp.asarray(observed))
    assert found == pytest.approx(
        -0.5 * np.sum((kappa - observed) ** 2 / np.float64(posterior.rms[0, 0, 0]) ** 2), rel=1e-6
    )


def test_masked_pixels_do_not_count(posterior):
    rms = jnp.broadcast_to(posterior.rms, (1, 16, 16)).at[0, 0].set(0)
    masked = Linear(**{**vars(posterior), "rms": rms})
    observed = jnp.full((1, 16, 16), 0.01, jnp.float32)
    value, slope = jax.value_and_grad(masked.log_likelihood)(jnp.zeros_like(observed), observed)
    assert value == pytest.approx(-0.5 * 240 * (0.01 / float(posterior.rms[0, 0, 0])) ** 2, rel=1e-5)
    assert not slope[0, 0].any()
    assert slope[0, 1:].all()


@pytest.mark.slow
def test_chains_of_a_linear_model_have_its_exact_posterior(linear, chains):
    posterior, _, mean, covariance = linear
    slope = float(posterior.coordinates.factor[0, 0])
    draws = np.concatenate([each.draws[:, 0] for each in chains]) / slope
    sigma = covariance[-1, -1] ** 0.5
    # some 4000 effective draws: the mean to .02 sigma, the variance to 2 % and the bias of the scheme, up to 4 %
    assert draws.mean() == pytest.approx(mean[-1], abs=0.1 * sigma)
    assert draws.var() == pytest.approx(sigma**2, rel=0.05)
    # the mean field, mode by mode, to the noise of the number of draws
    field = np.mean([each.mean.ravel() for each in chains], axis=0)
    width = np.sqrt(np.diag(covariance)[:-1])
    assert np.mean(((field - mean[:-1]) / width) ** 2) < 3 / DRAWS
    # 1 - variance by band, of the exact covariance in Fourier space
    bands = Bands(8, 600.0, 3)
    root = np.linalg.cholesky(covariance[:-1, :-1]).T.reshape(-1, 8, 8, 8)
    variance = np.sum([bands.cross_power(each, each) for each in root], axis=0)
    truth = np.asarray(linear[1].position[:-1]).reshape(8, 8, 8)
    table = recovery_table(chains, truth, bands, linear=np.arange(3.0))
    np.testing.assert_allclose(table["known"], 1 - variance, atol=0.03)
    exact = mean[:-1].reshape(8, 8, 8)
    np.testing.assert_allclose(table["cross_power"], bands.cross_power(exact, truth), atol=0.03)
    assert (table["correlation"] < 1).all()
    np.testing.assert_array_equal(table["linear"], [0, 1, 2])


@pytest.mark.slow
def test_linear_limit_is_the_wiener_filter_of_the_jacobian_of_a_homogeneous_field(posterior, linear):
    """Of the stand-in and of an N-body model, by forward mode for each value of the noise."""
    bands = Bands(8, 600.0, 3)
    for each, z in ((linear[0], jnp.zeros(1)), (posterior, jnp.zeros(3))):
        model = lambda noise: each.convergence(jnp.concatenate([noise, z]), diffrax.ForwardMode()) / each.rms  # noqa: B023, E731
        jacobian = np.asarray(jax.jit(jax.jacfwd(model))(jnp.zeros(512)), np.float64).reshape(256, 512)
        noise = np.asarray(white_noise(box_key(7, INITIAL_FIELD), 8), np.float64)
        data = jacobian @ noise.ravel() + np.ravel(noise_maps(7, 0, 0, (1, 16, 16), each.rms) / each.rms)
        found = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + np.eye(256), data)
        expected = bands.cross_power(found.reshape(8, 8, 8), noise)
        np.testing.assert_allclose(linear_limit(each, [7], bands), expected, rtol=1e-3, atol=1e-4)


def test_linear_limit_is_the_share_of_the_variance_that_is_gone(linear):
    bands, covariance = Bands(8, 600.0, 3), linear[3][:-1, :-1]
    root = np.linalg.cholesky(covariance).T.reshape(-1, 8, 8, 8)
    variance = np.sum([bands.cross_power(each, each) for each in root], axis=0)
    # the cross power in 20 fields scatters by .05 in the first band, which has 18 modes, and by .02 in the others
    np.testing.assert_allclose(linear_limit(linear[0], range(20), bands), 1 - variance, atol=0.15)


def test_a_forecast_of_a_map_has_its_area(experiment):
    survey = information(experiment)
    of_map = forecast_of_map(survey, experiment)
    share = map_area_deg2(experiment) / experiment.survey.area_deg2
    expected = np.diag(share * survey.matrix + np.diag(1 / np.array([0.14, 0.8, 0.013]) ** 2)) ** -0.5
    np.testing.assert_allclose(of_map.marginal_errors, expected)


# where the direction lasts longer than coordinates are wide, the step size comes out smaller than its error asks for
@pytest.mark.slow
@pytest.mark.parametrize("chains", [UNIT_WIDTH], indirect=True, ids=["unit width"])
def test_diagnostics_have_parameters_and_bands(linear, chains):
    forecast = FisherMatrix(("m_1",), np.zeros(1), np.array([[1e4]])).inverse()
    table = field_table(chains, ["m_1"], Bands(8, 600.0, 3), {"C_ell": forecast})
    assert table["parameter"][0] == "m_1"
    assert table["sigma_C_ell"][0] == pytest.approx(0.01)
    assert table["sigma_to_C_ell"][0] == pytest.approx(table["sigma"][0] / 0.01)
    assert table["sigma_to_C_ell"][1:].isna().all()
    assert table["parameter"].str.startswith("k 0.0").sum() == 3
    assert (table["r_hat"] < 1.05).all()
    gradients = sum(each.state.gradients for each in chains)
    np.testing.assert_allclose(table["gradients_per_sample"] * table["ess_bulk"], gradients)
    assert (table["broke_down"] == 0).all()
    assert table["energy_error"][0] == pytest.approx(1e-4**0.5, rel=0.5)
    with pytest.raises(ValueError, match=rf"chains of \[{DRAWS - 1}, {DRAWS}\] draws: finish them"):
        field_table([chains[0], chains[1]._replace(draws=chains[1].draws[:-1])], ["m_1"], Bands(8, 600.0, 3))


def test_parameters_wait_until_the_field_has_fitted_the_map(linear):
    run = run_of(linear, MCLMC(40), 0)
    begun = begin_field_chain(run)
    pieces = [*sample_field(run, begun, draws=20, every=5)]
    fields = [each for each in pieces if each.state.number < 20]
    assert [each.state.number for each in fields] == [5, 10, 15]
    assert {len(each.state.position) for each in fields} == {512}
    posterior, observed = run.posterior, linear[1].observed
    # the likelihood counts a hundredth at first, and whole from the fourteenth of twenty transitions on
    start = chain_rng(0, 0).standard_normal(513)
    whole = np.concatenate([begun.state.position, 2 * start[512:]])
    like = posterior.log_likelihood(posterior.convergence(jnp.asarray(whole)), observed)
    expected = 0.01 * like + posterior.log_prior(jnp.asarray(whole))
    assert begun.state.log_density == pytest.approx(float(expected), rel=1e-5)
    noise, last = fields[-1].state, np.concatenate([fields[-1].state.position, 2 * start[512:]])
    assert noise.log_density == pytest.approx(run.target(last)[0], rel=1e-6)
    np.testing.assert_allclose(noise.gradient, run.target(last)[1][:512], rtol=1e-5, atol=1e-5)
    assert len(pieces[-1].state.position) == 513
    gradients = [run.target(last, share)[1] for share in (0.0, 0.3, 1.0)]
    np.testing.assert_allclose(gradients[1], 0.7 * gradients[0] + 0.3 * gradients[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", [MCLMC(50), HMC(50)], ids=["mclmc", "hmc"])
def test_coordinates_are_stretched_by_the_mean_curvature_of_places_with_parameters(linear, sampler, monkeypatch):
    places = []

    def recorded(target, position, rng):
        places.append(curvature(target, position, rng))
        return places[-1]

    monkeypatch.setattr(field_chain, "curvature", recorded)
    run = run_of(linear, sampler, 0)
    pieces = [*sample_field(run, begin_field_chain(run), draws=4, every=60)]
    assert [each.state.number for each in pieces] == [25, 30, 35, 40, 45, 54]
    assert [gradients for _, gradients in places] == 5 * [120]

    def hessian(stretch):
        return np.eye(513) + stretch.vectors @ np.diag(stretch.curvature - 1) @ stretch.vectors.T

    # the first place has the parameters of the start; of the others, stretches below 1.5 are left out
    mean = np.mean([hessian(each) for each, _ in places[1:]], axis=0)
    assert np.linalg.eigvalsh(hessian(pieces[-1].preconditioner) - mean).max() < 1e-9
    assert np.linalg.eigvalsh(mean - hessian(pieces[-1].preconditioner)).max() < 1.0
    # the density is that of the posterior, wherever coordinates changed
    for each in pieces[1:]:
        position = each.preconditioner.position(each.state.position)
        assert each.state.log_density == pytest.approx(run.target(position)[0], rel=1e-9)


def test_an_odd_number_of_draws_is_refused(linear):
    run = run_of(linear, MCLMC(12), 0)
    with pytest.raises(ValueError, match="21 draws have no two halves, whose means are kept: give an even number"):
        next(sample_field(run, begin_field_chain(run), draws=21, every=5))


def test_power_of_the_mean_has_no_part_of_the_scatter_of_finite_chains(chains):
    rng, bands = np.random.default_rng(0), Bands(8, 600.0, 3)
    mean = rng.standard_normal((8, 8, 8))
    # four chains whose halves scatter as much as the mean itself
    found = [chains[0]._replace(halves=mean + rng.standard_normal((2, 8, 8, 8))) for _ in range(4)]
    expected = bands.cross_power(mean, mean)
    np.testing.assert_allclose(shared_power(found, bands), expected, atol=0.25)
    pairs = [(a, b) for a in range(8) for b in range(8) if a != b]
    halves = np.concatenate([each.halves for each in found])
    every = np.mean([bands.cross_power(halves[a], halves[b]) for a, b in pairs], axis=0)
    np.testing.assert_allclose(shared_power(found, bands), every)


def test_posteriors_of_mocks_come_back_from_their_file(tmp_path):
    rng = np.random.default_rng(0)
    mocks = [MockPosterior(*rng.standard_normal((4, 2)), *rng.standard_normal((2, 3))) for _ in range(4)]
    save_mock_posteriors(tmp_path / "mocks.h5", mocks, ["sigma8", "w0"], {"code": "this one"})
    for before, after in zip(mocks, load_mock_posteriors(tmp_path / "mocks.h5"), strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sampler", [MCLMC(12), HMC(12)], ids=["mclmc", "hmc"])
def test_a_killed_chain_goes_on_from_its_file_to_the_same_draws(linear, sampler, tmp_path):
    run = run_of(linear, sampler, 0)
    pieces = [*sample_field(run, begin_field_chain(run), draws=12, every=8)]
    for piece in pieces[:2]:  # without draws, and with some
        save_field_chain(tmp_path / "chain.h5", piece, run, {"identity": "this one"})
        assert io.is_checkpoint(tmp_path / "chain.h5", "this one")
        assert not io.is_checkpoint(tmp_path / "chain.h5", "another")
        (*_, last) = sample_field(run, load_field_chain(tmp_path / "chain.h5"), draws=12, every=5)
        for name in ("draws", "band_power", "log_density", "energy_error", "halves"):
            np.testing.assert_array_equal(getattr(last, name), getattr(pieces[-1], name))
        np.testing.assert_array_equal(last.state.position, pieces[-1].state.position)
    io.save(tmp_path / "other.h5", {"x": io.Variable(np.ones(2), ("y",), "1", "x")}, {}, {})
    with pytest.raises(ValueError, match="no chain of the field level"):
        load_field_chain(tmp_path / "other.h5")


def test_bands_count_every_mode_once():
    bands, noise = Bands(8, 600.0, 3), np.random.default_rng(0).standard_normal((8, 8, 8))
    modes = np.fft.fftn(noise)
    wave = np.fft.fftfreq(8, 1 / 8)
    k = np.sqrt(sum(each**2 for each in np.meshgrid(wave, wave, wave, indexing="ij"))) * 2 * np.pi / 600.0
    inside = [(k >= low * (1 - 1e-6)) & (k < high) for low, high in zip(bands.edges[:-1], bands.edges[1:], strict=True)]
    expected = [np.mean(np.abs(modes[each]) ** 2) / 512 for each in inside]
    np.testing.assert_allclose(bands.cross_power(noise, noise), expected)
    with pytest.raises(ValueError, match="20 bands on a mesh of 8 points per side: some have no mode; use fewer"):
        Bands(8, 600.0, 20)


@pytest.mark.slow
def test_draws_of_the_prior_are_gaussian_inside_the_ranges(posterior):
    coordinates, priors = posterior.coordinates, np.asarray(posterior.priors).copy()
    priors[0, 0] = 0  # flat between its limits
    rng = np.random.default_rng(0)
    z = np.array([prior_draw(coordinates, priors, rng) for _ in range(500)])
    theta = np.asarray(jax.vmap(coordinates.parameters)(jnp.asarray(z)))
    ends = (np.array([-3.0, -0.2]) + 1) / 0.8
    laws = [stats.uniform(0.01, 2.99), stats.truncnorm(*ends, loc=-1, scale=0.8), stats.norm(0, 0.013)]
    assert min(stats.kstest(each, law.cdf).pvalue for each, law in zip(theta.T, laws, strict=True)) > 0.01
    priors[2, 2] = 0
    with pytest.raises(ValueError, match="m_1 has neither a prior nor a range to draw it from"):
        prior_draw(coordinates, priors, rng)


@pytest.fixture(scope="module")
def mocks(linear):
    """Posteriors of 16 maps of the stand-in with truths from the prior, each of one chain."""
    posterior = linear[0]
    targets, bands, found = field_targets(posterior), Bands(8, 600.0, 3), []
    make = jax.jit(lambda z, seed: mock_field(posterior, z, seed))
    for seed in range(16):
        z = prior_draw(posterior.coordinates, np.asarray(posterior.priors), chain_rng(seed, 1))
        made = make(jnp.asarray(z), seed)
        run = FieldRun(targets(made.observed), MCLMC(40), posterior, bands, (seed, 0))
        *_, chain = sample_field(run, begin_field_chain(run), draws=60, every=100)
        found.append(mock_posterior(run, chain, np.asarray(made.position)))
    return found


@pytest.mark.slow
def test_posteriors_of_mocks_hold_the_truth_as_often_as_they_say(linear, mocks):
    posterior, *_, covariance = linear
    (row,) = mock_coverage(["m_1"], mocks).to_dict("records")
    assert row["verdict"] == "calibrated"
    assert 0.44 < row["coverage_68"] < 0.92  # two standard deviations of 16 mocks
    slope = float(posterior.coordinates.factor[0, 0])
    exact = slope * covariance[-1, -1] ** 0.5
    # widths of 16 chains of some 20 effective draws, and the distance of 16 means from their truths
    assert row["sigma"] == pytest.approx(exact, rel=0.12)
    assert row["error"] == pytest.approx(exact, rel=0.55)
    bands = Bands(8, 600.0, 3)
    root = np.linalg.cholesky(covariance[:-1, :-1]).T.reshape(-1, 8, 8, 8)
    variance = np.sum([bands.cross_power(each, each) for each in root], axis=0)
    table = mock_recovery(bands, mocks, np.arange(3.0))
    np.testing.assert_allclose(table["known"], 1 - variance, atol=0.06)
    np.testing.assert_array_equal(table["linear"], [0, 1, 2])
    assert (np.abs(table["cross_power"] - (1 - variance)) < 3 * table["scatter"] + 0.02).all()


def test_a_data_vector_is_compared_with_the_map_that_it_was_measured_on():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((4000, 1))
    # the map is the truth with unit noise, the data vector has three times the variance of noise; prior of unit width
    noise = rng.standard_normal((4000, 1))
    of_map, of_data = truth + noise, truth + noise + 2**0.5 * rng.standard_normal((4000, 1))
    band = np.zeros(3)
    field = [
        MockPosterior(true, seen / 2, np.array([0.5**0.5]), np.zeros(1), band, band)
        for true, seen in zip(truth, of_map, strict=True)
    ]
    draws = of_data[:, None] / 4 + 0.75**0.5 * rng.standard_normal((4000, 400, 1))
    (row,) = compared_mocks(["m_1"], field, draws).to_dict("records")
    assert row["ratio"] == pytest.approx(1.5**0.5, rel=0.01)
    assert row["error_field"] == pytest.approx(0.5**0.5, rel=0.05)
    assert row["error_data"] == pytest.approx(0.75**0.5, rel=0.05)
    assert row["sigma_data"] == pytest.approx(0.75**0.5, rel=0.01)
    assert row["ks_p_data"] > 0.001
    # the widths of draws scatter by 1 / sqrt(800) each
    assert row["scatter"] == pytest.approx(1.5**0.5 / (800 * 4000) ** 0.5, rel=0.2)
    assert row["smallest_ratio"] < row["ratio"]
    narrow = compared_mocks(["m_1"], field, of_data[:, None] / 4 + 0.5 * (draws - of_data[:, None] / 4))
    assert narrow["ks_p_data"][0] < 1e-6


@pytest.mark.slow
def test_data_of_a_mock_are_those_of_its_map(posterior, mock):
    data = jax.jit(lambda z: mock_data(posterior, z, 3))(jnp.zeros(3))
    # independent: the spectrum of a map that has its noise already, which the statistic takes as a map without noise
    observed = observation(posterior.experiment)
    (statistic,) = posterior.experiment.statistics.values()
    expected = statistic.measured(mock.observed, jnp.zeros_like(mock.observed), observed)
    np.testing.assert_allclose(data, expected, rtol=1e-4)


def test_coverage_knows_posteriors_that_are_too_narrow_too_wide_and_shifted():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(200)
    # the posterior of each mock is centred on its noisy datum, with the standard deviation sqrt(1/2)
    centre = (truth + rng.standard_normal(200)) / 2

    def ranks(width=1.0, shift=0.0):
        return stats.norm.cdf((truth - centre - shift) / (0.5**0.5 * width))

    cases = {"right": ranks(), "narrow": ranks(0.5), "wide": ranks(2), "shifted": ranks(1, 0.4)}
    table = coverage_table(cases).set_index("parameter")
    assert list(table["verdict"]) == ["calibrated", "overconfident", "underconfident", "biased"]
    assert table["coverage_68"]["right"] == pytest.approx(0.68, abs=0.07)
    assert table["coverage_68"]["narrow"] < 0.5 < 0.9 < table["coverage_68"]["wide"]


def test_what_the_field_level_refuses(posterior, experiment):
    with pytest.raises(ValueError, match=r"4 planes show a box of 2 slabs 2 times: on a sky .* too narrow; raise"):
        field_targets(posterior, of_sky=True)
    other = information(experiment)
    moved = FisherMatrix(other.names, other.fiducial + np.array([0.01, 0, 0]), other.matrix)
    with pytest.raises(ValueError, match=r"the forecast is of sigma8 = 0.8259, .* the experiment of sigma8 = 0.8159, "):
        FieldPosterior.of_forecast(moved, experiment)
    with pytest.raises(ValueError, match="make the forecast again"):
        FieldPosterior.of_forecast(other.select(other.names[:2]), experiment)
    split = experiment.model_copy(update={"distribution": Distribution(devices=2)})
    with pytest.raises(ValueError, match=r"distribution\.devices = 2: .* set 1"):
        FieldPosterior.of_forecast(other, split)
    with pytest.raises(ValueError, match=r"field_level.chains"):
        described(field_level={"chains": 1})


def test_the_coordinates_of_a_map_have_the_information_of_its_area(posterior):
    slopes = jax.jacfwd(posterior.coordinates.parameters)(jnp.zeros(3))
    expected = np.diag(1 / (1 / np.array([0.05, 0.2, 0.01]) ** 2 + 1 / np.array([0.14, 0.8, 0.013]) ** 2))
    np.testing.assert_allclose(slopes @ slopes.T, expected, rtol=1e-8, atol=1e-12)
    assert Coordinates.of_posterior(information(posterior.experiment).inverse()).names == posterior.coordinates.names


@pytest.mark.slow
def test_figure_of_coverage_shows_ranks_and_field(mocks):
    recovery = mock_recovery(Bands(8, 600.0, 3), mocks, np.full(3, 0.4))
    left, right = plotting.field_coverage(["m_1"], mocks, recovery).axes
    ordered = np.sort([each.rank[0] for each in mocks])
    # with k of 16 ranks below it, the distribution function at a rank is (k + 1) / 17
    np.testing.assert_allclose(left.lines[0].get_ydata()[1:-1], np.arange(1, 17) / 17 - ordered)
    np.testing.assert_allclose(right.lines[0].get_ydata(), recovery["known"])
    assert f"{len(mocks)} maps" in left.figure.texts[-1].get_text()


@pytest.mark.slow
def test_figures_of_the_field_level_say_what_they_compare(linear, chains):
    mock = linear[1]
    table = field_table(chains, ["m_1"], Bands(8, 600.0, 3)).assign(verdict="not converged")
    draws = np.array([each.draws for each in chains])
    sampled = plotting.SampledPosterior(("m_1",), draws, table[:1])
    gaussian = FisherMatrix(("m_1",), np.zeros(1), np.array([[1e4]])).inverse()
    figure = plotting.field_posterior(sampled, {"C_ell": gaussian})
    assert "for the area of this map" in figure.texts[-1].get_text()
    assert "not converged: $m$" in figure.texts[-1].get_text().replace("\n", " ")
    truth = np.asarray(mock.position[:-1]).reshape(8, 8, 8)
    recovery = recovery_table(chains, truth, Bands(8, 600.0, 3), np.full(3, 0.4))
    (panel,) = plotting.field_recovery(recovery).axes
    np.testing.assert_allclose(panel.lines[0].get_ydata(), recovery["known"])
