"""Simulation-based inference: priors and designs, compression, learnt posteriors of known toys, calibration."""

import jax
import numpy as np
import pytest
from scipy import integrate, special, stats

from lenscast import io, plotting
from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference import (
    Calibration,
    Compression,
    LearntPosterior,
    Regression,
    Schedule,
    SimulatedBoxes,
    SimulatedPrior,
    band_95,
    calibration,
    calibration_table,
    design,
    learnt_table,
    train_flow,
    validation_boxes,
)
from lenscast.io.flows import load_calibration, load_flow, save_calibration, save_flow
from lenscast.plotting.calibration import LearntContours, sbi_triangle

RANGES = {"Omega_c": (0.1, 0.5), "sigma8": (0.4, 1.0), "m_1": (-0.02, 0.05)}
FIDUCIAL = {"Omega_c": 0.26, "sigma8": 0.8, "m_1": 0.0, "h": 0.7}


@pytest.fixture(scope="module")
def prior():
    """One flat prior, one Gaussian that is cut, one that is hardly cut."""
    return SimulatedPrior.inside(RANGES, FIDUCIAL, {"sigma8": 0.14, "m_1": 0.004, "h": 0.1})


@pytest.fixture(scope="module")
def laws():
    """The same prior by SciPy."""
    cut, hardly = (np.array([0.4, 1.0]) - 0.8) / 0.14, np.array([-0.02, 0.05]) / 0.004
    return [stats.uniform(0.1, 0.4), stats.truncnorm(*cut, 0.8, 0.14), stats.truncnorm(*hardly, 0.0, 0.004)]


def wide(parameters):
    """Prior that is standard normal for all that matters, whose coordinates are the parameters."""
    ends = dict.fromkeys([f"p{number}" for number in range(parameters)], (-40.0, 40.0))
    return SimulatedPrior.inside(ends, dict.fromkeys(ends, 0.0), dict.fromkeys(ends, 1.0))


def test_coordinates_are_standard_normal_under_the_prior(prior, laws):
    assert prior.names == tuple(RANGES)
    z = np.random.default_rng(0).standard_normal((2000, 3))
    theta = prior.parameters(z)
    np.testing.assert_allclose(prior.coordinates(theta), z, atol=1e-8)
    assert min(stats.kstest(each, law.cdf).pvalue for each, law in zip(theta.T, laws, strict=True)) > 0.01
    # quantiles in the far tails keep their digits
    far = np.array([-5.0, 5.0])
    for column, law in enumerate(laws):
        ends = prior.parameters(np.repeat(far[:, None], 3, axis=1))[:, column]
        np.testing.assert_allclose(ends, [law.ppf(special.ndtr(-5)), law.isf(special.ndtr(-5))], rtol=1e-9)
    ends = np.array([*RANGES.values()]).T
    np.testing.assert_array_equal(prior.coordinates(ends), [[-8, -8, -8], [8, 8, 8]])
    np.testing.assert_allclose(wide(2).parameters(z[:, :2]), z[:, :2], atol=1e-12)


def test_what_a_prior_refuses(prior):
    with pytest.raises(ValueError, match=r"outside the prior: it has Omega_c 0.1 to 0.5, sigma8 0.4 to 1, "):
        prior.coordinates(np.array([0.05, 0.8, 0.0]))
    with pytest.raises(ValueError, match=r"range of h: 0\.8 is not below 0\.6"):
        SimulatedPrior.inside({"h": (0.8, 0.6)}, FIDUCIAL, {})


def test_design_fills_the_prior_and_more_boxes_change_none(prior, laws):
    theta = design(prior, 300, seed=1)
    np.testing.assert_array_equal(design(prior, 500, seed=1)[:300], theta)
    assert np.abs(design(prior, 300, seed=2) - theta).max() > 0.01
    shares = np.transpose([law.cdf(each) for each, law in zip(theta.T, laws, strict=True)])
    # the largest distance of random points would be 1.4 / sqrt(300) = .08 in 95 % of the cases
    assert max(stats.kstest(each, "uniform").statistic for each in shares.T) < 0.015
    assert stats.qmc.discrepancy(shares) < 0.1 * stats.qmc.discrepancy(np.random.default_rng(0).random((300, 3)))
    held_out = shares[200:]  # any block of the sequence
    assert max(stats.kstest(each, "uniform").statistic for each in held_out.T) < 0.05


def test_score_keeps_the_information_of_a_gaussian_likelihood():
    rng = np.random.default_rng(0)
    jacobian, root = rng.standard_normal((2, 6)), np.tril(rng.standard_normal((6, 6))) + 3 * np.eye(6)
    covariance, names = root @ root.T, [f"b{number}" for number in range(6)]
    by = Compression.by_score(names, np.arange(6.0), covariance, jacobian)
    noise = by.weights @ covariance @ by.weights.T
    np.testing.assert_allclose(np.diag(noise), 1)
    response = by.weights @ jacobian.T  # derivative of the features
    kept = response.T @ np.linalg.solve(noise, response)
    np.testing.assert_allclose(kept, jacobian @ np.linalg.solve(covariance, jacobian.T))
    # bins by name, in any order and among others
    order = [3, 0, 5, 2, 4, 1]
    data = rng.standard_normal((4, 6))
    mixed = np.concatenate([data[:, order], np.full((4, 1), 9.0)], axis=1)
    found = by.features(mixed, [*(names[each] for each in order), "other"])
    np.testing.assert_allclose(found, (data - np.arange(6)) @ by.weights.T)
    every = Compression.none(names, np.arange(6.0), covariance).features(data, names)
    np.testing.assert_allclose(every, (data - np.arange(6)) / np.diag(covariance) ** 0.5)
    with pytest.raises(ValueError, match="unknown datum 'b5'"):
        by.features(data[:, :5], names[:5])


def test_regression_whitens_residuals_and_comes_back():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((500, 3)) * [1, 10, 100] + [5, 0, 0]
    z = features @ rng.standard_normal((3, 2)) / 50 + rng.multivariate_normal([1, 2], [[1, 0.8], [0.8, 1]], 500)
    fit = Regression.fit(z, features)
    scaled = fit.scaled(features)
    residuals = fit.residuals(z, scaled)
    np.testing.assert_allclose(np.cov(residuals.T), np.eye(2), atol=1e-10)
    np.testing.assert_allclose(residuals.T @ scaled, 0, atol=1e-9)
    np.testing.assert_allclose(fit.coordinates(residuals, scaled), z)
    features[:, 1] = 7
    with pytest.raises(ValueError, match="feature 1 is the same in all 500 data"):
        Regression.fit(z, features)


def test_boxes_are_split_whole_and_each_is_held_out_by_its_number():
    stops = validation_boxes(200, seed=3)
    assert stops.sum() == 20
    np.testing.assert_array_equal(stops, validation_boxes(200, seed=3))
    assert (stops != validation_boxes(200, seed=4)).any()
    with pytest.raises(ValueError, match="19 boxes to learn from: give 20 or more"):
        validation_boxes(19, seed=0)


@pytest.mark.slow
def test_boxes_that_stop_a_training_teach_it_nothing():
    """Of their data and of their parameters alike: whatever these are, the other boxes teach the same."""
    pytest.importorskip("flowjax")
    theta, data = linear(60, 3, np.random.default_rng(1))
    stops, schedule = validation_boxes(60, seed=0), Schedule(epochs=4)
    changed = (theta + 2 * stops[:, None], data - 5 * stops[:, None, None])
    found = [train_flow(*each, "affine", 0, schedule) for each in ((theta, data), changed)]
    np.testing.assert_array_equal(found[0].training, found[1].training)
    assert (found[0].validation != found[1].validation).all()
    # a box that moves to the other side takes its maps along: none of them is among those that are learnt from
    other = train_flow(theta, data + np.where(stops, 100, 0)[:, None, None], "affine", 0, schedule)
    assert np.abs(other.flow.regression.centre).max() < 2


def test_a_held_out_box_keeps_all_its_maps():
    seeds = np.array([7, 3, 9, 4])
    boxes = SimulatedBoxes(seeds, np.arange(8.0).reshape(4, 2), np.arange(24.0).reshape(4, 3, 2))
    learnt, held_out = boxes.split(range(4, 8))
    np.testing.assert_array_equal(learnt.seeds, [3, 9])
    np.testing.assert_array_equal(held_out.seeds, [7, 4])
    np.testing.assert_array_equal(held_out.theta, boxes.theta[[0, 3]])
    np.testing.assert_array_equal(learnt.features, boxes.features[[1, 2]])


SLOPE = np.array([[1.5, 0.5], [0.3, -1.0], [0.8, 0.8]])
NOISE = np.array([0.5, 0.7, 0.6])
EXACT = np.linalg.inv(SLOPE.T @ np.diag(NOISE**-2) @ SLOPE + np.eye(2))
"""Covariance of the posterior of the linear toy, whose prior is standard normal."""


def linear(boxes, rows, rng):
    """Parameters of a design and noisy data that are linear in them."""
    theta = design(wide(2), boxes, 0)
    return theta, theta[:, None] @ SLOPE.T + NOISE * rng.standard_normal((boxes, rows, 3))


@pytest.fixture(scope="module")
def learnt():
    """Posterior of the linear toy from 1700 of 2000 simulations, and the other 300."""
    pytest.importorskip("flowjax")
    theta, data = linear(2000, 1, np.random.default_rng(0))
    flows = [train_flow(theta[:1700], data[:1700], "spline", seed).flow for seed in range(2)]
    return LearntPosterior(wide(2), flows), theta[1700:], data[1700:, 0]


@pytest.mark.slow
def test_linear_toy_has_its_exact_posterior(learnt):
    posterior, truth, data = learnt
    draws = posterior.draws(data, 1000)
    mean, sigma = data @ np.diag(NOISE**-2) @ SLOPE @ EXACT, np.sqrt(np.diag(EXACT))
    widths = draws.std(axis=1, ddof=1) / sigma
    np.testing.assert_allclose(widths.mean(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(widths[np.abs(truth).max(axis=1) < 2].mean(axis=0), 1, atol=0.05)
    assert np.sqrt(np.mean(((draws.mean(axis=1) - mean) / sigma) ** 2)) < 0.15
    correlation = np.mean([np.corrcoef(each.T)[0, 1] for each in draws])
    assert correlation == pytest.approx(EXACT[0, 1] / sigma.prod(), abs=0.05)
    table = calibration_table(calibration(("p0", "p1"), truth, draws))
    assert (table["ks_p"] > 0.01).all()
    assert (table["verdict"] == "calibrated").all()
    # the density is below the exact one by what the flows do not know
    exact = np.mean([stats.multivariate_normal(m, EXACT).logpdf(t) for m, t in zip(mean, truth, strict=True)])
    assert exact - 0.03 < posterior.log_density(truth, data).mean() < exact + 0.01
    at_fiducial = posterior.draws(np.zeros((1, 3)), 20_000)[0]
    forecast = ParameterCovariance(("p0", "p1"), np.zeros(2), EXACT)
    rows = learnt_table(("p0", "p1"), at_fiducial, forecast)
    np.testing.assert_allclose(rows["sigma_to_fisher"], 1, atol=0.05)
    np.testing.assert_allclose(rows["mean"] / rows["sigma"], 0, atol=0.15)


@pytest.mark.slow
def test_density_is_normalised_and_is_that_of_the_draws(learnt):
    posterior, _, data = learnt
    axis = np.linspace(-4.5, 4.5, 181)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(posterior.log_density(grid, np.repeat(data[:1], len(grid), axis=0))).reshape(181, 181)
    total = integrate.trapezoid(integrate.trapezoid(density, axis), axis)
    assert total == pytest.approx(1, abs=2e-3)
    mean = integrate.trapezoid(integrate.trapezoid(density, axis) * axis, axis)
    # draws to their noise
    assert posterior.draws(data[:1], 20_000)[0, :, 0].mean() == pytest.approx(mean, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("transformer", ["spline", "affine"])
def test_variance_that_depends_on_the_parameters(transformer):
    # the mean and the logarithm of the standard deviation of 8 values, through their sufficient statistics
    pytest.importorskip("flowjax")
    rng, number = np.random.default_rng(1), 8
    theta = design(wide(2), 2000, 5)
    sigma = np.exp(0.5 * theta[:, 1])
    mean = theta[:, 0] + sigma * rng.standard_normal(2000) / number**0.5
    variance = sigma**2 * rng.chisquare(number - 1, 2000) / (number - 1)
    data = np.stack([mean, np.log(variance)], axis=-1)
    flows = [train_flow(theta[:1700], data[:1700, None], transformer, seed).flow for seed in range(2)]
    posterior = LearntPosterior(wide(2), flows)
    draws = posterior.draws(data[1700:], 1000)
    table = calibration_table(calibration(("p0", "p1"), theta[1700:], draws))
    assert (table["verdict"] == "calibrated").all(), table
    # exact moments on a grid, for data of small and of large variance
    axis = np.linspace(-5, 5, 401)
    first, second = np.meshgrid(axis, axis, indexing="ij")
    for observed in ([0.3, -0.8], [0.3, 0.8]):
        width = np.exp(0.5 * second)
        exponent = stats.norm.logpdf(observed[0], first, width / number**0.5) - (first**2 + second**2) / 2
        exponent += stats.chi2.logpdf((number - 1) * np.exp(observed[1]) / width**2, number - 1) - 2 * np.log(width)
        weight = np.exp(exponent - exponent.max())
        weight /= weight.sum()
        exact = np.array([np.sum(weight * each) for each in (first, second)])
        spread = np.sqrt([np.sum(weight * (each - m) ** 2) for each, m in zip((first, second), exact, strict=True)])
        found = posterior.draws(np.array([observed]), 20_000)[0]
        np.testing.assert_allclose(found.std(axis=0), spread, rtol=0.1)
        np.testing.assert_allclose((found.mean(axis=0) - exact) / spread, 0, atol=0.2)


def short(seed, order=slice(None), transformer="spline", parameters=2):
    """A short training on boxes of three data vectors each, whose rows are in some order."""
    rng = np.random.default_rng(2)
    theta, data = linear(60, 3, rng)
    return train_flow(theta[:, :parameters], data[:, order], transformer, seed, Schedule(epochs=2, batch=32))


@pytest.mark.slow
def test_files_of_flows_come_back_and_refuse_others(tmp_path):
    pytest.importorskip("flowjax")
    features = np.random.default_rng(0).standard_normal((4, 3))
    for transformer in ("spline", "affine"):
        trained = short(5, transformer=transformer)
        path = tmp_path / f"{transformer}.h5"
        save_flow(path, trained, ("p0", "p1"), {"seeds": "[0]"})
        loaded = load_flow(path)
        np.testing.assert_array_equal(loaded.validation, trained.validation)
        z = features[:, :2]
        np.testing.assert_array_equal(loaded.flow.log_density(z, features), trained.flow.log_density(z, features))
        np.testing.assert_array_equal(loaded.flow.draws(features, 3, 7), trained.flow.draws(features, 3, 7))
    io.save(tmp_path / "other.h5", {"x": io.Variable(np.ones(2), ("y",), "1", "x")}, {}, {})
    with pytest.raises(ValueError, match="is no flow: give a file of the rule train_posterior"):
        load_flow(tmp_path / "other.h5")


def test_a_training_has_the_same_result_again_and_another_one_for_another_seed():
    pytest.importorskip("flowjax")
    leaves = [jax.tree.leaves(short(seed).flow.flow) for seed in (0, 0, 1)]
    arrays = [[each for each in found if hasattr(each, "dtype")] for found in leaves]
    assert all(np.array_equal(first, second) for first, second in zip(*arrays[:2], strict=True))
    assert not all(np.array_equal(first, second) for first, second in zip(*arrays[1:], strict=True))


def test_maps_of_a_box_are_never_on_both_sides():
    pytest.importorskip("flowjax")
    # the mean over the rows of a box is all that the regression and the validation depend on, up to rounding
    ordered, mixed = short(0), short(0, order=[2, 0, 1])
    for name in ("centre", "scale", "mean", "slope", "factor"):
        np.testing.assert_allclose(
            getattr(ordered.flow.regression, name), getattr(mixed.flow.regression, name), rtol=1e-10, atol=1e-12
        )


@pytest.mark.slow
def test_one_parameter_can_be_learnt():
    pytest.importorskip("flowjax")
    trained = short(0, parameters=1)
    assert trained.flow.draws(np.zeros((1, 3)), 5, 0).shape == (5, 1, 1)


def test_without_flowjax_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "flowjax.flows", None)
    with pytest.raises(ImportError, match=r"flowjax is not installed; pip install 'lenscast\[sbi\]' brings it"):
        short(0)


def test_calibration_knows_posteriors_that_are_too_narrow_too_wide_and_shifted():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((300, 2))
    # the posterior of each box is centred on its noisy datum, with the variance 1/2
    centre = (truth + rng.standard_normal((300, 2))) / 2

    def found(width=1.0, shift=0.0):
        draws = centre[:, None] + shift + 0.5**0.5 * width * rng.standard_normal((300, 800, 2))
        return calibration_table(calibration(("p0", "p1"), truth, draws))["verdict"].tolist()

    assert found() == ["calibrated"] * 3
    assert found(0.6) == ["overconfident"] * 3
    assert found(1.7) == ["underconfident"] * 3
    assert found(shift=0.4)[:2] == ["biased"] * 2


def test_distances_of_tarp_compare_draws_with_the_truth():
    rng = np.random.default_rng(0)
    near, far = rng.standard_normal((20, 1, 2)), np.full((20, 1, 2), 100.0)
    inside = calibration(("p0", "p1"), near[:, 0], np.repeat(far, 30, axis=1))
    outside = calibration(("p0", "p1"), far[:, 0], np.repeat(near, 30, axis=1))
    np.testing.assert_array_equal(inside.joint, 0)
    np.testing.assert_array_equal(outside.joint, 1)
    # with half of the draws farther than the truth
    both = np.concatenate([np.repeat(far, 30, axis=1), np.repeat(near, 30, axis=1)], axis=1)
    np.testing.assert_array_equal(calibration(("p0", "p1"), 2 * near[:, 0] + 20, both).joint, 0.5)


def test_the_band_holds_95_of_100_calibrated_curves():
    rng = np.random.default_rng(0)
    distances = [stats.kstest(rng.random(50), "uniform").statistic for _ in range(1000)]
    assert np.mean(np.array(distances) < band_95(50)) == pytest.approx(0.95, abs=0.025)


def test_the_figure_says_what_it_compares_and_what_is_wrong(tmp_path):
    rng = np.random.default_rng(0)
    names, matrix = ("Omega_c", "sigma8"), np.diag([0.03, 0.05]) ** 2
    forecast = ParameterCovariance(names, np.array([0.26, 0.8]), matrix)
    draws = rng.multivariate_normal(forecast.fiducial, matrix, 500)
    right, narrow = rng.random((2, 100, 3))
    narrow = np.round(narrow)  # all truths outside
    ranks = {
        name: Calibration(names, each[:, :2], each[:, 2]) for name, each in {"C_ell": right, "peaks": narrow}.items()
    }
    save_calibration(tmp_path / "ranks.h5", ranks["C_ell"], [*range(100)], {})
    loaded = load_calibration(tmp_path / "ranks.h5")
    np.testing.assert_array_equal(loaded.ranks, right[:, :2])
    figure = sbi_triangle({name: LearntContours(names, draws, forecast, each) for name, each in ranks.items()})
    texts = " ".join(each.get_text() for each in figure.texts)
    assert "calibrated on 100 held-out boxes" in texts
    assert "all together overconfident" in texts
    titles = [each.get_title() for each in figure.axes]
    assert {"one parameter (SBC)", "all parameters (TARP)"} <= {*titles}
    plotting.save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
