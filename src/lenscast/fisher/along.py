"""Information along directions of parameter space, and the errors of it by reason; `verdicts` judges by them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import linalg

from lenscast.fisher.boxes import jackknife_error
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import HEADLINE, unbiased
from lenscast.fisher.matrices import prior_information

LIMITED_ABOVE = 0.3
"""Share of any error of the information above which simulations limit a direction or parameter."""

PRIOR_BELOW = 0.1
"""Information of the data over that of the prior below which a direction belongs to the prior."""

PRIOR_SIGMA_ABOVE = 0.9
"""Ratio of posterior to prior width above which the prior sets a parameter."""

BEYOND_COUNTING = 1e3
"""Share of noise, without a prior, above which no number of boxes follows from it: no information was found to compare
the noise with."""

JACOBIAN = "noise of the Jacobian"

COVARIANCE = "noise of the covariance"

Reasons = Mapping[str, Float[np.ndarray, "param param"]]


class Along(NamedTuple):
    """Information along directions of parameter space.

    Attributes
    ----------
    data
        Unbiased estimate of the information of the data, which may be negative.
    error
        Its jackknife error over boxes of derivatives; infinite for 2 boxes.
    prior
        Information of the priors.
    total
        Information of the posterior, from the headline and the priors.
    shares
        Share of error in the total, by reason.
    """

    data: Float[np.ndarray, " direction"]
    error: Float[np.ndarray, " direction"]
    prior: Float[np.ndarray, " direction"]
    total: Float[np.ndarray, " direction"]
    shares: Mapping[str, Float[np.ndarray, " direction"]]

    @property
    def at_most(self) -> Float[np.ndarray, " direction"]:
        """Information of the data plus its error, at least the error."""
        return np.maximum(self.data, 0) + self.error

    @property
    def may_be_the_priors(self) -> Bool[np.ndarray, " direction"]:
        """Whether the data have less than `PRIOR_BELOW` of the prior's information, within the error."""
        return (self.prior > 0) & (self.data - self.error < PRIOR_BELOW * self.prior)

    @property
    def remains_the_priors(self) -> Bool[np.ndarray, " direction"]:
        """Whether the posterior would keep `PRIOR_SIGMA_ABOVE` of the prior's width with perfect simulations."""
        return (self.prior > 0) & (self.at_most < (PRIOR_SIGMA_ABOVE**-2 - 1) * self.prior)

    @property
    def is_empty(self) -> Bool[np.ndarray, " direction"]:
        """Whether there is neither a prior nor information of the data above its noise."""
        return (self.shares[JACOBIAN] > BEYOND_COUNTING) & (self.prior < self.total / 2)

    @property
    def is_limited(self) -> Bool[np.ndarray, " direction"]:
        """Whether one of the reasons has more than `LIMITED_ABOVE` of the information."""
        return np.any([share > LIMITED_ABOVE for share in self.shares.values()], axis=0)


def reasons(estimate: FisherEstimate, priors: Mapping[str, float]) -> dict[str, Float[np.ndarray, "param param"]]:
    """Errors of the information by reason: noise of the Jacobian and of the covariance.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name.

    Raises
    ------
    ValueError
        As `FisherEstimate.fisher`.
    """
    fisher = estimate.fisher(HEADLINE, priors).matrix
    return {JACOBIAN: estimate.bias, COVARIANCE: covariance_scatter(estimate) * fisher}


def covariance_scatter(estimate: FisherEstimate) -> float:
    """Relative scatter of the information along any direction from the finite number of maps behind the covariance."""
    return float(np.sqrt(2 / (estimate.n_effective - 1 - estimate.data_length + len(estimate.names))))


def along(
    estimate: FisherEstimate,
    priors: Mapping[str, float],
    vectors: Float[np.ndarray, "direction param"],
    further: Reasons | None = None,
) -> Along:
    """Information of the data and of the priors along directions, with its errors.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name.
    vectors
        Directions, of any length.
    further
        Further reasons why the information may be wrong, with the matrix of its change; None for none.

    Raises
    ------
    ValueError
        As `FisherEstimate.fisher`.
    """

    def form(matrix: Float[np.ndarray, "*set param param"]) -> Float[np.ndarray, "*set direction"]:
        return np.einsum("dp,...pq,dq->...d", vectors, matrix, vectors)

    total = form(estimate.fisher(HEADLINE, priors).with_priors(priors).matrix)
    error = np.full(len(vectors), np.inf)
    if estimate.boxes > 2:
        # d (m + q)^2 = 2 m q of the mean Jacobian m along each direction
        outside = (
            2 * estimate.scale * np.einsum("rdb,db->rd", vectors @ estimate.outside, vectors @ estimate.moments.mean)
        )
        error = np.hypot(jackknife_error(form(unbiased(estimate.moments_without_each))), linalg.norm(outside, axis=0))
    every = reasons(estimate, priors) | dict(further or {})
    shares = {reason: np.abs(form(matrix)) / total for reason, matrix in every.items()}
    return Along(form(estimate.unclipped), error, form(prior_information(estimate.names, priors)), total, shares)
