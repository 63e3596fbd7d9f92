"""Jacobians compared with finite differences."""

import numpy as np
import pytest

from lenscast.fisher.derivatives import DerivativeSample
from lenscast.validation.derivatives import central_difference, derivative_comparison, derivative_summary

PARAMETERS = ("Omega_c", "sigma8")
DATA = ("peaks_0", "peaks_1", "peaks_2")


def sample() -> DerivativeSample:
    """Jacobians of six boxes."""
    jacobian = 5 + np.random.default_rng(0).normal(size=(6, len(PARAMETERS), len(DATA)))
    return DerivativeSample(PARAMETERS, DATA, np.arange(6), jacobian)


def test_central_difference_of_a_quadratic_is_exact() -> None:
    theta = np.array([[1.0, 2.0], [3.0, 4.0]])
    result = central_difference((theta + 0.5) ** 2, (theta - 0.5) ** 2, 0.5)
    np.testing.assert_allclose(result, 2 * theta, rtol=1e-14)
    with pytest.raises(ValueError, match="step must be positive"):
        central_difference(theta, theta, -0.1)


def test_comparison_pairs_boxes_and_gives_expected_chi2() -> None:
    # the boxes' scatter of 1 is common to both sides and drops out: deviations have an rms of 0.01
    rng = np.random.default_rng(3)
    boxes, bins = 8, 400
    truth = rng.normal(size=(boxes, 1, bins))
    data = tuple(f"bin_{i}" for i in range(bins))
    autodiff = DerivativeSample(("w0",), data, np.arange(boxes), truth)
    noisy = truth + 0.01 * rng.normal(size=truth.shape)
    table = derivative_comparison(autodiff, DerivativeSample(("w0",), data, np.arange(boxes), noisy))
    assert table["deviation_error"][:-1].median() == pytest.approx(0.01 / np.sqrt(boxes), rel=0.1)
    summary = derivative_summary(table)
    assert summary["expected"][0] == pytest.approx(7 / 5)
    # z^2 of Student's t with 7 degrees of freedom has a variance of 7.8: error 0.14 over 400 bins
    assert summary["chi2_per_bin"][0] == pytest.approx(7 / 5, abs=0.45)
    assert abs(summary["total_z"][0]) < 4


def test_comparison_finds_a_wrong_derivative_and_its_total() -> None:
    right = sample()
    wrong = DerivativeSample(PARAMETERS, DATA, right.box, np.zeros_like(right.jacobian))
    table = derivative_comparison(wrong, right).set_index(["parameter", "data"])
    total = table.loc[("sigma8", "total")]
    assert total["difference"] == pytest.approx(right.mean[1].sum())
    assert total["relative"] == pytest.approx(-1.0)
    assert abs(total["z"]) > 5


def test_comparison_uses_the_boxes_and_parameters_of_the_differences() -> None:
    full = sample()
    part = full.select(parameters=["sigma8"]).in_boxes(np.array([1, 3]))
    table = derivative_comparison(full, part)
    assert set(table["parameter"]) == {"sigma8"}
    assert (table["z"] == 0).all()
    assert (table["boxes"] == 2).all()
    with pytest.raises(ValueError, match="no Jacobian of box 9"):
        full.in_boxes(np.array([9]))
