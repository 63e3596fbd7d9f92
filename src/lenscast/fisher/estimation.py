"""From Jacobians of boxes and the covariance of the data to the estimate of a Fisher matrix."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.finite_samples import finite_sample_factors
from lenscast.fisher.linalg import cholesky_factor
from lenscast.fisher.names import positions


def fisher_estimate(
    derivatives: DerivativeSample, covariance: Covariance, fiducial: Mapping[str, float], area_ratio: float
) -> FisherEstimate:
    """Estimate the Fisher matrix of a survey, without super-sample covariance.

    Parameters
    ----------
    derivatives
        Jacobians of independent boxes.
    covariance
        Covariance of one map, for the same data.
    fiducial
        Fiducial value of each parameter, possibly of others too.
    area_ratio
        Area of the survey over the area of a map that the statistics use; information scales with it.

    Raises
    ------
    ValueError
        If the data differ, there are fewer than 2 boxes, the area ratio is not positive, the covariance is singular
        (names the combination of data), or the factors for finite n_s do not exist.
    """
    if derivatives.data != covariance.data:
        raise ValueError(
            f"Jacobian of {len(derivatives.data)} and covariance of {len(covariance.data)} data elements are "
            "not of the same data in the same order: select both by the same names"
        )
    if len(derivatives.box) < 2 or not area_ratio > 0:
        raise ValueError(
            f"{len(derivatives.box)} boxes of derivatives and area ratio {area_ratio}: at least 2 boxes "
            "(derivatives.boxes) and a positive ratio are needed"
        )
    factors = finite_sample_factors(covariance.n_effective, len(covariance.data), len(derivatives.parameters))
    remedy = "leave out or merge these data, or raise covariance.boxes"
    factor = cholesky_factor(covariance.matrix, covariance.data, "the data covariance", remedy)

    def whiten(rows: Float[np.ndarray, "row param bin"]) -> Float[np.ndarray, "row param bin"]:
        # one triangular solve for all rows and parameters
        flat = rows.reshape(-1, rows.shape[-1])
        return linalg.solve_triangular(factor, flat.T, lower=True).T.reshape(rows.shape)

    indices = positions(derivatives.parameters, tuple(fiducial), "parameter with a fiducial value")
    values = np.array([float(value) for value in fiducial.values()])[indices]
    return FisherEstimate(
        derivatives.parameters,
        values,
        whiten(derivatives.jacobian),
        whiten(derivatives.outside),
        factors,
        covariance.n_effective,
        float(area_ratio),
    )
