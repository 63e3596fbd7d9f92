"""What the data measure, what the prior sets, and what the simulations limit."""

import numpy as np
import pytest

from lenscast.fisher.along import along, reasons
from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.derived import DerivedParameter
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimation import fisher_estimate
from lenscast.fisher.verdicts import boxes_needed, direction_table, parameter_verdicts

PARAMETERS = ("strong", "weak", "none")
DATA = tuple(f"bin_{i}" for i in range(6))
FIDUCIAL = dict.fromkeys(PARAMETERS, 1.0)
PRIORS = dict.fromkeys(PARAMETERS, 1.0)


def estimate(noise: float, boxes: int = 24, maps: int = 10**9, weak: float = 2.0, seed: int = 4) -> FisherEstimate:
    """Information of 300, 3 weak^2 and 0 on three independent parameters, with the same noise on all."""
    rng = np.random.default_rng(seed)
    mean = np.array([[10.0, 0, 10, 0, 10, 0], [0, weak, 0, weak, 0, weak], np.zeros(6)])
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(boxes), mean + noise * rng.normal(size=(boxes, 3, 6)))
    return fisher_estimate(sample, Covariance(DATA, np.zeros(6), np.eye(6), maps, maps, np.ones(6)), FIDUCIAL, 1.0)


def test_directions_solve_the_eigenproblem_of_data_and_priors_best_measured_first() -> None:
    made = estimate(0.05)
    priors = {"strong": 0.5, "weak": 2.0, "none": 0.1}
    table = direction_table(made, priors)
    assert table["information"].is_monotonic_decreasing
    widths = np.array(list(priors.values()))
    displacement = table[list(PARAMETERS)].to_numpy() * widths
    np.testing.assert_allclose(displacement @ np.diag(widths**-2.0) @ displacement.T, np.eye(3), atol=1e-10)
    information = displacement @ made.unclipped @ displacement.T
    np.testing.assert_allclose(np.diag(information), table["information"], rtol=1e-9)
    np.testing.assert_allclose(information, np.diag(table["information"]), atol=1e-4 * information.max())


def test_each_direction_is_measured_or_the_priors_or_limited() -> None:
    table = direction_table(estimate(0.3), PRIORS)
    assert list(table["verdict"]) == ["measured", "measured", "set by the prior"]
    assert list(table["reason"]) == ["", "", ""]
    assert table["combination"][2].startswith("1.00 none")
    noisy = direction_table(estimate(6.0), PRIORS)
    assert noisy["verdict"][0] == "measured"
    assert set(noisy["verdict"][1:]) == {"limited by these simulations"}
    assert set(noisy["reason"][1:]) == {"noise of the Jacobian"}
    few = direction_table(estimate(0.1, maps=20), PRIORS)
    assert few["verdict"][0] == "limited by these simulations"
    assert few["reason"][0] == "noise of the covariance"


def test_the_number_of_boxes_that_is_asked_for_is_enough() -> None:
    # noise of 2 in 6 bins over 24 boxes: B = 6 x 4 / 24 = 1 on each parameter
    needed = direction_table(estimate(2.0), PRIORS)["boxes_needed"].to_numpy()
    shares = 6 * 2.0**2 / 24 / (np.array([300.0, 12.0, 0.0]) + 1)
    np.testing.assert_allclose(needed, 24 * shares / 0.05, rtol=0.35)  # of B from 24 boxes, and clipping
    enough = estimate(2.0, boxes=int(1.5 * needed.max()))
    assert set(parameter_verdicts(enough, PRIORS).verdict) <= {"converged", "set by the prior"}
    found = along(estimate(2.0), PRIORS, np.eye(3))
    known = found._replace(shares={"noise of the Jacobian": np.array([0.05, 0.1001, 1e6])})
    np.testing.assert_array_equal(boxes_needed(known._replace(prior=found.total), 10), [10, 21, 2e8])
    np.testing.assert_array_equal(boxes_needed(known._replace(prior=0 * found.prior), 10), [10, 21, np.inf])


def test_verdicts_of_parameters_in_a_known_forecast() -> None:
    found = parameter_verdicts(estimate(0.3), PRIORS)
    assert found.verdict == ["converged", "converged", "set by the prior"]
    assert found.reason == ["", "", ""]
    noisy = parameter_verdicts(estimate(4.0), PRIORS)
    assert noisy.verdict[1:] == ["limited by simulations", "limited by simulations"]
    assert noisy.reason[1:] == ["noise of the Jacobian", "noise of the Jacobian"]
    alone = parameter_verdicts(estimate(0.3), {})
    assert alone.verdict[2] == "limited by simulations"
    # few maps behind the covariance: 20 - 1 - 6 + 3 = 16, sqrt(2/16) = .35
    few = parameter_verdicts(estimate(0.1, maps=20), PRIORS)
    assert (few.verdict[0], few.reason[0]) == ("limited by simulations", "noise of the covariance")
    assert few.share[0] < 0.05


def test_prior_is_blamed_only_where_perfect_simulations_would_not_help() -> None:
    """A direction with no information, to within an error as large as the prior: it could still be measured."""
    for seed in range(20):
        found = parameter_verdicts(estimate(3.5, seed=seed), PRIORS)
        assert found.verdict[2] == "limited by simulations"
    verdicts = [parameter_verdicts(estimate(0.5, seed=seed), PRIORS).verdict[2] for seed in range(20)]
    assert verdicts.count("set by the prior") == 20


def test_share_of_a_parameter_is_the_relative_growth_of_its_variance_for_small_noise() -> None:
    made = estimate(0.01)
    derived = DerivedParameter("sum", 3.0, {"strong": 1.0, "weak": 0.03})
    standard, cross = (
        np.diag(made.fisher(name, PRIORS).with_priors(PRIORS).inverse().with_derived([derived]).matrix)
        for name in ("standard", "cross")
    )
    # next order: share^2, with shares below 1e-3; information that is clipped changes less than by its noise
    share = parameter_verdicts(made, PRIORS, [derived]).share
    measured = [0, 1, 3]
    np.testing.assert_allclose(share[measured], (cross / standard - 1)[measured], rtol=5e-3)
    assert 0 < cross[2] / standard[2] - 1 < share[2]


def test_share_is_that_of_noise_in_the_information_of_the_posterior() -> None:
    made = estimate(2.0)
    total = made.fisher("cross", PRIORS).matrix + np.eye(3)
    inverse = np.linalg.inv(total)
    expected = np.diag(inverse @ made.bias @ inverse) / np.diag(inverse)
    np.testing.assert_allclose(parameter_verdicts(made, PRIORS).share, expected, rtol=1e-10)
    # a prior takes over where the data are noisy
    assert parameter_verdicts(made, {"none": 0.05}).share[2] < 0.05


@pytest.mark.slow
def test_error_of_the_information_is_its_scatter() -> None:
    vectors = np.eye(3)
    found = [along(estimate(2.0, seed=seed), PRIORS, vectors) for seed in range(200)]
    scatter = np.std([each.data for each in found], axis=0)
    error = np.sqrt(np.mean([each.error**2 for each in found], axis=0))
    np.testing.assert_allclose(error[:2], scatter[:2], rtol=0.2)
    # the jackknife exaggerates the error of pure noise, which is quadratic in it (Efron & Stein 1981)
    assert 1 < error[2] / scatter[2] < 1.6
    assert np.isinf(along(estimate(2.0, boxes=2), PRIORS, vectors).error).all()


def test_scatter_of_the_covariance_is_that_of_wishart_matrices() -> None:
    maps, rng = 40, np.random.default_rng(0)
    mean = np.array([[10.0, 0, 10, 0, 10, 0], [0, 2, 0, 2, 0, 2], [1, 0, -1, 0, 0, 0]])
    variances = []
    for _ in range(2000):
        matrix = np.cov(rng.normal(size=(maps, 6)), rowvar=False)
        variances.append(np.diag(np.linalg.inv(mean @ np.linalg.inv(matrix) @ mean.T)))
    made = estimate(1e-6, maps=maps)
    found = reasons(made, PRIORS)["noise of the covariance"] / made.fisher("cross", PRIORS).matrix
    # (D^T C^-1 D)^-1 is a Wishart matrix of 40 - 1 - 6 + 3 degrees of freedom
    np.testing.assert_allclose(np.std(variances, axis=0) / np.mean(variances, axis=0), found[0, 0], rtol=0.1)


def test_a_further_reason_takes_its_place_next_to_the_others() -> None:
    made = estimate(0.3)
    change = 0.5 * made.standard.matrix
    table = direction_table(made, PRIORS, {"resolution": change})
    assert list(table["reason"][:2]) == ["resolution", "resolution"]
    np.testing.assert_allclose(table["resolution"][:1], 0.5, rtol=0.01)
    found = parameter_verdicts(made, PRIORS, further={"resolution": change})
    assert found.verdict == ["limited by simulations", "limited by simulations", "set by the prior"]
    assert found.reason[:2] == ["resolution", "resolution"]
    # noise that alone keeps a parameter from converging is named next to a larger reason
    made = estimate(1.2)
    found = parameter_verdicts(made, PRIORS, further={"resolution": 0.5 * made.standard.matrix})
    assert 0.05 < found.share[1] < 0.3
    assert found.reason[1] == "noise of the Jacobian and resolution"


def test_priors_on_some_parameters_are_enough() -> None:
    table = direction_table(estimate(0.3), {"none": 1.0})
    assert sorted(table["verdict"]) == ["measured", "measured", "set by the prior"]
    assert table.loc[table["verdict"] == "set by the prior", "combination"].item().startswith("1.00 none")


def test_prior_on_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown parameter with a prior 'weaks'.*did you mean 'weak'\?"):
        direction_table(estimate(0.3), {"weaks": 1.0})
