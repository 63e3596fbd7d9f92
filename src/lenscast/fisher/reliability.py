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
        positive definite, are counted in ``failures`` and left out of the median, which is NaN if none is left.

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
            errors = [sigma for sigma in (_errors(group, name, priors) for group in groups) if sigma is not None]
            sigma = np.median(errors, axis=0) if errors else np.full(len(estimate.names), np.nan)
            rows += [
                {
                    "boxes": size,
                    "estimator": name,
                    "parameter": parameter,
                    "sigma": value,
                    "groups": len(groups),
                    "failures": len(groups) - len(errors),
                }
                for parameter, value in zip(estimate.names, sigma, strict=True)
            ]
        size //= 2
    return pd.DataFrame(rows)


def _errors(estimate: FisherEstimate, name: str, priors: Mapping[str, float]) -> np.ndarray | None:
    """Marginal errors of an estimator with priors; None where its matrix has no inverse."""
    if not estimate.standard.with_priors(priors).is_positive_definite:
        return None
    total = estimate.fisher(name, priors).with_priors(priors)
    return total.inverse().marginal_errors if total.is_positive_definite else None
