"""Resolution of a forecast: what a coarser simulation of the same boxes changes, and what it says of the error left.

The same boxes, with the same phases, views and shape noise, are simulated once more at half the resolution of one kind:
particles, with mesh and planes; time steps; or the mesh of the planes. What changes between the levels is hardly noisy,
since the structure of the boxes is common to both. With an error that falls as the p-th power of the resolution, what
is left at the finer level is the change over 2^p - 1 (Richardson 1911, Phil. Trans. R. Soc. A 210, 307): p = 2 is the
order of the integrators (arXiv:2409.19049) and of clouds in cells (Hockney & Eastwood 1981, Sect. 5). It is an estimate
of the size of the error and not a correction: with the correction of small scales, no power law has to hold.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.boxes import jackknife_error, leave_one_out_means
from lenscast.fisher.covariance import Covariance
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimators import HEADLINE, clipped
from lenscast.fisher.matrices import FisherMatrix, prior_information
from lenscast.fisher.names import positions
from lenscast.fisher.samples import Jacobians

ORDER = 2
"""Power p of the resolution with which errors of simulations fall."""

KEYS = {
    "particles": "simulation.particles",
    "steps": "simulation.integrator.steps",
    "plane_mesh": "lightcone.plane_mesh",
}
"""Key of the config that raises the resolution of each level."""

RESOLVED_BELOW, PARTLY_BELOW = 0.1, 0.3
"""Change left in the derivatives of a bin, below which it is resolved, and partly resolved."""


BIN_COLUMNS = (
    "level",
    "name",
    "data_change",
    "data_change_error",
    "derivative_left",
    "derivative_left_error",
    "verdict",
)


class Level(NamedTuple):
    """Boxes at two resolutions.

    Attributes
    ----------
    name
        What is coarser: ``particles``, ``steps`` or ``plane_mesh``.
    fine, coarse
        Means of the same boxes at the resolution of the forecast and at half of it.
    further
        Other boxes at half of it, for a mean of two levels; None for none.
    """

    name: str
    fine: Jacobians
    coarse: Jacobians
    further: Jacobians | None = None


class Change(NamedTuple):
    """Fine minus coarse, the mean over boxes, and its jackknife error.

    Attributes
    ----------
    data, data_error
        Expected data vector.
    jacobian, jacobian_error
        Its derivatives.
    """

    data: Float[np.ndarray, " bin"]
    data_error: Float[np.ndarray, " bin"]
    jacobian: Float[np.ndarray, "param bin"]
    jacobian_error: Float[np.ndarray, "param bin"]

    @property
    def left(self) -> Float[np.ndarray, "param bin"]:
        """Estimate of what a perfect resolution would add to the derivatives of the fine level."""
        return self.jacobian / (2**ORDER - 1)


def change(level: Level, parameters: Sequence[str], data: Sequence[str]) -> Change:
    """Change of a data vector and of its derivatives between two levels.

    Parameters
    ----------
    level
        Boxes at both levels.
    parameters, data
        Names of the parameters and of the elements of the data vector.

    Raises
    ------
    ValueError
        If the levels have different boxes or fewer than two, or lack a name.
    """
    fine, coarse = level.fine, level.coarse
    if not np.array_equal(fine.box, coarse.box) or len(fine.box) < 2:
        raise ValueError(
            f"boxes {fine.box.tolist()} and, with coarser {level.name}, {coarse.box.tolist()}: "
            "give two or more boxes, the same at both levels"
        )
    columns = positions(data, tuple(fine.bins["name"]), "data element")
    rows = positions(parameters, fine.parameters, "parameter")
    data_change = (fine.expected - coarse.expected)[:, columns]
    jacobian_change = (fine.jacobian - coarse.jacobian)[:, rows[:, None], columns]
    return Change(
        data_change.mean(axis=0),
        jackknife_error(leave_one_out_means(data_change)),
        jacobian_change.mean(axis=0),
        jackknife_error(leave_one_out_means(jacobian_change)),
    )


def resolution_reason(
    found: Change, estimate: FisherEstimate, covariance: Covariance
) -> Float[np.ndarray, "param param"]:
    """Change of the information of the data, if the derivatives changed by what is left: F(D + left) - F(D).

    Parameters
    ----------
    found
        Change between levels, for the parameters and data of the estimate.
    estimate
        Fisher matrices of the data vector.
    covariance
        Covariance of the data of one field.
    """
    factor = np.linalg.cholesky(covariance.matrix)
    left = linalg.solve_triangular(factor, found.left.T, lower=True).T
    cross = estimate.moments.mean @ left.T
    return estimate.scale * (cross + cross.T + left @ left.T)


def resolution_tables(
    found: Change, level: str, estimate: FisherEstimate, covariance: Covariance, priors: Mapping[str, float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a level says of each bin and of each parameter.

    Parameters
    ----------
    found
        Change between levels, for the parameters and data of the estimate.
    level
        Name of the level.
    estimate
        Fisher matrices of the data vector.
    covariance
        Mean and covariance of the data of one field.
    priors
        Gaussian widths by name.

    Returns
    -------
    bins
        One row per bin: ``data_change``, fine over coarse minus 1, and its error; ``derivative_left``, what is left in
        the derivatives over the derivatives, root mean squares over parameters in units of their errors with priors;
        and ``verdict``: resolved, partly or not resolved.
    parameters
        One row per parameter: ``sigma``, with priors; ``sigma_coarse``, with the derivatives of the coarser level;
        ``sigma_left``, with what is left added; NaN where there is no inverse.
    """
    mean = estimate.moments.mean
    factor = np.linalg.cholesky(covariance.matrix)
    jacobian = (factor @ mean.T).T
    fisher = estimate.fisher(HEADLINE, priors)
    sigma = fisher.with_priors(priors).inverse().marginal_errors
    size = linalg.norm(jacobian * sigma[:, None], axis=0)
    share = linalg.norm(found.left * sigma[:, None], axis=0) / size
    error = linalg.norm(found.jacobian_error / (2**ORDER - 1) * sigma[:, None], axis=0) / size
    verdicts = np.where(share < RESOLVED_BELOW, "resolved", np.where(share < PARTLY_BELOW, "partly", "not resolved"))
    coarse = covariance.mean - found.data
    bins = pd.DataFrame(
        {
            "level": level,
            "name": list(covariance.data),
            "data_change": found.data / coarse,
            "data_change_error": found.data_error / np.abs(coarse),
            "derivative_left": share,
            "derivative_left_error": error,
            "verdict": verdicts,
        }
    )

    known = prior_information(estimate.names, priors)

    def errors(moved: Float[np.ndarray, "param bin"]) -> Float[np.ndarray, " param"]:
        whitened = mean + linalg.solve_triangular(factor, moved.T, lower=True).T
        try:
            matrix = clipped(estimate.scale * whitened @ whitened.T, estimate.bias, known)
            return FisherMatrix(estimate.names, estimate.fiducial, matrix + known).inverse().marginal_errors
        except (np.linalg.LinAlgError, ValueError):  # derivatives that are all wrong can be degenerate
            return np.full(len(sigma), np.nan)

    parameters = pd.DataFrame(
        {
            "level": level,
            "parameter": list(estimate.names),
            "sigma": sigma,
            "sigma_coarse": errors(-found.jacobian),
            "sigma_left": errors(found.left),
        }
    )
    return bins, parameters


def widened(table: pd.DataFrame, parameters: pd.DataFrame) -> pd.DataFrame:
    """Table of parameters with intervals that contain what is left of the resolution.

    The headline with priors gets the column ``sigma_left``, its error with what is left in the derivatives added, that
    of the level that changes it most. The limits move away from the error by the same factor, in quadrature with what
    they contain already.

    Parameters
    ----------
    table
        From `fisher_table`.
    parameters
        Second tables of `resolution_tables`.
    """
    worst = parameters.assign(factor=np.log(parameters["sigma_left"] / parameters["sigma"])).dropna(subset="factor")
    worst = worst.loc[worst["factor"].abs().groupby(worst["parameter"]).idxmax()].set_index("parameter")["factor"]
    rows = (table["estimator"] == HEADLINE) & table["with_priors"] & (table["systematics"] == "marginalised")
    factor = table["parameter"].map(worst).where(rows)
    found = table.assign(sigma_left=table["sigma"] * np.exp(factor))
    for limit in ("sigma_low", "sigma_high"):
        half = np.log(table[limit] / table["sigma"])
        wide = table["sigma"] * np.exp(np.sign(half) * np.hypot(half, factor))
        found[limit] = wide.where(rows & factor.notna(), table[limit])
    return found
