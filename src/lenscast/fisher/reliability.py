"""Errors against the number of boxes behind the derivatives."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import whole_estimators


def reliability_curve(estimate: FisherEstimate, priors: Mapping[str, float]) -> pd.DataFrame:
    """Marginal errors as a function of the number of boxes behind the derivatives.

    Boxes are split into disjoint groups of N, N/2, N/4, ... 2; the error is the median over groups. The covariance and
    the control of the derivatives are those of all boxes.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name; empty for none.

    Returns
    -------
    table
        Columns ``boxes, estimator, parameter, sigma, groups, failures``. Groups whose matrix is singular, or not
        positive definite, are counted in ``failures``, and their errors are infinite in the median: a median over the
        others would be of the groups that noise made look well measured.

    Raises
    ------
    ValueError
        If a prior is on an unknown parameter.
    """
    rows = []
    size = estimate.boxes
    while size >= 2:
        # boxes that do not fill the last group are left out
        groups = [estimate.in_boxes(slice(start, start + size)) for start in range(0, estimate.boxes - size + 1, size)]
        for name in whole_estimators():
            errors = np.array([_errors(group, name, priors) for group in groups])
            sigma = np.median(errors, axis=0)
            rows += [
                {
                    "boxes": size,
                    "estimator": name,
                    "parameter": parameter,
                    "sigma": value,
                    "groups": len(groups),
                    "failures": int(np.sum(np.isinf(errors[:, 0]))),
                }
                for parameter, value in zip(estimate.names, sigma, strict=True)
            ]
        size //= 2
    return pd.DataFrame(rows)


def _errors(estimate: FisherEstimate, name: str, priors: Mapping[str, float]) -> np.ndarray:
    """Marginal errors of an estimator with priors; infinite where its matrix has no inverse."""
    if estimate.standard.with_priors(priors).is_positive_definite:
        total = estimate.fisher(name, priors).with_priors(priors)
        if total.is_positive_definite:
            return total.inverse().marginal_errors
    return np.full(len(estimate.names), np.inf)
