"""The Fisher forecast as tables: errors, and in the same row all numbers that qualify them.

Columns are explained at `fisher_table`; figures and comparisons of runs read these tables.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.fisher.along import Reasons
from lenscast.fisher.derived import DerivedParameter
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import ESTIMATORS, HEADLINE, SPLITS
from lenscast.fisher.halves import splits
from lenscast.fisher.intervals import sigma_interval
from lenscast.fisher.matrices import FisherMatrix
from lenscast.fisher.verdicts import ParameterVerdicts, parameter_verdicts, prior_widths

PRIOR_DOMINATED_ABOVE = 0.5**0.5
"""Ratio of posterior to prior width above which the prior gives more than half of the information."""

AREA_NOTE = "information scaled by area; super-sample covariance not included"
"""Text of the column ``note``."""


def fisher_table(
    estimate: FisherEstimate,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter] = (),
    systematics: str = "marginalised",
    further: Reasons | None = None,
) -> pd.DataFrame:
    """Errors of each parameter from each estimator, with and without priors.

    Parameters
    ----------
    estimate
        Fisher matrices of one data vector.
    priors
        Gaussian widths by name.
    derived
        Derived parameters, such as `fisher.S8`; their error is that of the linear combination.
    systematics
        What was done with nuisance parameters, "marginalised" or "fixed"; a column of the table.
    further
        Further reasons why the information may be wrong, as for `along.along`.

    Returns
    -------
    table
        One row per parameter, estimator and use of priors, the headline with priors first, with the columns

        - ``parameter, fiducial, estimator, with_priors``;
        - ``sigma``, the marginal error from the Hartlap-corrected matrix, and ``sigma_low`` and ``sigma_high``, the
          limits that hold its true value with 68 % (`sigma_interval`; empty for estimators that need halves of the
          boxes);
          ``sigma`` of the headline is infinite where there is neither a prior nor information above the noise;
        - ``conditional``, the error with all other parameters fixed;
        - ``sigma_taylor_joachimi`` and ``sigma_dodelson_schneider``, with the information divided by those covariance
          factors before priors are added (the second is the error of an analysis with the same number of simulations);
        - ``bias_share``, ``verdict``, ``reason`` and ``boxes_needed``, from `parameter_verdicts`: on the headline, and
          so the same for all estimators;
        - ``prior``, ``posterior_to_prior`` and ``prior_dominated``, where the prior gives more than half of the
          information (posterior/prior > 1/sqrt 2);
        - ``splits`` and ``failures``: matrices that the estimator has, and how many of them are not positive definite
          with priors. These are left out of the median that its errors are; with none left, errors are NaN;
        - ``systematics, data_length, boxes, n_effective, hartlap, area_ratio, note``, the same in all rows.

    Raises
    ------
    ValueError
        If F_std + priors is singular, or a prior is on an unknown parameter. Where the data alone are degenerate,
        errors without priors are infinite.
    """
    parts = []
    for widths in [dict(priors), {}] if priors else [{}]:
        try:
            verdicts = parameter_verdicts(estimate, widths, derived, further)
            parts += [_rows(estimate, name, widths, derived, verdicts) for name in ESTIMATORS]
        except ValueError as error:
            if widths or not priors:
                raise
            parts.append(_unconstrained(estimate, derived, str(error)))
    return pd.concat(parts, ignore_index=True).assign(
        systematics=systematics,
        data_length=estimate.data_length,
        boxes=estimate.boxes,
        n_effective=estimate.n_effective,
        hartlap=estimate.factors.hartlap,
        area_ratio=estimate.area_ratio,
        note=AREA_NOTE,
    )


def _unconstrained(estimate: FisherEstimate, derived: Sequence[DerivedParameter], reason: str) -> pd.DataFrame:
    """Rows without priors where the data alone leave a direction open."""
    parameters = [*estimate.names, *(parameter.name for parameter in derived)]
    values = [*estimate.fiducial, *(parameter.value for parameter in derived)]
    rows = {"parameter": parameters, "fiducial": values, "with_priors": False}
    open_ended = dict.fromkeys(["sigma", "sigma_low", "sigma_high", "boxes_needed"], np.inf)
    verdict = {"verdict": "limited by simulations", "reason": reason, "prior_dominated": False}
    return pd.concat(pd.DataFrame({**rows, "estimator": name, **open_ended, **verdict}) for name in ESTIMATORS)


def _of_splits(estimate: FisherEstimate, name: str) -> Float[np.ndarray, "split param param"]:
    """Matrices of an estimator that needs halves of the boxes; none where a half has no scatter or no inverse."""
    try:
        return splits(estimate, name)
    except ValueError:
        return np.empty((0, *estimate.bias.shape))


def _with_inverse(
    estimate: FisherEstimate, matrices: Float[np.ndarray, "split param param"], priors: Mapping[str, float]
) -> list[FisherMatrix]:
    """Matrices that have an inverse with priors; halves of few boxes leave some with nothing but rounding."""
    found = []
    for matrix in matrices:
        try:
            fisher = FisherMatrix(estimate.names, estimate.fiducial, matrix)
        except ValueError:
            continue
        if fisher.with_priors(priors).is_positive_definite:
            found.append(fisher)
    return found


def _rows(
    estimate: FisherEstimate,
    name: str,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter],
    verdicts: ParameterVerdicts,
) -> pd.DataFrame:
    """Rows of one estimator with one set of priors."""
    from_halves = ESTIMATORS[name].from_halves
    # these factors belong to the bare (D^T C^-1 D)^-1: Hartlap's h in the matrix is divided out again
    to_taylor = estimate.factors.hartlap * estimate.factors.taylor_joachimi
    to_dodelson = to_taylor * estimate.factors.dodelson_schneider
    if from_halves:
        matrices = _of_splits(estimate, name)
        interval = np.full((2, len(estimate.names) + len(derived)), np.nan)
    else:
        matrices = estimate.fisher(name, priors).matrix[None]
        interval = np.array(sigma_interval(estimate, name, priors, derived))
    positive = _with_inverse(estimate, matrices, priors)

    def errors(factor: float) -> Float[np.ndarray, " all"]:
        """Median of the marginal errors over matrices, with the information divided by a factor."""
        found = [
            each.rescale(1 / factor).with_priors(priors).inverse().with_derived(derived).marginal_errors
            for each in positive
        ]
        return np.median(found, axis=0) if found else np.full(len(estimate.names) + len(derived), np.nan)

    sigma, prior = errors(1.0), prior_widths(estimate.names, priors, derived)
    if name == HEADLINE:
        # what clipping leaves there is wide, and no error
        nothing = np.isinf(verdicts.boxes_needed)
        sigma, interval = np.where(nothing, np.inf, sigma), np.where(nothing, np.inf, interval)
    conditional = [fisher.with_priors(priors).conditional_errors for fisher in positive]
    fixed = np.median(conditional, axis=0) if conditional else np.full(len(estimate.names), np.nan)
    return pd.DataFrame(
        {
            "parameter": [*estimate.names, *(parameter.name for parameter in derived)],
            "fiducial": [*estimate.fiducial, *(parameter.value for parameter in derived)],
            "estimator": name,
            "with_priors": bool(priors),
            "sigma": sigma,
            "sigma_low": interval[0],
            "sigma_high": interval[1],
            "conditional": np.concatenate([fixed, np.full(len(derived), np.nan)]),
            "sigma_taylor_joachimi": errors(to_taylor),
            "sigma_dodelson_schneider": errors(to_dodelson),
            "bias_share": verdicts.share,
            "verdict": verdicts.verdict,
            "reason": verdicts.reason,
            "boxes_needed": verdicts.boxes_needed,
            "prior": prior,
            "posterior_to_prior": sigma / prior,
            "prior_dominated": sigma / prior > PRIOR_DOMINATED_ABOVE,
            "splits": SPLITS if from_halves else 1,
            "failures": (SPLITS if from_halves else 1) - len(positive),
        }
    )
