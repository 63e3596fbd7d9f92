"""Algebra of Fisher matrices, for any of them: order, scale, priors and parameters that are fixed."""

from typing import Any

import numpy as np
import pytest

from lenscast.fisher.matrices import FisherMatrix

hypothesis = pytest.importorskip("hypothesis", reason="the extra `dev` is not installed")
arrays = pytest.importorskip("hypothesis.extra.numpy")
st = hypothesis.strategies

SETTINGS = hypothesis.settings(deadline=None, max_examples=60, derandomize=True)
CLOSE = {"rtol": 1e-6}  # of matrices with condition numbers up to 1e6, once the diagonal is scaled to 1


@st.composite
def matrices(draw: Any) -> np.ndarray:
    """Positive definite matrices whose parameters differ by orders of magnitude."""
    count = draw(st.integers(2, 5))
    factor = draw(arrays.arrays(float, (count, count), elements=st.floats(-1, 1)))
    scales = 10.0 ** draw(arrays.arrays(float, count, elements=st.floats(-4, 4)))
    matrix = (factor @ factor.T + 0.01 * np.eye(count)) * np.outer(scales, scales)
    return (matrix + matrix.T) / 2


def fisher_of(matrix: np.ndarray) -> FisherMatrix:
    """Fisher matrix of parameters p0, p1, ...; made in tests, since the type checker draws random numbers."""
    count = len(matrix)
    return FisherMatrix(tuple(f"p{index}" for index in range(count)), np.arange(count, dtype=float), matrix)


@SETTINGS
@hypothesis.given(matrices(), st.data())
def test_errors_do_not_depend_on_the_order_of_parameters(matrix: np.ndarray, data: Any) -> None:
    fisher = fisher_of(matrix)
    order = data.draw(st.permutations(fisher.names))
    expected = dict(zip(fisher.names, fisher.inverse().marginal_errors, strict=True))
    found = fisher.select(order).inverse()
    np.testing.assert_allclose(found.marginal_errors, [expected[name] for name in order], **CLOSE)
    # in units of the errors: covariances far below them are rounding, down to numbers that lose their digits
    units = np.outer(*[fisher.inverse().marginal_errors] * 2)
    np.testing.assert_allclose(found.select(fisher.names).matrix / units, fisher.inverse().matrix / units, atol=1e-6)


@SETTINGS
@hypothesis.given(matrices(), st.floats(1e-6, 1e6))
def test_errors_fall_with_the_root_of_the_area(matrix: np.ndarray, factor: float) -> None:
    fisher = fisher_of(matrix)
    larger = fisher.rescale(factor).inverse().marginal_errors
    np.testing.assert_allclose(larger, fisher.inverse().marginal_errors / np.sqrt(factor), **CLOSE)
    np.testing.assert_allclose(fisher.rescale(factor).rescale(1 / factor).matrix, fisher.matrix, rtol=1e-12)


@SETTINGS
@hypothesis.given(matrices(), st.data())
def test_priors_only_lower_errors_and_combine_as_information_does(matrix: np.ndarray, data: Any) -> None:
    fisher = fisher_of(matrix)
    name = data.draw(st.sampled_from(fisher.names))
    width = data.draw(st.floats(0.01, 100)) * fisher.inverse().marginal_errors[fisher.names.index(name)]
    before, after = (each.inverse().select([name]) for each in (fisher, fisher.with_priors({name: width})))
    # of one parameter, marginalised over the others, information adds up
    expected = (before.marginal_errors[0] ** -2 + width**-2) ** -0.5
    np.testing.assert_allclose(after.marginal_errors[0], expected, **CLOSE)
    errors = fisher.with_priors({name: width}).inverse().marginal_errors
    assert np.all(errors <= fisher.inverse().marginal_errors * (1 + 1e-6))
    twice = fisher.with_priors({name: width}).with_priors({name: width})
    np.testing.assert_allclose(twice.matrix, fisher.with_priors({name: width / 2**0.5}).matrix, rtol=1e-12)


@SETTINGS
@hypothesis.given(matrices(), st.data())
def test_fixing_a_parameter_is_a_prior_of_no_width_and_lowers_errors(matrix: np.ndarray, data: Any) -> None:
    fisher = fisher_of(matrix)
    fixed = data.draw(st.sampled_from(fisher.names))
    free = [name for name in fisher.names if name != fixed]
    without = fisher.select(free).inverse().marginal_errors
    assert np.all(without <= fisher.inverse().select(free).marginal_errors * (1 + 1e-6))
    tight = fisher.with_priors({fixed: 1e-5 * fisher.conditional_errors[fisher.names.index(fixed)]})
    np.testing.assert_allclose(tight.inverse().select(free).marginal_errors, without, rtol=1e-4)


@SETTINGS
@hypothesis.given(matrices(), st.floats(1e-3, 1e3))
def test_a_parameter_without_correlation_changes_no_error(matrix: np.ndarray, width: float) -> None:
    fisher = fisher_of(matrix)
    count = len(fisher.names)
    wider = np.zeros((count + 1, count + 1))
    wider[:count, :count], wider[count, count] = fisher.matrix, width**-2
    more = FisherMatrix((*fisher.names, "more"), np.append(fisher.fiducial, 0.0), wider).inverse()
    np.testing.assert_allclose(more.select(fisher.names).marginal_errors, fisher.inverse().marginal_errors, **CLOSE)
    np.testing.assert_allclose(more.select(["more"]).marginal_errors, [width], **CLOSE)
