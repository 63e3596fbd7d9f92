"""Estimators that compress the data with the Jacobian of one half of the boxes, and differentiate with the other half.

Coulton & Wandelt (2023, arXiv:2305.08994): the noise of the two halves is independent.
"""

import numpy as np
from jaxtyping import Float, Int

from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import ESTIMATORS, SPLITS, Moments, find_estimator


def splits(estimate: FisherEstimate, name: str) -> Float[np.ndarray, "split param param"]:
    """Fisher matrices of an estimator that needs halves, one for each of `SPLITS` random splits of the boxes.

    Parameters
    ----------
    estimate
        Estimate from at least 4 boxes.
    name
        ``compressed`` or ``combined``.

    Raises
    ------
    ValueError
        As `of_halves`, or if there are fewer than 4 boxes.
    """
    boxes = estimate.boxes
    if boxes < 4:
        raise ValueError(f"{boxes} boxes have no halves with scatter: raise derivatives.boxes to 4 or more")
    # the same splits in every run
    order = np.random.default_rng(0).permuted(np.tile(np.arange(boxes), (SPLITS, 1)), axis=1)
    return of_halves(estimate, name, order[:, : boxes // 2], order[:, boxes // 2 :])


def of_halves(
    estimate: FisherEstimate, name: str, first: Int[np.ndarray, "split first"], second: Int[np.ndarray, "split second"]
) -> Float[np.ndarray, "split param param"]:
    """Fisher matrices of an estimator that needs halves, for given ones.

    Parameters
    ----------
    estimate
        Estimate from all boxes.
    name
        ``compressed`` or ``combined``.
    first, second
        Positions of the boxes whose Jacobian compresses, and of those whose compressed Jacobian is the information.

    Raises
    ------
    ValueError
        If the estimator does not use halves, or the mean Jacobian of a half is singular.
    """
    function = find_estimator(name, [each for each, entry in ESTIMATORS.items() if entry.from_halves]).matrix
    compressing, informing = (
        np.array([estimate.whitened[rows].mean(axis=0) for rows in half]) for half in (first, second)
    )
    moments = Moments(informing, np.zeros((len(first), *estimate.bias.shape)), estimate.scale, compressing)
    try:
        return function(moments, np.zeros_like(estimate.bias))
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "the mean Jacobian of half of the boxes is singular: add data or boxes of derivatives"
        ) from error
