"""Verdicts on directions and parameters, and errors against the number of boxes."""

import numpy as np
import pytest

from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimators import fisher_estimate
from lenscast.fisher.matrices import DerivedParameter
from lenscast.fisher.reliability import (
    direction_table,
    directions,
    parameter_shares,
    reliability_curve,
    verdict,
)

PARAMETERS = ("strong", "weak")
DATA = tuple(f"bin_{i}" for i in range(6))
FIDUCIAL = {"strong": 1.0, "weak": 2.0}
COVARIANCE = Covariance(DATA, np.zeros(6), np.eye(6), 10**9, 10**9, np.ones(6))


def sample(noise: float, boxes: int = 16) -> DerivativeSample:
    """One parameter with large derivatives and one with small ones, with the same noise."""
    rng = np.random.default_rng(4)
    mean = np.array([[10.0, 0, 10, 0, 10, 0], [0, 0.3, 0, 0.3, 0, 0.3]])
    return DerivativeSample(PARAMETERS, DATA, np.arange(boxes), mean + noise * rng.normal(size=(boxes, 2, 6)))


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.049, "converged"),
        (0.05, "partly converged"),
        (0.3, "partly converged"),
        (0.301, "unconstrained by these simulations"),
    ],
)
def test_verdict_changes_at_its_thresholds(share: float, expected: str) -> None:
    assert verdict(share) == expected


def test_directions_solve_the_generalised_eigenproblem_noisiest_first() -> None:
    estimate = fisher_estimate(sample(0.3), COVARIANCE, FIDUCIAL, 1.0)
    share, displacement = directions(estimate)
    assert np.all(np.diff(share) <= 0)
    np.testing.assert_allclose(displacement @ estimate.standard.matrix @ displacement.T, np.eye(2), atol=1e-10)
    np.testing.assert_allclose(displacement @ estimate.bias @ displacement.T, np.diag(share), atol=1e-10)


def test_noisy_parameter_is_named_and_the_strong_one_is_not() -> None:
    table = direction_table(fisher_estimate(sample(1.0), COVARIANCE, FIDUCIAL, 1.0))
    assert table["verdict"].tolist() == ["unconstrained by these simulations", "converged"]
    assert table["combination"][0].startswith("0.99 weak")
    assert abs(table["weak"][0]) > 0.9
    shares = parameter_shares(fisher_estimate(sample(1.0), COVARIANCE, FIDUCIAL, 1.0), {})
    assert shares[0] < 0.05
    assert shares[1] > 0.3


def test_parameter_share_is_the_relative_growth_of_the_variance_for_small_noise() -> None:
    estimate = fisher_estimate(sample(0.01), COVARIANCE, FIDUCIAL, 1.0)
    derived = DerivedParameter("sum", 3.0, {"strong": 1.0, "weak": 0.03})
    standard, cross = (
        np.diag(estimate.fisher(name).inverse().with_derived([derived]).matrix) for name in ("standard", "cross")
    )
    # next order: share^2, with shares below 1e-3
    np.testing.assert_allclose(parameter_shares(estimate, {}, [derived]), cross / standard - 1, rtol=3e-3)


def test_prior_on_the_noisy_parameter_lowers_its_share() -> None:
    estimate = fisher_estimate(sample(1.0), COVARIANCE, FIDUCIAL, 1.0)
    assert parameter_shares(estimate, {"weak": 0.1})[1] < 0.05 < parameter_shares(estimate, {})[1]


def test_pure_noise_has_a_share_of_one() -> None:
    jacobian = np.random.default_rng(9).normal(size=(4000, 2, 6))
    estimate = fisher_estimate(DerivativeSample(PARAMETERS, DATA, np.arange(4000), jacobian), COVARIANCE, FIDUCIAL, 1.0)
    # F_std of noise is B times a chi^2 of 6 degrees of freedom over 6; its inverse scatters by a factor of a few
    assert np.all(directions(estimate).share > 0.3)


def test_standard_errors_shrink_with_noise_and_cross_errors_do_not() -> None:
    curve = reliability_curve(sample(0.5, boxes=64), COVARIANCE, FIDUCIAL, 1.0, {})
    assert sorted(curve["boxes"].unique()) == [2, 4, 8, 16, 32, 64]
    weak = curve[curve["parameter"] == "weak"].pivot(index="boxes", columns="estimator", values="sigma")
    exact = 1 / np.sqrt(3 * 0.3**2)
    assert weak["standard"][2] < 0.8 * exact  # noise poses as information
    assert weak["standard"].is_monotonic_increasing
    assert weak["cross"][64] == pytest.approx(exact, rel=0.15)
    indefinite = curve[(curve["parameter"] == "weak") & (curve["estimator"] == "cross")].set_index("boxes")
    assert indefinite["indefinite"][2] > 0
    assert indefinite["indefinite"][64] == 0
    assert indefinite["groups"][2] == 32


def test_curve_is_nan_where_no_group_is_positive_definite() -> None:
    alternating = np.array([1.0, -1.0])[:, None, None] * np.ones((2, 2, 6)) + np.random.default_rng(0).normal(
        scale=0.1, size=(2, 2, 6)
    )
    noise = DerivativeSample(PARAMETERS, DATA, np.arange(2), alternating)
    curve = reliability_curve(noise, COVARIANCE, FIDUCIAL, 1.0, {})
    cross = curve[curve["estimator"] == "cross"]
    assert cross["sigma"].isna().all()
    assert (cross["indefinite"] == 1).all()
