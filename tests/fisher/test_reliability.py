"""Errors against the number of boxes."""

import numpy as np
import pytest

from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimation import fisher_estimate
from lenscast.fisher.reliability import reliability_curve

PARAMETERS = ("strong", "weak")
DATA = tuple(f"bin_{i}" for i in range(6))
FIDUCIAL = {"strong": 1.0, "weak": 2.0}
COVARIANCE = Covariance(DATA, np.zeros(6), np.eye(6), 10**9, 10**9, np.ones(6))


def sample(noise: float, boxes: int = 16) -> DerivativeSample:
    """One parameter with large derivatives and one with small ones, with the same noise."""
    rng = np.random.default_rng(4)
    mean = np.array([[10.0, 0, 10, 0, 10, 0], [0, 0.3, 0, 0.3, 0, 0.3]])
    return DerivativeSample(PARAMETERS, DATA, np.arange(boxes), mean + noise * rng.normal(size=(boxes, 2, 6)))


def test_standard_errors_shrink_with_noise_and_cross_errors_do_not() -> None:
    curve = reliability_curve(fisher_estimate(sample(0.5, boxes=64), COVARIANCE, FIDUCIAL, 1.0), {"weak": 10.0})
    assert sorted(curve["boxes"].unique()) == [2, 4, 8, 16, 32, 64]
    weak = curve[curve["parameter"] == "weak"].pivot(index="boxes", columns="estimator", values="sigma")
    exact = 1 / np.sqrt(3 * 0.3**2)
    assert weak["standard"][2] < 0.8 * exact  # noise poses as information
    assert weak["standard"].is_monotonic_increasing
    assert weak["cross"][64] == pytest.approx(exact, rel=0.15)
    assert (weak["cross"] > weak["standard"]).all()
    assert (curve["failures"] == 0).all()
    assert set(curve.loc[curve["boxes"] == 2, "groups"]) == {32}


def test_curve_is_infinite_where_no_group_has_an_inverse() -> None:
    # the second parameter has no derivative in any bin, and no prior
    jacobian = sample(0.1).jacobian * np.array([1.0, 0.0])[:, None]
    estimate = fisher_estimate(DerivativeSample(PARAMETERS, DATA, np.arange(16), jacobian), COVARIANCE, FIDUCIAL, 1.0)
    curve = reliability_curve(estimate, {})
    assert np.isinf(curve["sigma"]).all()
    assert (curve["failures"] == curve["groups"]).all()
    assert np.isfinite(reliability_curve(estimate, {"weak": 1.0})["sigma"]).all()
