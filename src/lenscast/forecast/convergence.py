"""What the simulations behind a Fisher matrix can and cannot tell apart.

The noise bias B of F_std is compared with F_std itself: its share of the information along a direction is 0
for exact derivatives and 1 for pure noise. Shares below 0.05 count as converged and above 0.3 as
unconstrained by these simulations, for a direction and for a parameter alike.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import linalg

from lenscast.forecast.covariance import Covariance
from lenscast.forecast.derivatives import DerivativeSample
from lenscast.forecast.estimators import ESTIMATORS, FisherEstimate, fisher_estimate
from lenscast.forecast.fisher import DerivedParameter, derived_jacobian
from lenscast.forecast.linalg import combination

CONVERGED_BELOW = 0.05
UNCONSTRAINED_ABOVE = 0.3

Verdict = Literal["converged", "partly converged", "unconstrained by these simulations"]


def verdict(share: float) -> Verdict:
    """Judge the share of noise in the information on a direction or parameter."""
    if share < CONVERGED_BELOW:
        return "converged"
    return "partly converged" if share <= UNCONSTRAINED_ABOVE else "unconstrained by these simulations"


class Directions(NamedTuple):
    """Generalised eigenvectors of (B, F_std), noisiest first: B v = share F_std v with v^T F_std v = 1."""

    share: Float[np.ndarray, " direction"]
    displacement: Float[np.ndarray, "direction param"]


def directions(estimate: FisherEstimate) -> Directions:
    """Directions in parameter space ordered by the share of noise in their information.

    Raises
    ------
    ValueError : if F_std is singular; names the direction.
    """
    estimate.standard.inverse()
    share, vectors = linalg.eigh(estimate.bias, estimate.standard.matrix)
    return Directions(share[::-1], vectors.T[::-1])


def direction_table(estimate: FisherEstimate) -> pd.DataFrame:
    """One row per direction: share of noise, verdict, the direction in words and its component per parameter.

    Components are in units of the conditional errors of F_std and normalised to length 1.
    """
    share, displacement = directions(estimate)
    scaled = displacement / estimate.standard.conditional_errors
    unit = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    table = pd.DataFrame(unit, columns=list(estimate.names))
    table.insert(0, "combination", [combination(row, estimate.names) for row in unit])
    table.insert(0, "verdict", [verdict(value) for value in share])
    table.insert(0, "bias_share", share)
    return table


def parameter_shares(
    estimate: FisherEstimate, priors: Mapping[str, float], derived: Sequence[DerivedParameter] = ()
) -> Float[np.ndarray, " all"]:
    """Share of noise in what is said about each parameter, marginalised over the others.

    With G = F_std + priors this is (G^-1 B G^-1)_ii / (G^-1)_ii: the noise share along the direction in which
    parameter i moves with the others re-fitted, the mean of the directions' shares weighted by their part in
    the parameter's variance, and to first order the relative growth of the variance from F_std to F_x.

    Raises
    ------
    ValueError : if G is singular, or for a prior on an unknown parameter.
    """
    inverse = estimate.standard.with_priors(priors).inverse().matrix
    rows = derived_jacobian(estimate.names, derived) @ inverse
    variance = np.diag(rows @ derived_jacobian(estimate.names, derived).T)
    return np.diag(rows @ estimate.bias @ rows.T) / variance


def convergence_curve(
    derivatives: DerivativeSample,
    covariance: Covariance,
    fiducial: Mapping[str, float],
    area_ratio: float,
    priors: Mapping[str, float],
) -> pd.DataFrame:
    """Marginal errors against the number of boxes behind the derivatives.

    Boxes are split into disjoint groups of N, N/2, N/4, ... 2; the error quoted is the median over groups.

    Parameters
    ----------
    derivatives, covariance, fiducial, area_ratio : as for `fisher_estimate`.
    priors : Gaussian widths by name; empty for none.

    Returns
    -------
    table : columns ``boxes, estimator, parameter, sigma, groups, indefinite``; groups whose matrix is not
        positive definite are counted in ``indefinite`` and left out of the median, which is NaN if none is
        left.

    Raises
    ------
    ValueError : as `fisher_estimate`.
    """
    rows = []
    size = len(derivatives.box)
    while size >= 2:
        groups = [derivatives.box[start : start + size] for start in range(0, len(derivatives.box) - size + 1, size)]
        estimates = [fisher_estimate(derivatives.in_boxes(group), covariance, fiducial, area_ratio) for group in groups]
        for estimator in ESTIMATORS:
            matrices = [estimate.fisher(estimator).with_priors(priors) for estimate in estimates]
            errors = [matrix.inverse().marginal_errors for matrix in matrices if matrix.is_positive_definite]
            sigma = np.median(errors, axis=0) if errors else np.full(len(derivatives.parameters), np.nan)
            rows += [
                {
                    "boxes": size,
                    "estimator": estimator,
                    "parameter": parameter,
                    "sigma": value,
                    "groups": len(groups),
                    "indefinite": len(groups) - len(errors),
                }
                for parameter, value in zip(derivatives.parameters, sigma, strict=True)
            ]
        size //= 2
    return pd.DataFrame(rows)
