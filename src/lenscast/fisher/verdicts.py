"""Verdicts: what a forecast owes to its data, to its priors, and to the noise of its simulations.

The question is always asked along a direction u of parameter space, with three kinds of information: u^T F u of the
data, u^T P u of the priors, and errors of the first. G = F + P is the information that the posterior has. The share of
noise is u^T E u / u^T G u for each reason why F may be wrong, a matrix E:

- noise of the Jacobian: the bias B of F_std, which falls as one over the number of boxes with derivatives;
- noise of the covariance: its relative scatter sqrt(2 / nu), nu = n_s - 1 - d + P, times F (the inverse of a Wishart
  matrix; Taylor, Joachimi & Kitching 2013, arXiv:1212.4359).

Callers may add reasons, each with its own matrix of changes of F. F is the headline, the clipped cross estimator: F_std
would count its own noise as information, and flatter.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.along import JACOBIAN, LIMITED_ABOVE, PRIOR_SIGMA_ABOVE, Along, Reasons, along
from lenscast.fisher.derived import DerivedParameter, derived_jacobian
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import HEADLINE
from lenscast.fisher.linalg import combination
from lenscast.fisher.matrices import prior_information

CONVERGED_BELOW = 0.05
"""Share of noise of the Jacobian below which a parameter is converged."""

NO_PRIOR = 1e-6
"""Information that stands for the prior of a parameter without one when directions are found, over the parameter's own
information in F_std. Judgements use the true prior, which is none."""

DirectionVerdict = Literal["measured", "set by the prior", "limited by these simulations"]

ParameterVerdict = Literal["converged", "set by the prior", "limited by simulations"]


def direction_table(
    estimate: FisherEstimate, priors: Mapping[str, float], further: Reasons | None = None
) -> pd.DataFrame:
    """Directions of parameter space: what the data measure, what the priors set, and what simulations limit.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name.
    further
        As for `along`.

    Returns
    -------
    table
        One row per direction, best measured first, with the columns

        - ``information``, that of the data in units of the prior's (an eigenvalue of F v = lambda P v), and
          ``information_error``, its jackknife error over boxes;
        - ``noise_of_the_Jacobian``, ``noise_of_the_covariance`` and one for each further reason: its share in the
          information of the posterior;
        - ``verdict``, ``reason`` for directions that simulations limit, and ``boxes_needed``, the number of boxes with
          derivatives at which the share of their noise would be `CONVERGED_BELOW`;
        - ``combination``, the direction in words, and one column per parameter: components in units of the prior
          widths, normalised to length 1. A parameter without prior has a thousand of its conditional errors as unit.

    Raises
    ------
    ValueError
        As `FisherEstimate.fisher`.
    """
    fisher = estimate.fisher(HEADLINE, priors).matrix
    known = np.diag(prior_information(estimate.names, priors))
    unit = 1 / np.sqrt(np.where(known > 0, known, NO_PRIOR * np.diag(estimate.standard.matrix)))
    _, vectors = linalg.eigh(fisher * np.outer(unit, unit))
    components = vectors.T[::-1]  # eigh sorts in ascending order and has its vectors as columns
    found = along(estimate, priors, components * unit, further)
    belongs = found.may_be_the_priors & found.remains_the_priors & ~found.is_limited
    # what may be the prior's but could be more, within its noise, is not settled by these simulations either
    limited = ~belongs & (found.is_limited | found.may_be_the_priors)
    verdicts = np.where(belongs, "set by the prior", np.where(limited, "limited by these simulations", "measured"))
    table = pd.DataFrame(
        {
            "information": found.data,
            "information_error": found.error,
            **{reason.replace(" ", "_"): share for reason, share in found.shares.items()},
            "verdict": verdicts,
            "reason": np.where(limited, _reasons_in_words(found, LIMITED_ABOVE), ""),
            "boxes_needed": boxes_needed(found, estimate.boxes),
            "combination": [combination(row, estimate.names) for row in components],
        }
    )
    return pd.concat([table, pd.DataFrame(components, columns=list(estimate.names))], axis=1)


def boxes_needed(found: Along, boxes: int) -> Float[np.ndarray, " direction"]:
    """Boxes with derivatives at which the share of their noise, which falls as one over their number, is converged.

    Where other boxes control the Jacobian, these are to grow in the same proportion.

    Parameters
    ----------
    found
        Information along directions.
    boxes
        Number of boxes that it was found with.

    Returns
    -------
    Whole numbers; infinite where no information was found that the noise could be compared with.
    """
    return np.where(found.is_empty, np.inf, np.ceil(boxes * found.shares[JACOBIAN] / CONVERGED_BELOW))


class ParameterVerdicts(NamedTuple):
    """Verdict on each parameter, marginalised over the others.

    Attributes
    ----------
    share
        Share of noise of the Jacobian in the information on the parameter.
    verdict
        `ParameterVerdict`.
    reason
        Why simulations limit it; empty where they do not.
    boxes_needed
        Boxes with derivatives at which `share` would be `CONVERGED_BELOW`.
    """

    share: Float[np.ndarray, " all"]
    verdict: list[str]
    reason: list[str]
    boxes_needed: Float[np.ndarray, " all"]


def parameter_verdicts(
    estimate: FisherEstimate,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter] = (),
    further: Reasons | None = None,
) -> ParameterVerdicts:
    """Verdicts on parameters and on derived parameters, which follow them.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name; without any, the verdict is that of the data alone.
    derived
        Derived parameters.
    further
        As for `along`.

    Raises
    ------
    ValueError
        As `FisherEstimate.fisher`.

    Notes
    -----
    A parameter moves, with the others fitted again, along u = G^-1 e_i. Its share of noise is
    (G^-1 B G^-1)_ii / (G^-1)_ii = u^T B u / u^T G u, to first order the relative change of its variance. The prior sets
    it where its posterior has `PRIOR_SIGMA_ABOVE` of the prior's width and would keep it with perfect simulations. It
    is converged where its share of noise is below `CONVERGED_BELOW` and no other reason has `LIMITED_ABOVE` of the
    information.
    """
    rows = derived_jacobian(estimate.names, derived)
    posterior = estimate.fisher(HEADLINE, priors).with_priors(priors).inverse()
    found = along(estimate, priors, rows @ posterior.matrix, further)
    sigma, prior = posterior.with_derived(derived).marginal_errors, prior_widths(estimate.names, priors, derived)
    is_priors = (sigma > PRIOR_SIGMA_ABOVE * prior) & found.remains_the_priors  # false where there is no prior, NaN
    others = [share > LIMITED_ABOVE for reason, share in found.shares.items() if reason != JACOBIAN]
    converged = (found.shares[JACOBIAN] < CONVERGED_BELOW) & ~np.any(others, axis=0)
    verdicts = np.where(is_priors, "set by the prior", np.where(converged, "converged", "limited by simulations"))
    return ParameterVerdicts(
        found.shares[JACOBIAN],
        list(map(str, verdicts)),
        [
            text if each == "limited by simulations" else ""
            for text, each in zip(_reasons_in_words(found, CONVERGED_BELOW), verdicts, strict=True)
        ],
        boxes_needed(found, estimate.boxes),
    )


def prior_widths(
    names: Sequence[str], priors: Mapping[str, float], derived: Sequence[DerivedParameter] = ()
) -> Float[np.ndarray, " all"]:
    """Width of each parameter, and of each derived one, from the priors alone; NaN where the priors leave it free.

    Parameters
    ----------
    names
        Parameters.
    priors
        Gaussian widths by name.
    derived
        Derived parameters.
    """
    jacobian = derived_jacobian(names, derived)
    # independent priors add in quadrature; a parameter without a prior (NaN) counts only where the gradient is not zero
    width = np.array([priors.get(name, np.nan) for name in names])
    return np.sqrt(np.sum(np.where(jacobian == 0, 0, jacobian * width) ** 2, axis=1))


def _reasons_in_words(found: Along, noise_above: float) -> list[str]:
    """All reasons along each direction above `LIMITED_ABOVE`, the noise above its own limit; else the largest one."""
    table = np.array(list(found.shares.values()))
    names = list(found.shares)
    texts = []
    for shares in table.T:
        above = [
            name
            for name, share in zip(names, shares, strict=True)
            if share > (noise_above if name == JACOBIAN else LIMITED_ABOVE)
        ]
        texts.append(" and ".join(above or [names[int(shares.argmax())]]))
    return texts
