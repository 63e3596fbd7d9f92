"""The Fisher forecast as tables: errors, and in the same row all numbers that qualify them.

Columns are explained at `fisher_table`; figures and comparisons of runs read these tables.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.fisher.boxes import jackknife_error
from lenscast.fisher.estimators import ESTIMATORS, FisherEstimate
from lenscast.fisher.matrices import DerivedParameter, FisherMatrix, derived_jacobian
from lenscast.fisher.reliability import parameter_shares, verdict

PRIOR_DOMINATED_ABOVE = 0.5**0.5
"""Ratio of posterior to prior width above which the prior gives more than half of the information."""

AREA_NOTE = "information scaled by area; super-sample covariance not included"
"""Text of the column ``note``."""


def fisher_table(
    estimate: FisherEstimate,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter] = (),
    systematics: str = "marginalised",
) -> pd.DataFrame:
    """Errors of each parameter from each estimator, without and with priors.

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

    Returns
    -------
    table
        One row per parameter, estimator and use of priors, with the columns

        - ``parameter, fiducial, estimator, with_priors``;
        - ``sigma``, the marginal error from the Hartlap-corrected matrix, and ``sigma_error``, its jackknife error over
          boxes;
        - ``conditional``, the error with all other parameters fixed;
        - ``sigma_taylor_joachimi`` and ``sigma_dodelson_schneider``, with the information divided by those covariance
          factors before priors are added (the second is the error of an analysis with the same number of simulations);
        - ``bias_share`` and ``verdict``, from `parameter_shares`;
        - ``prior``, ``posterior_to_prior`` and ``prior_dominated``, where the prior gives more than half of the
          information (posterior/prior > 1/sqrt 2);
        - ``systematics, data_length, boxes, n_effective, hartlap, area_ratio, note``, the same in all rows.

        A matrix that is not positive definite (F_x where derivatives are too noisy and no prior helps) is never
        inverted: its errors are NaN and its verdict is ``not converged``.

    Raises
    ------
    ValueError
        If F_std is singular, or a prior is on an unknown parameter.
    """
    parts = [_rows(estimate, estimator, widths, derived) for widths in ({}, dict(priors)) for estimator in ESTIMATORS]
    table = pd.concat(parts if priors else parts[: len(ESTIMATORS)], ignore_index=True)
    return table.assign(
        systematics=systematics,
        data_length=estimate.data_length,
        boxes=estimate.boxes,
        n_effective=estimate.n_effective,
        hartlap=estimate.factors.hartlap,
        area_ratio=estimate.area_ratio,
        note=AREA_NOTE,
    )


def runs_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Errors of one data vector in several runs, in one row per parameter.

    From the standard estimator, with systematics marginalised.

    Parameters
    ----------
    tables
        Tables of `fisher_table`, by run. A parameter that a run does not have is empty there.

    Returns
    -------
    table
        Columns ``parameter`` and ``with_priors``; for each run sigma, its jackknife error, conditional error and
        verdict, named <column>_<run>; for each run but the first, sigma and conditional error divided by those of the
        first, named <column>_ratio_<run>.
    """
    keys, (first, *others) = ["parameter", "with_priors"], tables
    columns = ["sigma", "sigma_error", "conditional", "verdict"]
    joined = pd.concat(
        {run: _standard(table).set_index(keys)[columns] for run, table in tables.items()},
        axis=1,
        sort=False,
    )
    joined.columns = [f"{column}_{run}" for run, column in joined.columns]
    for run, column in product(others, ["sigma", "conditional"]):
        joined[f"{column}_ratio_{run}"] = joined[f"{column}_{run}"] / joined[f"{column}_{first}"]
    return joined.reset_index()


def _standard(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the standard estimator for all parameters."""
    return table[(table["estimator"] == "standard") & (table["systematics"] == "marginalised")]


def _rows(
    estimate: FisherEstimate,
    estimator: str,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter],
) -> pd.DataFrame:
    """Rows of one estimator with one set of priors."""
    fisher = estimate.fisher(estimator)
    total = fisher.with_priors(priors)
    sigma, prior = _errors(fisher, priors, derived), _prior_widths(estimate.names, priors, derived)
    shares = parameter_shares(estimate, priors, derived)
    # these factors belong to the bare (D^T C^-1 D)^-1: Hartlap's h in the matrix is divided out again
    to_taylor = estimate.factors.hartlap * estimate.factors.taylor_joachimi
    to_dodelson = to_taylor * estimate.factors.dodelson_schneider
    return pd.DataFrame(
        {
            "parameter": [*estimate.names, *(parameter.name for parameter in derived)],
            "fiducial": [*estimate.fiducial, *(parameter.value for parameter in derived)],
            "estimator": estimator,
            "with_priors": bool(priors),
            "sigma": sigma,
            "sigma_error": _sigma_errors(estimate, estimator, priors, derived),
            "conditional": np.concatenate([total.conditional_errors, np.full(len(derived), np.nan)]),
            "sigma_taylor_joachimi": _errors(fisher.rescale(1 / to_taylor), priors, derived),
            "sigma_dodelson_schneider": _errors(fisher.rescale(1 / to_dodelson), priors, derived),
            "bias_share": shares,
            "verdict": [verdict(share) if total.is_positive_definite else "not converged" for share in shares],
            "prior": prior,
            "posterior_to_prior": sigma / prior,
            "prior_dominated": sigma / prior > PRIOR_DOMINATED_ABOVE,
        }
    )


def _errors(
    fisher: FisherMatrix, priors: Mapping[str, float], derived: Sequence[DerivedParameter]
) -> Float[np.ndarray, " all"]:
    """Marginal errors of parameters and derived parameters; NaN if the matrix is not positive definite."""
    total = fisher.with_priors(priors)
    if not total.is_positive_definite:
        return np.full(len(fisher.names) + len(derived), np.nan)
    return total.inverse().with_derived(derived).marginal_errors


def _sigma_errors(
    estimate: FisherEstimate,
    estimator: str,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter],
) -> Float[np.ndarray, " all"]:
    """Jackknife errors of `_errors` over boxes; NaN for 2 boxes and where one of the replicates is NaN."""
    if estimate.boxes < 3:
        return np.full(len(estimate.names) + len(derived), np.nan)
    replicates = [
        _errors(FisherMatrix(estimate.names, estimate.fiducial, matrix), priors, derived)
        for matrix in estimate.leave_one_out(estimator)
    ]
    return jackknife_error(np.array(replicates))


def _prior_widths(
    names: Sequence[str], priors: Mapping[str, float], derived: Sequence[DerivedParameter]
) -> Float[np.ndarray, " all"]:
    """Width of each parameter from the priors alone; NaN where the priors leave it free."""
    jacobian = derived_jacobian(names, derived)
    # independent priors add in quadrature; a parameter without a prior (NaN) counts only where the gradient is not zero
    width = np.array([priors.get(name, np.nan) for name in names])
    return np.sqrt(np.sum(np.where(jacobian == 0, 0, jacobian * width) ** 2, axis=1))
