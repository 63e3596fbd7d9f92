"""Algebra of Fisher matrices against closed forms."""

import numpy as np
import pytest

from lenscast.fisher.derived import S8, DerivedParameter
from lenscast.fisher.matrices import DELTA_CHI2, FisherMatrix

FIDUCIAL = {"Omega_c": 0.2589, "Omega_b": 0.0486, "sigma8": 0.8159}


def two_parameters(correlation: float = 0.6) -> FisherMatrix:
    """Inverse of a covariance with errors 0.1 and 0.2."""
    off = correlation * 0.02
    covariance = np.array([[0.01, off], [off, 0.04]])
    return FisherMatrix(("a", "b"), np.array([1.0, 2.0]), np.linalg.inv(covariance))


def test_errors_of_two_parameters_are_those_of_the_closed_form() -> None:
    fisher = two_parameters()
    posterior = fisher.inverse()
    np.testing.assert_allclose(posterior.marginal_errors, [0.1, 0.2], rtol=1e-12)
    np.testing.assert_allclose(posterior.correlation[0, 1], 0.6, rtol=1e-12)
    # conditional error = marginal error x sqrt(1 - r^2)
    np.testing.assert_allclose(fisher.conditional_errors, [0.08, 0.16], rtol=1e-12)


def test_selecting_fixes_in_fisher_and_marginalises_in_the_covariance() -> None:
    fisher = two_parameters()
    np.testing.assert_allclose(fisher.select(["b"]).inverse().marginal_errors, 0.16, rtol=1e-12)
    np.testing.assert_allclose(fisher.inverse().select(["b"]).marginal_errors, 0.2, rtol=1e-12)
    reordered = fisher.select(["b", "a"])
    np.testing.assert_array_equal(reordered.fiducial, [2.0, 1.0])
    np.testing.assert_allclose(reordered.inverse().marginal_errors, [0.2, 0.1], rtol=1e-12)


def test_prior_adds_inverse_variance_to_its_own_parameter() -> None:
    independent = two_parameters(correlation=0.0)
    errors = independent.with_priors({"b": 0.2}).inverse().marginal_errors
    np.testing.assert_allclose(errors, [0.1, 0.2 / np.sqrt(2)], rtol=1e-12)
    assert independent.matrix[1, 1] == pytest.approx(25.0)  # the original is unchanged


def test_area_scales_information() -> None:
    errors = two_parameters().rescale(600.0).inverse().marginal_errors
    np.testing.assert_allclose(errors, np.array([0.1, 0.2]) / np.sqrt(600), rtol=1e-12)


def test_gradient_of_s8_is_that_of_its_definition() -> None:
    s8 = S8(FIDUCIAL)
    assert s8.value == pytest.approx(0.8159 * np.sqrt(0.3075 / 0.3), rel=1e-12)
    for name in FIDUCIAL:
        up, down = ({**FIDUCIAL, name: FIDUCIAL[name] + sign * 1e-5} for sign in (1, -1))
        # truncation of the central difference is below 1e-9
        assert s8.gradient[name] == pytest.approx((S8(up).value - S8(down).value) / 2e-5, rel=1e-7)


def test_derived_error_agrees_with_samples_of_the_posterior() -> None:
    names = ("Omega_c", "sigma8")
    covariance = np.array([[1.0, -0.9], [-0.9, 1.0]]) * np.outer([2e-3, 3e-3], [2e-3, 3e-3])
    fiducial = np.array([FIDUCIAL[name] for name in names])
    posterior = FisherMatrix(names, fiducial, np.linalg.inv(covariance)).inverse().with_derived([S8(FIDUCIAL)])
    assert posterior.names == ("Omega_c", "sigma8", "S8")
    draws = np.random.default_rng(2).multivariate_normal(fiducial, covariance, size=20000)
    s8 = draws[:, 1] * np.sqrt((draws[:, 0] + FIDUCIAL["Omega_b"]) / 0.3)
    # 20000 samples give an error to 0.5 %; the curvature of S8 over these errors adds 0.1 %
    assert posterior.marginal_errors[2] == pytest.approx(s8.std(), rel=0.02)
    assert posterior.correlation[0, 2] == pytest.approx(np.corrcoef(draws[:, 0], s8)[0, 1], abs=0.03)


def test_derived_parameter_holds_what_is_not_varied() -> None:
    fisher = two_parameters(correlation=0.0)
    derived = DerivedParameter("c", 5.0, {"a": 2.0, "elsewhere": 100.0})
    assert fisher.inverse().with_derived([derived]).marginal_errors[2] == pytest.approx(0.2)


def test_singular_matrix_is_refused_with_its_direction() -> None:
    gradient = np.array([3.0, 4.0])
    fisher = FisherMatrix(("Omega_c", "sigma8"), np.zeros(2), np.outer(gradient, gradient))
    assert not fisher.is_positive_definite
    with pytest.raises(ValueError, match=r"Fisher matrix is not positive definite.* 0\.71 \w+ - 0\.71 \w+ "):
        fisher.inverse()
    fixed = fisher.with_priors({"sigma8": 1.0})
    assert fixed.is_positive_definite


def test_fisher_matrix_refuses_bad_input() -> None:
    with pytest.raises(ValueError, match="unknown parameter with a prior 'sgma'"):
        two_parameters().with_priors({"sgma": 0.1})
    with pytest.raises(ValueError, match="prior widths must be positive"):
        two_parameters().with_priors({"a": 0.0})
    with pytest.raises(ValueError, match="of a, b is not symmetric and finite"):
        FisherMatrix(("a", "b"), np.zeros(2), np.array([[1.0, 0.1], [0.2, 1.0]]))
    with pytest.raises(ValueError, match="2 parameters with fiducial"):
        FisherMatrix(("a", "b"), np.zeros(3), np.eye(3))


@pytest.mark.parametrize(("probability", "level"), DELTA_CHI2.items())
def test_contour_levels_enclose_their_probability_in_two_dimensions(probability: float, level: float) -> None:
    # the names 68 and 95 % stand for one and two sigma, 68.3 and 95.4 %
    assert 1 - np.exp(-level / 2) == pytest.approx(probability, abs=0.005)
