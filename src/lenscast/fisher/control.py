"""Control of a Jacobian by the data: a regression that removes noise whose cause is known.

A box whose power spectrum lies above the mean has derivatives above their mean. The mean spectrum is known from many
more boxes than the mean Jacobian, since boxes without derivatives are cheap: how far the spectra of the boxes with
derivatives lie from it says how far their Jacobian lies from its mean. With D_r the Jacobian and x_r the data of box r,
n boxes with derivatives and N boxes in all,

    Dhat = mean_n D - beta (mean_n x - mean_N x),

a control variate whose mean is estimated (Lavenberg & Welch 1981, Management Science 27, 322; Pasupathy et al. 2012,
IIE Transactions 44, 381; for simulations of cosmology, Chartier et al. 2021, arXiv:2009.08970). Nothing about beta is
assumed: a wrong beta costs noise and no bias, because the coefficients that a box is corrected with come from other
boxes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lenscast.fisher.derivatives import DerivativeSample

FEWEST_BOXES = 8
"""Boxes with derivatives below which there is no control: a regression on fewer would only add noise."""

MOST_FOLDS = 32
"""Most groups of boxes that coefficients are fitted without; up to this number of boxes each one is a group."""

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, np.inf)
"""Ridge penalties that each fit chooses from, over the number of boxes, for predictors of unit variance; the last one
is no control."""


class Control(NamedTuple):
    """Data of boxes that predict the Jacobian of the same boxes.

    Attributes
    ----------
    here
        Expected data of the boxes with derivatives.
    elsewhere
        Expected data of boxes without derivatives. They may be noisier than `here`, but must have the same mean.
    blocks
        Columns of the data that are regressed on each other: the Jacobian of these elements on these elements.
    """

    here: Float[np.ndarray, "box bin"]
    elsewhere: Float[np.ndarray, "other bin"]
    blocks: Sequence[Int[np.ndarray, " block"]]


def with_control(sample: DerivativeSample, control: Control) -> DerivativeSample:
    """Jacobians without the noise that the data of their boxes predict.

    Parameters
    ----------
    sample
        Jacobians of boxes.
    control
        Data of the same boxes, in the same order, and of others.

    Returns
    -------
    The sample, whose mean over boxes is Dhat and whose noise is the scatter of its boxes plus that of `outside`. With
    fewer than `FEWEST_BOXES` boxes, or without other boxes, it is the sample that was given.

    Raises
    ------
    ValueError
        If shapes do not fit, or data are not finite.

    Notes
    -----
    Coefficients are linear in x, not in ln x: the mean of a logarithm depends on the noise of its argument, and the two
    sets of boxes may differ in it. For each fold, ridge regression on the other boxes; the penalty, or no control at
    all, is chosen for each parameter and block by the leave-one-out errors of these other boxes. The choice does not
    know the box that is corrected: Dhat is unbiased where x_r is independent of the other boxes' coefficients, and so
    is the scatter of what is left. mean_N x contains the boxes that coefficients were fitted on. For Gaussian data this
    has no effect; otherwise it leaves a bias of the order of skewness n^(1/2) / N of the error of Dhat.

    A box with derivatives contributes D_r - beta x_r + beta x_r n/N to n Dhat, another box beta x_r n/N. The covariance
    of Dhat is the scatter of the first over n plus that of the second: S_res / n + beta S_x beta^T / N for one
    statistic, and the covariance with statistics that have no control follows, because the sum is over boxes.
    """
    boxes, others, shape = len(sample.box), len(control.elsewhere), (len(sample.box), len(sample.data))
    if control.here.shape != shape or control.elsewhere.shape[1:] != shape[1:]:
        raise ValueError(
            f"control data of shapes {control.here.shape} and {control.elsewhere.shape} for Jacobians of {shape} "
            "[box bin]: give the data of the same boxes and bins"
        )
    if not (np.isfinite(control.here).all() and np.isfinite(control.elsewhere).all()):
        raise ValueError("the data that control a Jacobian are not finite: measure their boxes again")
    if boxes < FEWEST_BOXES or others < 2:
        return sample
    jacobian = sample.jacobian.copy()
    outside = np.zeros((others, *jacobian.shape[1:]))
    for block in control.blocks:
        here, elsewhere = control.here[:, block], control.elsewhere[:, block]
        varying = here.std(axis=0) > 0
        coefficients = _out_of_fold(sample.jacobian[:, :, block], here[:, varying])
        found = deviations(here[:, varying], elsewhere[:, varying])
        correction = np.einsum("rx,rxpb->rpb", found.here, coefficients)
        jacobian[:, :, block] = subtracted(sample.jacobian[:, :, block], correction, found.share)
        outside[:, :, block] = np.einsum("rx,xpb->rpb", found.outside, coefficients.mean(axis=0))
    return replace(sample, jacobian=jacobian, outside=fewer_rows(np.concatenate([sample.outside, outside])))


class Deviations(NamedTuple):
    """What boxes with derivatives, and others, have to do with the mean of all of them.

    Attributes
    ----------
    here
        Boxes with derivatives less the mean of all boxes.
    outside
        Noise that the other boxes bring into this mean, as rows q: its covariance is the sum of q q^T.
    share
        Boxes with derivatives over all boxes, n/N.
    """

    here: Float[np.ndarray, "box ..."]
    outside: Float[np.ndarray, "other ..."]
    share: float


def deviations(here: Float[np.ndarray, "box ..."], elsewhere: Float[np.ndarray, "other ..."]) -> Deviations:
    """Deviations of boxes with derivatives from the mean of all boxes, and the noise that others bring into it.

    Parameters
    ----------
    here, elsewhere
        The same quantity in boxes with derivatives and in two or more others.
    """
    boxes, others = len(here), len(elsewhere)
    share = boxes / (boxes + others)
    mean = share * here.mean(axis=0) + (1 - share) * elsewhere.mean(axis=0)
    outside = (elsewhere - elsewhere.mean(axis=0)) * np.sqrt(others / (others - 1)) / (boxes + others)
    return Deviations(here - mean, outside, share)


def subtracted(
    jacobian: Float[np.ndarray, "box param bin"], correction: Float[np.ndarray, "box param bin"], share: float
) -> Float[np.ndarray, "box param bin"]:
    """Jacobians with the mean of Jacobian minus correction, and the scatter of this mean.

    Parameters
    ----------
    jacobian, correction
        Of each box; the correction is linear in `Deviations.here`.
    share
        Boxes with derivatives over all boxes.
    """
    # centred on the mean correction, a box keeps the share n/N of its own x that is part of mean_N x
    return jacobian - (1 - share) * correction - share * correction.mean(axis=0)


def folds(boxes: int) -> Int[np.ndarray, " box"]:
    """Number of the group of each box: coefficients of its boxes are fitted on the others."""
    return np.arange(boxes) % min(boxes, MOST_FOLDS)


def _out_of_fold(
    jacobian: Float[np.ndarray, "box param bin"], data: Float[np.ndarray, "box x"]
) -> Float[np.ndarray, "box x param bin"]:
    """Coefficients of the regression for each box, from boxes in other folds."""
    fold = folds(len(data))
    coefficients = np.empty((len(data), data.shape[1], *jacobian.shape[1:]))
    for index in range(fold.max() + 1):
        others = fold != index
        coefficients[~others] = _ridge(jacobian[others], data[others])
    return coefficients


def _ridge(
    jacobian: Float[np.ndarray, "box param bin"], data: Float[np.ndarray, "box x"]
) -> Float[np.ndarray, "x param bin"]:
    """Coefficients of a ridge regression, with the penalty of the smallest leave-one-out error."""
    boxes = len(data)
    scale = np.where(data.std(axis=0) > 0, data.std(axis=0), 1)
    predictors = (data - data.mean(axis=0)) / scale
    centred = jacobian - jacobian.mean(axis=0)
    left, singular, right = np.linalg.svd(predictors, full_matrices=False)
    # combinations of parameters in which each bin has uncorrelated scatter of unit size: those that nearly cancel count
    # as much as the others
    by_bin = centred.transpose(2, 0, 1)
    combinations = (by_bin @ whitening(by_bin)).transpose(1, 0, 2).reshape(boxes, -1)
    errors = []
    for penalty in PENALTIES:
        kept = singular**2 / (singular**2 + penalty * boxes)
        errors.append((left_out_residuals(left, kept, combinations) ** 2).sum())
    kept = singular**2 / (singular**2 + PENALTIES[int(np.argmin(errors))] * boxes)
    inverse = np.divide(kept, singular, out=np.zeros_like(singular), where=singular > 1e-12 * singular.max())
    projected = np.einsum("rk,rpb->kpb", left, centred)
    return np.einsum("kx,k,kpb->xpb", right, inverse, projected) / scale[:, None, None]


def left_out_residuals(
    left: Float[np.ndarray, "box k"], kept: Float[np.ndarray, " k"], centred: Float[np.ndarray, "box y"]
) -> Float[np.ndarray, "box y"]:
    """Residual of each box from the ridge regression of all other boxes, in closed form (Allen 1974).

    Parameters
    ----------
    left
        Left singular vectors of the centred predictors.
    kept
        Share of each that the penalty p leaves, s^2 / (s^2 + p) for the singular value s.
    centred
        What is predicted, less its mean over boxes.
    """
    leverage = 1 / len(left) + (left**2) @ kept  # the mean is fitted too
    residual = centred - left @ (kept[:, None] * (left.T @ centred))
    return residual / np.maximum(1 - leverage, 1e-9)[:, None]


def whitening(rows: Float[np.ndarray, "*bins box param"]) -> Float[np.ndarray, "*bins param k"]:
    """Combinations v of the columns in which rows v is orthonormal; 0 in place of those that vanish to rounding.

    Parameters
    ----------
    rows
        Parameters of boxes, less their mean over boxes.
    """
    scale = rows.std(axis=-2, keepdims=True)
    scale = np.where(scale > 0, scale, 1)
    _, singular, right = np.linalg.svd(rows / scale, full_matrices=False)
    kept = singular > 1e-9 * np.maximum(singular[..., :1], 1e-300)
    inverse = np.divide(1, singular, out=np.zeros_like(singular), where=kept)
    return np.swapaxes(right * inverse[..., None] / scale, -1, -2)


def fewer_rows(rows: Float[np.ndarray, "other param bin"]) -> Float[np.ndarray, "row param bin"]:
    """Rows with the same sum of q q^T, at most as many as the rank of the rows.

    Parameters
    ----------
    rows
        Noise of the mean Jacobian.
    """
    if not rows.any():
        return rows[:0]
    flat = rows.reshape(len(rows), -1)
    scale = np.abs(flat).max(axis=0)
    scale = np.where(scale > 0, scale, 1)  # parameters and data differ by orders of magnitude
    _, singular, right = np.linalg.svd(flat / scale, full_matrices=False)
    rank = int((singular > 1e-10 * singular[0]).sum())
    return ((singular[:rank, None] * right[:rank]) * scale).reshape(rank, *rows.shape[1:])
