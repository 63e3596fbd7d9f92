"""Fisher matrices from noisy simulations against the linear Gaussian model, by ensembles."""

from pathlib import Path

import numpy as np
import pytest
from scipy import linalg, stats

from lenscast.fisher.covariance import Covariance, sample_covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimation import fisher_estimate
from lenscast.fisher.estimators import ESTIMATORS, FLOOR, SPLITS, Estimator, clipped, information, whole_estimators
from lenscast.fisher.finite_samples import finite_sample_factors
from lenscast.fisher.halves import of_halves, splits
from lenscast.fisher.tables import fisher_table

PARAMETERS = ("a", "b", "c")
FIDUCIAL = {"a": 1.0, "b": 2.0, "c": 3.0, "unused": 4.0}
BINS = 8
DATA = tuple(f"bin_{i}" for i in range(BINS))
MANY = 10**9
ORACLE = Path(__file__).parents[1] / "oracles" / "compressed_fisher"


def truth() -> tuple[np.ndarray, np.ndarray]:
    """Jacobian [param bin] and covariance of the model."""
    rng = np.random.default_rng(11)
    root = rng.normal(size=(BINS, 3 * BINS))
    return rng.normal(size=(3, BINS)), root @ root.T / BINS


def covariance(matrix: np.ndarray, maps: int = MANY) -> Covariance:
    """A covariance from independent maps."""
    return Covariance(DATA, np.zeros(BINS), matrix, maps, maps, np.ones(BINS))


def noisy_estimate(rng: np.random.Generator, boxes: int, matrix: np.ndarray, maps: int) -> FisherEstimate:
    """Fisher estimate from Jacobians with noise that is correlated between data and parameters."""
    noise = rng.normal(size=(boxes, 3, BINS)) + rng.normal(size=(boxes, 1, BINS)).cumsum(axis=-1)
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(boxes), truth()[0] + noise)
    return fisher_estimate(sample, covariance(matrix, maps), FIDUCIAL, 1.0)


def test_noiseless_estimate_is_the_fisher_matrix_of_the_linear_gaussian_model() -> None:
    jacobian, matrix = truth()
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(4), np.tile(jacobian, (4, 1, 1)))
    estimate = fisher_estimate(sample, covariance(matrix), FIDUCIAL, 600.0)
    exact = 600 * jacobian @ np.linalg.inv(matrix) @ jacobian.T
    np.testing.assert_allclose(estimate.standard.matrix, exact, rtol=1e-7)
    np.testing.assert_allclose(estimate.fisher("cross").matrix, exact, rtol=1e-7)
    np.testing.assert_allclose(estimate.standard.fiducial, [1.0, 2.0, 3.0])


def test_cross_is_the_mean_over_pairs_of_different_boxes() -> None:
    rng = np.random.default_rng(0)
    matrix = truth()[1]
    estimate = noisy_estimate(rng, 5, matrix, 40)
    white = estimate.whitened
    pairs = [white[r] @ white[s].T for r in range(5) for s in range(5) if r != s]
    expected = estimate.factors.hartlap * np.mean(pairs, axis=0)
    np.testing.assert_allclose(estimate.unclipped, expected, rtol=1e-10)


def test_bias_is_the_trace_of_the_covariance_of_the_derivatives() -> None:
    matrix = truth()[1]
    estimate = noisy_estimate(np.random.default_rng(0), 5, matrix, 40)
    jacobian = estimate.whitened @ np.linalg.cholesky(matrix).T
    scatter = jacobian - jacobian.mean(axis=0)
    between = np.einsum("rpi,rqj->pqij", scatter, scatter) / 4
    expected = estimate.factors.hartlap / 5 * np.einsum("ij,pqji->pq", np.linalg.inv(matrix), between)
    np.testing.assert_allclose(estimate.bias, expected, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("maps", [MANY, 25])
def test_ensemble_mean_is_biased_for_standard_and_unbiased_for_cross(maps: int) -> None:
    rng = np.random.default_rng(42)
    jacobian, matrix = truth()
    boxes, trials = 4, 300
    standard, cross, bias = np.zeros((3, trials, 3, 3))
    for trial in range(trials):
        drawn = matrix if maps == MANY else stats.wishart(maps - 1, matrix / (maps - 1)).rvs(random_state=rng)
        estimate = noisy_estimate(rng, boxes, drawn, maps)
        standard[trial], cross[trial] = estimate.standard.matrix, estimate.unclipped
        bias[trial] = estimate.bias
    inverse = np.linalg.inv(matrix)
    common = np.minimum.outer(np.arange(1, BINS + 1), np.arange(1, BINS + 1))  # covariance of a random walk
    noise = np.trace(inverse @ common) * np.ones((3, 3)) + np.trace(inverse) * np.eye(3)
    exact = jacobian @ inverse @ jacobian.T
    for estimates, expected in ((standard, exact + noise / boxes), (cross, exact), (bias, noise / boxes)):
        z = (estimates.mean(axis=0) - expected) / (estimates.std(axis=0) / np.sqrt(trials))
        assert np.abs(z).max() < 4  # 9 numbers, 6 of them independent
    # and the test could tell: the bias is many errors away from zero
    assert (noise / boxes / (cross.std(axis=0) / np.sqrt(trials))).min() > 5


@pytest.mark.parametrize("estimator", whole_estimators())
def test_leaving_a_box_out_is_the_estimate_without_it(estimator: str) -> None:
    matrix = truth()[1]
    rng = np.random.default_rng(1)
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(5), rng.normal(size=(5, 3, BINS)))
    full = fisher_estimate(sample, covariance(matrix), FIDUCIAL, 2.0)
    priors = {"b": 0.5}
    for left_out, replicate in enumerate(full.leave_one_out(estimator, priors)):
        rest = sample.in_boxes(np.delete(sample.box, left_out))
        expected = fisher_estimate(rest, covariance(matrix), FIDUCIAL, 2.0).fisher(estimator, priors).matrix
        np.testing.assert_allclose(replicate, expected, rtol=1e-9, atol=1e-12)


def test_unknown_estimator_is_refused_with_those_that_exist() -> None:
    estimate = noisy_estimate(np.random.default_rng(0), 5, truth()[1], 40)
    for method in (estimate.fisher, estimate.leave_one_out):
        with pytest.raises(ValueError, match=r"unknown estimator 'crossed': choose from cross, standard$"):
            method("crossed")


def test_clipping_keeps_what_is_positive_and_sets_what_is_negative_to_nothing() -> None:
    rng = np.random.default_rng(2)
    scale = 10.0 ** np.array([-3, 0, 4])
    root = rng.normal(size=(3, 6))
    metric = root @ root.T * np.outer(scale, scale)
    priors = np.diag(0.2 * np.diag(metric) * [1, 1, 0])
    standard = metric - priors
    basis = linalg.cholesky(metric, lower=True) @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    cross, expected, positive = (basis * np.array([0.9, 0.3, low]) @ basis.T for low in (-0.7, 0.0, 0.1))
    found = clipped(standard, standard - cross, priors)
    unit = np.outer(scale, scale)
    np.testing.assert_allclose(found / unit, expected / unit, atol=20 * FLOOR)
    # in place of nothing there is a little: the inverse without priors exists
    np.linalg.cholesky(found / unit)
    np.testing.assert_allclose(clipped(standard, standard - positive, priors), positive, rtol=1e-12)


def test_clipping_one_parameter_leaves_the_others() -> None:
    rng = np.random.default_rng(0)
    mean = np.array([[10.0] * BINS, [0, 2.0] * (BINS // 2), [0.0] * BINS])
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(12), mean + 0.01 * rng.normal(size=(12, 3, BINS)))
    estimate = fisher_estimate(sample, covariance(np.eye(BINS)), FIDUCIAL, 1.0)
    exact = mean[:2] @ mean[:2].T
    assert estimate.unclipped[2, 2] < 2e-4
    np.testing.assert_allclose(estimate.fisher("cross").matrix[:2, :2], exact, rtol=0.01)


@pytest.mark.parametrize("priors", [{}, {"b": 0.3}, {"a": 0.3, "b": 2.0, "c": 0.1}])
def test_headline_is_positive_definite_and_never_wider_than_the_prior(priors: dict[str, float]) -> None:
    rng, matrix = np.random.default_rng(8), truth()[1]
    indefinite = 0
    for _ in range(30):
        sample = DerivativeSample(PARAMETERS, DATA, np.arange(4), 0.02 * rng.normal(size=(4, 3, BINS)))
        estimate = fisher_estimate(sample, covariance(matrix), FIDUCIAL, 1.0)
        indefinite += np.linalg.eigvalsh(estimate.unclipped)[0] < 0
        errors = estimate.fisher("cross", priors).with_priors(priors).inverse().marginal_errors
        for name, width in priors.items():
            assert errors[PARAMETERS.index(name)] <= width * (1 + 1e-6)
    assert indefinite > 20


def test_fixing_parameters_never_widens_an_error() -> None:
    rng, matrix, priors = np.random.default_rng(8), truth()[1], {"a": 0.3, "b": 2.0}
    for _ in range(20):
        sample = DerivativeSample(PARAMETERS, DATA, np.arange(4), rng.normal(size=(4, 3, BINS)))
        estimate = fisher_estimate(sample, covariance(matrix), FIDUCIAL, 1.0)
        free, left = estimate.fisher("cross", priors), {"a": 0.3}
        known = estimate.with_fixed(["b"], priors)
        np.testing.assert_array_equal(known.fisher("cross", left).matrix, free.select(["a", "c"]).matrix)
        errors = known.fisher("cross", left).with_priors(left).inverse().marginal_errors
        assert np.all(errors <= free.with_priors(priors).inverse().marginal_errors[[0, 2]] * (1 + 1e-9))
        every = estimate.leave_one_out("cross", priors)
        np.testing.assert_array_equal(known.leave_one_out("cross", left), every[:, [[0], [2]], [0, 2]])


def test_estimators_of_halves_agree_with_the_code_of_their_authors() -> None:
    maps = np.loadtxt(ORACLE / "maps.txt")
    jacobian = np.loadtxt(ORACLE / "derivatives.txt").reshape(-1, 3, maps.shape[1])
    data = DATA[: maps.shape[1]]
    sample = DerivativeSample(PARAMETERS, data, np.arange(len(jacobian)), jacobian)
    of_maps = sample_covariance(maps, np.arange(len(maps)), data)
    estimate = fisher_estimate(sample, of_maps, FIDUCIAL, 1.0)
    halves = np.arange(10).reshape(2, 1, 5)
    for name in ("compressed", "combined"):
        # ten digits are written
        np.testing.assert_allclose(of_halves(estimate, name, *halves)[0], np.loadtxt(ORACLE / f"{name}.txt"), rtol=1e-8)
    np.testing.assert_allclose(estimate.standard.matrix, np.loadtxt(ORACLE / "standard.txt"), rtol=1e-8)
    np.testing.assert_allclose(estimate.bias, np.loadtxt(ORACLE / "bias.txt"), rtol=1e-8)


def test_combined_lies_between_compressed_and_standard() -> None:
    rng, (jacobian, matrix) = np.random.default_rng(3), truth()
    exact = np.diag(jacobian @ np.linalg.inv(matrix) @ jacobian.T)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("standard", "compressed", "combined")}
    for _ in range(100):
        estimate = noisy_estimate(rng, 8, matrix, MANY)
        found["standard"].append(np.diag(estimate.standard.matrix) / exact)
        for name in ("compressed", "combined"):
            matrices = splits(estimate, name)
            assert matrices.shape == (SPLITS, 3, 3)
            np.testing.assert_allclose(matrices, matrices.swapaxes(1, 2), rtol=1e-6, atol=1e-9 * np.abs(matrices).max())
            found[name].append(np.median(np.diagonal(matrices, axis1=1, axis2=2), axis=0) / exact)
    standard, compressed, combined = (np.mean(found[name]) for name in found)
    assert standard > 1
    assert compressed < combined < standard


def test_estimators_of_halves_are_told_from_those_of_all_boxes() -> None:
    estimate = noisy_estimate(np.random.default_rng(0), 5, truth()[1], 40)
    with pytest.raises(ValueError, match=r"unknown estimator 'combined': choose from cross, standard$"):
        estimate.fisher("combined")
    with pytest.raises(ValueError, match="unknown estimator 'cross': choose from compressed, combined"):
        splits(estimate, "cross")
    with pytest.raises(ValueError, match=r"3 boxes have no halves with scatter: raise derivatives\.boxes to 4"):
        splits(estimate.in_boxes(slice(3)), "combined")


def test_noise_from_other_boxes_adds_to_that_of_the_boxes_with_derivatives() -> None:
    rng, (jacobian, matrix) = np.random.default_rng(5), truth()
    outside = rng.normal(size=(2, 3, BINS))
    rows = jacobian + rng.normal(size=(6, 3, BINS))
    samples = [DerivativeSample(PARAMETERS, DATA, np.arange(6), rows, *more) for more in ((), (outside,))]
    alone, both = (
        fisher_estimate(each.select(data=DATA[::2]), covariance(matrix).select(DATA[::2]), FIDUCIAL, 3.0)
        for each in samples
    )
    inverse = np.linalg.inv(matrix[::2, ::2])
    added = 3 * sum(row @ inverse @ row.T for row in outside[:, :, ::2])
    np.testing.assert_allclose(both.bias - alone.bias, added, rtol=1e-8)
    np.testing.assert_allclose(both.standard.matrix, alone.standard.matrix, rtol=1e-12)
    np.testing.assert_allclose(both.with_fixed(["b"]).bias, both.bias[np.ix_([0, 2], [0, 2])], rtol=1e-8)


def test_a_new_estimator_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    half = Estimator("half of the information", lambda moments, priors: information(moments) / 2)
    monkeypatch.setitem(ESTIMATORS, "half", half)
    estimate = noisy_estimate(np.random.default_rng(0), 5, truth()[1], 40)
    np.testing.assert_array_equal(estimate.fisher("half").matrix, estimate.standard.matrix / 2)
    np.testing.assert_array_equal(estimate.leave_one_out("half"), estimate.leave_one_out("standard") / 2)
    table = fisher_table(estimate, {}).set_index(["estimator", "parameter"])
    np.testing.assert_allclose(table.loc["half", "sigma"], np.sqrt(2) * table.loc["standard", "sigma"], rtol=1e-12)


def test_finite_sample_factors_agree_with_wishart_covariances() -> None:
    maps, bins, parameters, trials = 100, 12, 3, 4000
    jacobian = np.random.default_rng(7).normal(size=(parameters, bins))
    draws = stats.wishart(maps - 1, np.eye(bins) / (maps - 1)).rvs(trials, random_state=8)
    inverse = np.linalg.inv(draws)
    exact = np.linalg.inv(jacobian @ jacobian.T)
    factors = finite_sample_factors(float(maps), bins, parameters)
    # 4000 draws of matrices that scatter by sqrt(2/100): 0.2 %
    np.testing.assert_allclose(factors.hartlap * inverse.mean(axis=0).diagonal().mean(), 1.0, rtol=3e-3)
    parameter_covariance = np.linalg.inv(jacobian @ inverse @ jacobian.T)
    np.testing.assert_allclose(
        factors.taylor_joachimi * parameter_covariance.mean(axis=0).diagonal(), exact.diagonal(), rtol=1e-2
    )
    # scatter of maximum-likelihood estimates that use a simulated covariance; the factor is second order in
    # (d - P)/n_s = 0.09: it exceeds the exact (n_s - 2)/(n_s - 2 - d + P) by 0.4 %
    weights = parameter_covariance @ jacobian @ inverse
    scatter = (weights @ weights.swapaxes(1, 2)).mean(axis=0).diagonal() / exact.diagonal()
    np.testing.assert_allclose(scatter.mean(), factors.dodelson_schneider, rtol=1e-2)
    np.testing.assert_allclose(scatter.mean(), 98 / 89, rtol=5e-3)


def test_finite_sample_factors_tend_to_one_and_end_where_they_must() -> None:
    np.testing.assert_allclose(finite_sample_factors(1e9, 20, 6), 1.0, rtol=1e-7)
    assert finite_sample_factors(24.0, 20, 6).dodelson_schneider == np.inf
    with pytest.raises(ValueError, match=r"22\.0 independent maps for 20 data elements: more than d \+ 2 = 22"):
        finite_sample_factors(22.0, 20, 6)
    with pytest.raises(ValueError, match="3 data elements cannot constrain 4 parameters"):
        finite_sample_factors(100.0, 3, 4)


def test_estimate_refuses_input_that_does_not_fit() -> None:
    matrix = truth()[1]
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(3), np.ones((3, 3, BINS)))
    with pytest.raises(ValueError, match="select both by the same names"):
        fisher_estimate(sample.select(data=DATA[::-1]), covariance(matrix), FIDUCIAL, 1.0)
    with pytest.raises(ValueError, match=r"1 boxes of derivatives .*derivatives\.boxes"):
        fisher_estimate(sample.in_boxes(np.array([0])), covariance(matrix), FIDUCIAL, 1.0)
    with pytest.raises(ValueError, match="unknown parameter with a fiducial value 'c'"):
        fisher_estimate(sample, covariance(matrix), {"a": 1.0, "b": 2.0}, 1.0)
    singular = matrix.copy()
    singular[7] = singular[6]
    singular[:, 7] = singular[:, 6]
    with pytest.raises(ValueError, match=r"data covariance is not positive definite.* 0\.71 bin_\d - 0\.71 bin_\d"):
        fisher_estimate(sample, covariance(singular), FIDUCIAL, 1.0)
    pair = fisher_estimate(sample.in_boxes(np.array([0, 1])), covariance(matrix), FIDUCIAL, 1.0)
    with pytest.raises(ValueError, match="at least 3 boxes, got 2"):
        pair.leave_one_out("cross")
