"""Forecasts from the derivatives of theory and of simulations."""

import numpy as np
import pandas as pd
import pytest

from lenscast.fisher.matrices import FisherMatrix
from lenscast.fisher.theory_comparison import compare_with_theory, theory_jacobian

NAMES, FIDUCIAL = ("sigma8", "w0"), np.array([0.8, -1.0])
THEORY = pd.DataFrame(
    {
        "source_1": [0, 0, 0],
        "source_2": [0, 0, 0],
        "low": [100.0, 200.0, 300.0],
        "dln_sigma8": [2.5, 2.6, 2.7],
        "dln_w0": [-0.3, -0.2, 0.1],
    }
)
BINS = pd.DataFrame({"source_1": [0.0, 0.0], "source_2": [0.0, 0.0], "low": [300.0, 100.0]})
SIGNAL = np.array([1.0, 4.0])


def test_derivatives_follow_the_bins_of_the_data_vector():
    np.testing.assert_allclose(theory_jacobian(THEORY, BINS, SIGNAL, NAMES), [[2.7, 10.0], [0.1, -1.2]])
    np.testing.assert_allclose(theory_jacobian(THEORY, BINS, SIGNAL, ("w0",)), [[0.1, -1.2]])
    with pytest.raises(ValueError, match="theory lacks dln_h"):
        theory_jacobian(THEORY, BINS, SIGNAL, ("sigma8", "h"))
    with pytest.raises(ValueError, match="theory lacks bins of the data vector"):
        theory_jacobian(THEORY[:2], BINS, SIGNAL, NAMES)


def test_errors_and_directions_beside_those_of_theory():
    jacobian, inverse, priors = theory_jacobian(THEORY, BINS, SIGNAL, NAMES), np.diag([4.0, 1.0]), {"w0": 0.5}
    theory = jacobian @ inverse @ jacobian.T
    errors, directions = compare_with_theory(FisherMatrix(NAMES, FIDUCIAL, theory / 4), jacobian, inverse, priors)
    for scale, column in ((1, "sigma_theory"), (1 / 4, "sigma")):
        expected = np.sqrt(np.diag(np.linalg.inv(scale * theory + np.diag([0, 4.0]))))
        np.testing.assert_allclose(errors[column], expected)
    np.testing.assert_allclose(errors["ratio"], errors["sigma"] / errors["sigma_theory"])
    np.testing.assert_allclose(directions["ratio"], 0.25)
    # the determinant does not depend on the axes
    unit = np.array([theory[0, 0] ** -0.5, 0.5])
    scaled = np.linalg.det(theory * np.outer(unit, unit))
    assert directions["information_theory"].prod() == pytest.approx(scaled)
    assert directions["information_theory"].is_monotonic_decreasing
