"""Intervals for forecast errors: how far sigma itself is uncertain."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.along import along, covariance_scatter
from lenscast.fisher.boxes import jackknife_error
from lenscast.fisher.derived import DerivedParameter, derived_jacobian
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import HEADLINE, relative_eigenvalues
from lenscast.fisher.matrices import prior_information
from lenscast.fisher.verdicts import prior_widths


class Interval(NamedTuple):
    """Limits that hold the true value with a probability of about 68 %."""

    low: Float[np.ndarray, " all"]
    high: Float[np.ndarray, " all"]


def sigma_interval(
    estimate: FisherEstimate, name: str, priors: Mapping[str, float], derived: Sequence[DerivedParameter] = ()
) -> Interval:
    """Interval for the marginal error of each parameter and derived parameter.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    name
        Estimator that uses all boxes at once.
    priors
        Gaussian widths by name.
    derived
        Derived parameters, which follow the parameters.

    Returns
    -------
    Limits, NaN for 2 boxes. The upper limit is at most the width of the prior.

    Raises
    ------
    ValueError
        As `FisherEstimate.fisher`.

    Notes
    -----
    ln sigma is taken as Gaussian. Its variance is the sum of three: of the boxes with derivatives, by the jackknife
    over boxes (Efron 1982); of the boxes that only control the Jacobian and of the maps behind the covariance, by
    d ln sigma_i = -(1/2) u^T dF u / u^T G u, with u = G^-1 e_i and G = F + priors. Two things make the interval wider
    on one side. Sigma is not linear in F, and the jackknife estimates the bias of ln sigma: the interval reaches that
    much farther to where sigma without bias is, but at most twice as far. Directions with negative information, which
    the headline sets to nothing, may have as much information as its error: the lower limit is at most the sigma with
    that information, but not below the lower limit of the standard estimator.
    """
    rows = derived_jacobian(estimate.names, derived)
    if estimate.boxes < 3:
        return Interval(*np.full((2, len(rows)), np.nan))
    known = prior_information(estimate.names, priors)
    fisher = estimate.fisher(name, priors)
    inverse = fisher.with_priors(priors).inverse().matrix
    variance = np.diag(rows @ inverse @ rows.T)
    replicates = np.linalg.inv(estimate.leave_one_out(name, priors) + known)
    logarithms = np.log(np.einsum("ap,rpq,aq->ra", rows, replicates, rows)) / 2
    bias = (estimate.boxes - 1) * (logarithms.mean(axis=0) - np.log(variance) / 2)
    vectors = rows @ inverse
    mean = vectors @ estimate.moments.mean
    of_others = estimate.scale * np.einsum("ap,rpb,ab->ra", vectors, estimate.outside, mean) / variance
    data = np.einsum("ap,pq,aq->a", vectors, fisher.matrix, vectors)
    of_covariance = covariance_scatter(estimate) * data / variance / 2
    spread = np.sqrt(jackknife_error(logarithms) ** 2 + linalg.norm(of_others, axis=0) ** 2 + of_covariance**2)
    sigma, bias = np.sqrt(variance), np.clip(bias, -spread, spread)
    with np.errstate(over="ignore"):  # without priors, sigma may have no upper limit
        low, high = sigma * np.exp(-spread - np.maximum(bias, 0)), sigma * np.exp(spread - np.minimum(bias, 0))
    if name == HEADLINE:
        richest = np.linalg.inv(_with_clipped_at_their_error(estimate, priors) + known)
        low = np.fmin(low, np.sqrt(np.diag(rows @ richest @ rows.T)))
        # the standard estimator counts noise as information
        low = np.fmin(np.fmax(low, sigma_interval(estimate, "standard", priors, derived).low), sigma)
    return Interval(low, np.fmin(high, prior_widths(estimate.names, priors, derived)))


def _with_clipped_at_their_error(
    estimate: FisherEstimate, priors: Mapping[str, float]
) -> Float[np.ndarray, "param param"]:
    """F_x with the error of the information in place of the information where that is negative."""
    metric = estimate.standard.matrix + prior_information(estimate.names, priors)
    values, vectors, duals = relative_eigenvalues(estimate.unclipped, metric)
    found = along(estimate, priors, vectors.T)
    return (duals * np.where(values < 0, found.error, values)) @ duals.T
