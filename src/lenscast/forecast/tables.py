"""The Fisher forecast as a table, with everything that qualifies its numbers beside them."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.forecast.boxes import jackknife_error
from lenscast.forecast.convergence import parameter_shares, verdict
from lenscast.forecast.estimators import ESTIMATORS, Estimator, FisherEstimate
from lenscast.forecast.fisher import DerivedParameter, FisherMatrix, derived_jacobian

PRIOR_DOMINATED_ABOVE = 0.5**0.5
AREA_NOTE = "information scaled by area; super-sample covariance not included"


def fisher_table(
    estimate: FisherEstimate,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter] = (),
    systematics: str = "marginalised",
) -> pd.DataFrame:
    """Errors of each parameter by each estimator, without and with priors.

    Columns: ``sigma`` marginal error from the Hartlap-corrected matrix and ``sigma_error`` its jackknife
    error over boxes; ``conditional`` error; ``sigma_taylor_joachimi`` and ``sigma_dodelson_schneider`` with
    the information divided by those covariance factors before priors are added (the second is what an
    analysis with as many simulations would get); ``bias_share`` and ``verdict`` of `parameter_shares`;
    ``prior``, ``posterior_to_prior`` and ``prior_dominated``, where the prior gives more than half of the
    information (posterior/prior > 1/sqrt 2). A matrix that is not positive definite (F_x where derivatives
    are too noisy and no prior helps) is never inverted: its errors are NaN and its verdict is ``not
    converged``.

    Parameters
    ----------
    estimate : Fisher matrices of one data vector.
    priors : Gaussian widths by name.
    derived : derived parameters, such as `fisher.S8`; theirs is the error of the linear combination.
    systematics : what was done with nuisance parameters, "marginalised" or "fixed"; a column of the table.

    Raises
    ------
    ValueError : if F_std is singular, or for a prior on an unknown parameter.
    """
    parts = [_rows(estimate, estimator, used, derived) for used in ({}, dict(priors)) for estimator in ESTIMATORS]
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
    """Errors of one data vector in several runs side by side, by the standard estimator, systematics marginalised.

    Parameters
    ----------
    tables : of `fisher_table`, by run; a parameter that a run does not have is empty there.

    Returns
    -------
    Columns parameter and with_priors; for each run sigma, its jackknife error, conditional error and verdict, named
    <column>_<run>; for each but the first sigma and conditional error over those of the first, <column>_ratio_<run>.
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
    estimator: Estimator,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter],
) -> pd.DataFrame:
    """Rows of one estimator with one set of priors."""
    fisher = estimate.fisher(estimator)
    total = fisher.with_priors(priors)
    sigma, prior = _errors(fisher, priors, derived), _prior_widths(estimate.names, priors, derived)
    shares = parameter_shares(estimate, priors, derived)
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
            "sigma_taylor_joachimi": _errors(fisher.scaled(1 / to_taylor), priors, derived),
            "sigma_dodelson_schneider": _errors(fisher.scaled(1 / to_dodelson), priors, derived),
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
    """Marginal errors of parameters and derived ones; NaN if the matrix is not positive definite."""
    total = fisher.with_priors(priors)
    if not total.is_positive_definite:
        return np.full(len(fisher.names) + len(derived), np.nan)
    return total.inverse().with_derived(derived).marginal_errors


def _sigma_errors(
    estimate: FisherEstimate,
    estimator: Estimator,
    priors: Mapping[str, float],
    derived: Sequence[DerivedParameter],
) -> Float[np.ndarray, " all"]:
    """Jackknife errors of `_errors` over boxes; NaN for 2 boxes and where one of the replicates is."""
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
    """Width that the priors alone give each parameter; NaN where they leave it free."""
    jacobian = derived_jacobian(names, derived)
    width = np.array([priors.get(name, np.nan) for name in names])
    return np.sqrt(np.sum(np.where(jacobian == 0, 0, jacobian * width) ** 2, axis=1))
