"""Cholesky factors, and the texts that name singular directions."""

import numpy as np
import pytest

from lenscast.fisher.linalg import cholesky_factor, combination, is_positive_definite
from lenscast.fisher.names import positions, require_unique


def test_cholesky_factor_gives_the_matrix_back_over_many_orders_of_magnitude() -> None:
    rng = np.random.default_rng(1)
    scale = 10.0 ** np.array([-12, -3, 0, 5, 9])
    root = rng.normal(size=(5, 8))
    matrix = np.outer(scale, scale) * (root @ root.T)
    factor = cholesky_factor(matrix, list("abcde"), "matrix", "")
    np.testing.assert_array_equal(factor, np.tril(factor))
    np.testing.assert_allclose(factor @ factor.T, matrix, rtol=1e-12)


def test_cholesky_factor_names_the_null_direction() -> None:
    # information on 3 a + 4 b only, and on c: moving along 4 a - 3 b changes nothing
    matrix = np.zeros((3, 3))
    matrix[:2, :2] = np.outer([3.0, 4.0], [3.0, 4.0])
    matrix[2, 2] = 1.0
    # in units of the conditional errors 1/3 and 1/4 the direction is (1, -1)/sqrt 2
    with pytest.raises(ValueError, match=r"0\.71 \w - 0\.71 \w .*: fix one"):
        cholesky_factor(matrix, ["a", "b", "c"], "the matrix", "fix one")
    assert not is_positive_definite(matrix)


def test_cholesky_factor_names_a_diagonal_that_is_not_positive() -> None:
    with pytest.raises(ValueError, match="not positive for b: add data"):
        cholesky_factor(np.diag([1.0, 0.0]), ["a", "b"], "the matrix", "add data")


def test_combination_orders_by_size_and_leaves_out_the_small() -> None:
    assert combination(np.array([0.6, 0.01, -0.8]), ["a", "b", "c"]) == "0.80 c - 0.60 a"


def test_positions_follow_the_wanted_order() -> None:
    np.testing.assert_array_equal(positions(["c", "a"], ["a", "b", "c"], "parameter"), [2, 0])
    assert positions([], ["a"], "parameter").shape == (0,)


def test_positions_refuse_unknown_names_and_hint_at_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown parameter 'sigma_8'.*did you mean 'sigma8'\?"):
        positions(["sigma_8"], ["Omega_c", "sigma8"], "parameter")
    with pytest.raises(ValueError, match="parameter 'a' given more than once"):
        positions(["a", "a"], ["a", "b"], "parameter")


def test_names_that_repeat_are_refused() -> None:
    with pytest.raises(ValueError, match="bin 'x' given more than once"):
        require_unique(["x", "y", "x"], "bin")
