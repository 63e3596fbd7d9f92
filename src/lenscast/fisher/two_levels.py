"""Two levels of resolution: the mean Jacobian of few fine boxes on top of that of many coarse ones.

A box of half the particles is several times cheaper, and its large scales are those of the fine box with the same
phases. With D_r the Jacobian of box r and G_r that of the coarse box, n boxes at
both levels and N coarse boxes in all,

    Dhat = mean_n D - w (mean_n G - mean_N G)

has the mean of D, whatever that of G is (multilevel Monte Carlo, Giles 2008, Operations Research 56, 607; with weights,
Gorodetsky et al. 2020, arXiv:1811.04988). Each bin has one weight w for all parameters: with weights of their own,
parameters whose responses nearly cancel would keep the difference of their weights as noise.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.fisher.control import FEWEST_BOXES, deviations, fewer_rows, folds, subtracted, whitening
from lenscast.fisher.derivatives import DerivativeSample

LEAST_GAIN = 1.2
"""Gain in variance below which the mean of a statistic is that of the fine boxes alone."""

COLUMNS = ("statistic", "correlation", "gain", "used")


class TwoLevelMean(NamedTuple):
    """Jacobians with the noise of both levels.

    Attributes
    ----------
    sample
        Boxes whose mean is Dhat, and whose noise is their scatter plus that of `outside`.
    table
        One row per statistic: ``correlation`` of the levels between boxes, ``gain`` in the variance of the mean, and
        whether the coarse boxes are ``used``. Both are averages over bins and over combinations of parameters whose
        scatter is uncorrelated and of unit size.
    """

    sample: DerivativeSample
    table: pd.DataFrame


def two_level_mean(
    fine: DerivativeSample, coarse: DerivativeSample, further: DerivativeSample, statistics: Sequence[str]
) -> TwoLevelMean:
    """Mean Jacobian of the fine level from boxes at both levels and further boxes at the coarse one.

    Parameters
    ----------
    fine, coarse
        Jacobians of the same boxes at both levels.
    further
        Jacobians of other boxes at the coarse level.
    statistics
        Statistic of each element of the data.

    Raises
    ------
    ValueError
        If the levels differ in boxes, parameters or data, or boxes are too few.

    Notes
    -----
    The weights of a box come from other boxes, so that they do not know its noise, and Dhat is unbiased as a controlled
    Jacobian is (`control.with_control`). Where the gain is below `LEAST_GAIN`, a statistic keeps its fine boxes. The
    gain is that of the noise that enters B: the best one is 1 / (1 - r^2 (1 - n / N)) for a correlation r. With few
    boxes it is measured too small, by up to (n - 1) / (n - P - 2) for P parameters.
    """
    if not np.array_equal(fine.box, coarse.box):
        raise ValueError(
            f"{len(fine.box)} boxes of derivatives and {len(coarse.box)} at the coarser level: a mean of two levels "
            "needs all of them at both; set resolution.boxes to derivatives.boxes"
        )
    if not fine.parameters == coarse.parameters == further.parameters or not fine.data == coarse.data == further.data:
        raise ValueError("two levels with different parameters or data: select both by the same names")
    if len(fine.box) < FEWEST_BOXES or len(further.box) < 2:
        raise ValueError(
            f"{len(fine.box)} boxes at two levels and {len(further.box)} at the coarser one: a mean of two levels "
            f"needs {FEWEST_BOXES} and 2 or more; raise derivatives.boxes or remove resolution.coarse_only"
        )
    here, outside, share = deviations(coarse.jacobian, further.jacobian)
    weights = _out_of_fold_weights(fine.jacobian, coarse.jacobian)[:, None]
    jacobian = subtracted(fine.jacobian, weights * here, share)
    outside = weights.mean(axis=0) * outside
    names, rows = np.array(statistics), []
    for name in dict.fromkeys(statistics):
        own = names == name
        before, both = fine.jacobian[:, :, own], jacobian[:, :, own]
        after = _noise(both, before) + _size(outside[:, :, own], before)
        gain = _noise(before, before) / after if after > 0 else 1.0  # derivatives that are the same in all boxes
        rows.append((name, _correlation(before, coarse.jacobian[:, :, own]), gain, gain >= LEAST_GAIN))
        if gain < LEAST_GAIN:
            jacobian[:, :, own], outside[:, :, own] = before, 0
    table = pd.DataFrame(rows, columns=COLUMNS)
    return TwoLevelMean(replace(fine, jacobian=jacobian, outside=fewer_rows(outside)), table)


def _out_of_fold_weights(
    fine: Float[np.ndarray, "box param bin"], coarse: Float[np.ndarray, "box param bin"]
) -> Float[np.ndarray, "box bin"]:
    """Weight of each bin for each box, from boxes in other folds: the slope of the fine on the coarse level."""
    fold = folds(len(fine))
    weights = np.empty((len(fine), fine.shape[2]))
    for index in range(fold.max() + 1):
        others = fold != index
        both, size, _ = _products(fine[others], coarse[others])
        weights[~others] = np.divide(both, size, out=np.zeros_like(both), where=size > 0)
    return weights


def _correlation(fine: Float[np.ndarray, "box param bin"], coarse: Float[np.ndarray, "box param bin"]) -> float:
    """Correlation of the levels between boxes."""
    both, size, unit = _products(fine, coarse).sum(axis=1)
    return float(both / np.sqrt(size * unit)) if size > 0 else 0.0


def _products(
    fine: Float[np.ndarray, "box param bin"], coarse: Float[np.ndarray, "box param bin"]
) -> Float[np.ndarray, "3 bin"]:
    """Sums of fine times coarse, of coarse squared and of fine squared over boxes, less their means.

    Both are in combinations of parameters in which the fine one has uncorrelated scatter.
    """
    centred = [(each - each.mean(axis=0)).transpose(2, 0, 1) for each in (fine, coarse)]
    white = whitening(centred[0])
    first, second = (each @ white for each in centred)
    return np.stack([(x * y).sum(axis=(1, 2)) for x, y in ((first, second), (second, second), (first, first))])


def _noise(jacobian: Float[np.ndarray, "box param bin"], unit: Float[np.ndarray, "box param bin"]) -> float:
    """Variance of the mean over boxes, in units of the scatter of `unit`."""
    boxes = len(jacobian)
    return _size(jacobian - jacobian.mean(axis=0), unit) / (boxes * (boxes - 1))


def _size(rows: Float[np.ndarray, "row param bin"], unit: Float[np.ndarray, "box param bin"]) -> float:
    """Sum of squares over rows, bins and combinations of parameters in which `unit` has uncorrelated scatter."""
    centred = (unit - unit.mean(axis=0)).transpose(2, 0, 1)
    return float(((rows.transpose(2, 0, 1) @ whitening(centred)) ** 2).sum())
