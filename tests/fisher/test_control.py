"""Control of a Jacobian by the data: no bias, and noise that is what it says."""

from typing import NamedTuple

import numpy as np
import pytest

from lenscast.fisher.control import FEWEST_BOXES, Control, left_out_residuals, with_control
from lenscast.fisher.derivatives import DerivativeSample

CONTROLLED, OTHERS, PARAMETERS = 5, 2, 3
BINS = CONTROLLED + OTHERS
NAMES, DATA = tuple("abc"), tuple(map(str, range(BINS)))


class Draw(NamedTuple):
    sample: DerivativeSample
    control: Control


def draw(rng: np.random.Generator, boxes: int, others: int, explained: float, skewed: bool = False) -> Draw:
    """Jacobians with a mean of 1, a part of whose scatter follows from data, and further bins that follow them less."""
    fixed = np.random.default_rng(1)
    mixing = fixed.normal(size=(CONTROLLED, CONTROLLED)) * np.geomspace(1, 0.1, CONTROLLED)
    slopes = fixed.normal(size=(CONTROLLED, PARAMETERS, BINS))
    slopes *= np.sqrt(explained) / np.linalg.norm(np.einsum("xy,ypb->xpb", mixing, slopes), axis=0)
    white = rng.normal(size=(boxes + others, CONTROLLED))
    if skewed:  # unit variance, skewness 2
        white = rng.exponential(size=white.shape) - 1
    data = white @ mixing
    own = np.sqrt(1 - explained) * rng.normal(size=(boxes, PARAMETERS, BINS))
    jacobian = 1 + np.einsum("rx,xpb->rpb", data[:boxes], slopes) + own
    jacobian[:, 2] = 0.9 * jacobian[:, 0] + 0.1 * jacobian[:, 2]  # a combination of parameters nearly cancels
    whole = np.pad(data, ((0, 0), (0, OTHERS)))
    sample = DerivativeSample(NAMES, DATA, np.arange(boxes), jacobian)
    return Draw(sample, Control(whole[:boxes], whole[boxes:], [np.arange(CONTROLLED)]))


def noise(sample: DerivativeSample) -> np.ndarray:
    """Covariance of the mean Jacobian over all parameters and bins, from its boxes and from others."""
    flat = sample.jacobian.reshape(len(sample.box), -1)
    outside = sample.outside.reshape(-1, flat.shape[1])
    return np.cov(flat, rowvar=False) / len(flat) + outside.T @ outside


@pytest.mark.slow
@pytest.mark.parametrize(
    ("boxes", "others", "explained", "skewed"),
    [(24, 120, 0.8, False), (24, 120, 0.8, True), (40, 40, 0.8, False), (12, 60, 0.0, False), (70, 200, 0.5, False)],
)
def test_control_has_no_bias_and_the_noise_that_it_says(boxes, others, explained, skewed) -> None:
    trials, rng = 300, np.random.default_rng(7)
    plain, found, said, information = [], [], [], []
    for _ in range(trials):
        sample, control = draw(rng, boxes, others, explained, skewed)
        controlled = with_control(sample, control)
        plain.append(sample.mean.ravel())
        found.append(controlled.mean.ravel())
        said.append(noise(controlled))
        # cross estimate of the Fisher matrix with a unit covariance: B is the trace over bins of the noise
        blocks = said[-1].reshape(PARAMETERS, BINS, PARAMETERS, BINS)
        information.append(controlled.mean @ controlled.mean.T - np.einsum("pbqb->pq", blocks))
    found, said, information = np.array(found), np.mean(said, axis=0), np.array(information)
    z = (found.mean(axis=0) - 1) / (found.std(axis=0) / np.sqrt(trials))
    assert np.mean(z**2) < 2.2  # 21 numbers that are correlated
    z = (information.mean(axis=0) - BINS) / (information.std(axis=0) / np.sqrt(trials))
    assert np.abs(z).max() < 3.5
    scatter = np.cov(found, rowvar=False)
    # 300 draws of a variance, 8 % each, of 21 correlated elements; skewed data have a bias of B of up to 10 %
    np.testing.assert_allclose(np.trace(said), np.trace(scatter), rtol=0.12 if skewed else 0.08)
    is_controlled = np.tile(np.arange(BINS) < CONTROLLED, PARAMETERS)
    between = scatter[np.ix_(is_controlled, ~is_controlled)]
    if explained:  # the covariance of controlled bins and others, which have no control
        slope = (said[np.ix_(is_controlled, ~is_controlled)] * between).sum() / (between**2).sum()
        assert slope == pytest.approx(1, abs=0.35)
    gain = np.var(plain, axis=0)[is_controlled].sum() / np.diag(scatter)[is_controlled].sum()
    ideal = 1 / (1 - explained * others / (boxes + others))
    # what the coefficients cost: regressors over boxes
    assert (1 - 2 * CONTROLLED / boxes) * ideal < gain < 1.1 * ideal


def test_combination_that_nearly_cancels_gains_too() -> None:
    rng = np.random.default_rng(3)
    weights = np.array([0.9, 0.0, -1.0])
    before, after = [], []
    for _ in range(60):
        sample, control = draw(rng, 24, 200, 0.9)
        before.append((weights @ sample.mean)[:CONTROLLED])
        after.append((weights @ with_control(sample, control).mean)[:CONTROLLED])
    assert np.var(after, axis=0).sum() < 0.5 * np.var(before, axis=0).sum()


def test_exact_dependence_leaves_the_noise_of_the_mean_of_all_boxes() -> None:
    sample, control = draw(np.random.default_rng(0), 30, 10**5, 1.0)
    controlled = with_control(sample, control)
    # the smallest ridge penalty shrinks coefficients along the weakest combination of the data
    assert np.abs(controlled.mean - 1)[:, :CONTROLLED].max() < 0.2 * np.abs(sample.mean - 1)[:, :CONTROLLED].max()
    np.testing.assert_array_equal(controlled.jacobian[:, :, CONTROLLED:], sample.jacobian[:, :, CONTROLLED:])


def test_noise_of_two_other_boxes_is_that_of_their_difference() -> None:
    sample, control = draw(np.random.default_rng(2), 32, 0, 1.0)
    first, others = np.arange(30), np.arange(30, 32)
    controlled = with_control(
        sample.in_boxes(first), Control(control.here[first], control.here[others], control.blocks)
    )
    # others s^2 / N^2 for the variance s^2 = (x_1 - x_2)^2 / 2 of two boxes, and J follows x but for the ridge penalty
    expected = np.abs(sample.jacobian[30] - sample.jacobian[31])[:, :CONTROLLED] / 32
    (row,) = controlled.outside
    np.testing.assert_allclose(np.abs(row[:, :CONTROLLED]), expected, atol=0.1 * expected.max())


def test_few_boxes_and_no_other_boxes_are_left_as_they_are() -> None:
    sample, control = draw(np.random.default_rng(0), FEWEST_BOXES - 1, 50, 0.8)
    assert with_control(sample, control) is sample
    sample, control = draw(np.random.default_rng(0), 20, 1, 0.8)
    assert with_control(sample, control) is sample


def test_rows_of_noise_are_as_many_as_the_data_that_control() -> None:
    sample, control = draw(np.random.default_rng(0), 20, 300, 0.8)
    controlled = with_control(sample, control)
    assert controlled.outside.shape == (CONTROLLED, PARAMETERS, BINS)
    assert with_control(sample.select(["b"]), control).outside.shape[1:] == (1, BINS)
    np.testing.assert_array_equal(controlled.select(data=DATA[::-1]).outside, controlled.outside[:, :, ::-1])


def test_residuals_of_boxes_left_out_are_those_of_regressions_without_them() -> None:
    rng, penalty = np.random.default_rng(3), 2.5
    data, values = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))

    def regression(rows: np.ndarray) -> np.ndarray:
        """Prediction for all boxes: a mean without a penalty, and coefficients with one."""
        predictors = np.column_stack([np.ones(9), data])
        normal = predictors[rows].T @ predictors[rows] + np.diag([0, penalty, penalty, penalty])
        return predictors @ np.linalg.solve(normal, predictors[rows].T @ values[rows])

    refitted = [values[box] - regression(np.arange(9) != box)[box] for box in range(9)]
    left, singular, _ = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)
    found = left_out_residuals(left, singular**2 / (singular**2 + penalty), values - values.mean(axis=0))
    np.testing.assert_allclose(found, refitted, rtol=1e-10)


def test_data_that_do_not_fit_are_refused() -> None:
    sample, control = draw(np.random.default_rng(0), 20, 30, 0.8)
    with pytest.raises(
        ValueError, match=r"\(19, 7\) and \(30, 7\) for Jacobians of \(20, 7\) \[box bin\]: give the data"
    ):
        with_control(sample, control._replace(here=control.here[1:]))
    broken = control.elsewhere.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="control a Jacobian are not finite"):
        with_control(sample, control._replace(elsewhere=broken))
