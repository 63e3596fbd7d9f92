"""Reliability of a forecast: which parameter directions the simulations constrain, and which are noise.

Convention: the noise bias B of F_std is compared with F_std itself. Its share of the information along a direction is 0
for exact derivatives and 1 for pure noise. Shares below 0.05 count as converged and above 0.3 as unconstrained by these
simulations, for a direction and for a parameter alike.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimators import ESTIMATORS, FisherEstimate, fisher_estimate
from lenscast.fisher.linalg import combination
from lenscast.fisher.matrices import DerivedParameter, derived_jacobian

CONVERGED_BELOW = 0.05
"""Share of noise below which a direction or parameter is converged."""

UNCONSTRAINED_ABOVE = 0.3
"""Share of noise above which the simulations do not constrain a direction or parameter."""

Verdict = Literal["converged", "partly converged", "unconstrained by these simulations"]


def verdict(share: float) -> Verdict:
    """Judge the share of noise in the information on a direction or parameter."""
    if share < CONVERGED_BELOW:
        return "converged"
    return "partly converged" if share <= UNCONSTRAINED_ABOVE else "unconstrained by these simulations"


class Directions(NamedTuple):
    """Generalised eigenvectors of (B, F_std): B v = share F_std v with v^T F_std v = 1.

    Attributes
    ----------
    share
        Share of noise in the information along each direction, largest first.
    displacement
        Direction v in parameter space, with a length of one sigma of F_std.
    """

    share: Float[np.ndarray, " direction"]
    displacement: Float[np.ndarray, "direction param"]


def directions(estimate: FisherEstimate) -> Directions:
    """Directions in parameter space, ordered by the share of noise in their information.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.

    Raises
    ------
    ValueError
        If F_std is singular; names the direction.
    """
    # eigh would fail on a singular F_std without naming parameters: the inverse raises an error that does
    estimate.standard.inverse()
    share, vectors = linalg.eigh(estimate.bias, estimate.standard.matrix)
    # eigh sorts in ascending order and has its vectors as columns
    return Directions(share[::-1], vectors.T[::-1])


def direction_table(estimate: FisherEstimate) -> pd.DataFrame:
    """Table of the directions: share of noise, verdict, the direction in words and its component per parameter.

    Components are in units of the conditional errors of F_std and normalised to length 1.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.

    Returns
    -------
    table
        One row per direction, noisiest first; columns ``bias_share, verdict, combination`` and one per parameter.
    """
    share, displacement = directions(estimate)
    in_errors = displacement / estimate.standard.conditional_errors
    unit = in_errors / np.linalg.norm(in_errors, axis=1, keepdims=True)
    table = pd.DataFrame(unit, columns=list(estimate.names))
    table.insert(0, "combination", [combination(row, estimate.names) for row in unit])
    table.insert(0, "verdict", [verdict(value) for value in share])
    table.insert(0, "bias_share", share)
    return table


def parameter_shares(
    estimate: FisherEstimate, priors: Mapping[str, float], derived: Sequence[DerivedParameter] = ()
) -> Float[np.ndarray, " all"]:
    """Share of noise in the information on each parameter, marginalised over the others.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name.
    derived
        Derived parameters, which follow the parameters in the result.

    Raises
    ------
    ValueError
        If F_std with priors is singular, or a prior is on an unknown parameter.

    Notes
    -----
    With G = F_std + priors the share is (G^-1 B G^-1)_ii / (G^-1)_ii. This is the noise share along the direction in
    which parameter i moves with the others fitted again, and the mean of the shares of all directions, weighted by
    their part in the parameter's variance. To first order it is the relative growth of the variance from F_std to F_x.
    """
    inverse = estimate.standard.with_priors(priors).inverse().matrix
    rows = derived_jacobian(estimate.names, derived) @ inverse
    variance = np.diag(rows @ derived_jacobian(estimate.names, derived).T)
    return np.diag(rows @ estimate.bias @ rows.T) / variance


def reliability_curve(
    derivatives: DerivativeSample,
    covariance: Covariance,
    fiducial: Mapping[str, float],
    area_ratio: float,
    priors: Mapping[str, float],
) -> pd.DataFrame:
    """Marginal errors as a function of the number of boxes behind the derivatives.

    Boxes are split into disjoint groups of N, N/2, N/4, ... 2; the error is the median over groups.

    Parameters
    ----------
    derivatives, covariance, fiducial, area_ratio
        As for `fisher_estimate`.
    priors
        Gaussian widths by name; empty for none.

    Returns
    -------
    table
        Columns ``boxes, estimator, parameter, sigma, groups, indefinite``. Groups whose matrix is not positive definite
        are counted in ``indefinite`` and left out of the median, which is NaN if none is left.

    Raises
    ------
    ValueError
        As `fisher_estimate`.
    """
    rows = []
    size = len(derivatives.box)
    while size >= 2:
        # boxes that do not fill the last group are left out
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
