"""A forecast as its files have it, and the Jacobian with which a Gaussian likelihood has its information."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.fisher.estimators import HEADLINE
from lenscast.fisher.matrices import FisherMatrix, ParameterCovariance
from lenscast.io.reading import load


class ForecastFiles(NamedTuple):
    """Forecast of one data vector.

    Attributes
    ----------
    names, fiducial
        Parameters and their values.
    bins
        The elements of the data vector, one row each.
    mean
        Mean of the data of one field.
    covariance
        Covariance of the data of one field.
    jacobian
        Mean Jacobian.
    scale
        Hartlap's factor times the area of the survey over the area of a field.
    standard
        F_std, the information of the mean Jacobian, noise included.
    headline
        Information of the headline estimator.
    priors
        Information of the priors.
    table
        Table of `fisher.tables.fisher_table`.
    """

    names: tuple[str, ...]
    fiducial: Float[np.ndarray, " param"]
    bins: pd.DataFrame
    mean: Float[np.ndarray, " bin"]
    covariance: Float[np.ndarray, "bin bin"]
    jacobian: Float[np.ndarray, "param bin"]
    scale: float
    standard: Float[np.ndarray, "param param"]
    headline: Float[np.ndarray, "param param"]
    priors: Float[np.ndarray, "param param"]
    table: pd.DataFrame

    @property
    def survey_covariance(self) -> Float[np.ndarray, "bin bin"]:
        """Covariance of the data of the survey over Hartlap's factor, so that its inverse has no bias."""
        return self.covariance / self.scale

    @property
    def posterior(self) -> ParameterCovariance:
        """Gaussian posterior of the headline, with priors."""
        return FisherMatrix(self.names, self.fiducial, self.headline + self.priors).inverse()

    @property
    def prior_widths(self) -> dict[str, float]:
        """Standard deviation of the prior of each parameter that has one."""
        information = np.diag(self.priors)
        return {name: float(each**-0.5) for name, each in zip(self.names, information, strict=True) if each > 0}

    @property
    def headline_jacobian(self) -> Float[np.ndarray, "param bin"]:
        """Jacobian nearest to the mean one with which a Gaussian likelihood has the information of the headline.

        Raises
        ------
        ValueError
            If there are fewer data than parameters: no Jacobian has information in all directions.

        Notes
        -----
        With C = L L^T / scale, whitened rows w = L^-1 D and the root R R^T = F of the headline, all Jacobians with
        D^T C^-1 D = F are R Q for Q with orthonormal rows. The nearest one to w in units of the conditional errors is
        the solution of the orthogonal Procrustes problem, Q = U V^T with R^T w = U S V^T (Schoenemann 1966,
        doi:10.1007/BF02289451).
        """
        if len(self.bins) < len(self.names):
            raise ValueError(f"{len(self.bins)} data for {len(self.names)} parameters: add data")
        unit = 1 / np.sqrt(np.diag(self.standard))
        factor = np.linalg.cholesky(self.survey_covariance)
        whitened = unit[:, None] * np.linalg.solve(factor, self.jacobian.T).T
        values, vectors = np.linalg.eigh(self.headline * np.outer(unit, unit))
        root = vectors * np.sqrt(np.maximum(values, 0))
        left, _, right = np.linalg.svd(root.T @ whitened, full_matrices=False)
        return (root @ left @ right / unit[:, None]) @ factor.T

    def constant(self, column: str) -> Any:
        """Value of a column of the table that is the same in all rows."""
        return self.table[column].iloc[0]


def load_forecast_files(forecast: str | Path, estimators: str | Path) -> ForecastFiles:
    """Forecast of one data vector from its files.

    Parameters
    ----------
    forecast
        ``fisher/<data vector>.h5``.
    estimators
        ``fisher/<data vector>_estimators.csv``.

    Raises
    ------
    ValueError
        If a file is damaged or of another kind.
    """
    contents = load(forecast)
    parameters, variables = contents.coordinates["param"], contents.variables
    if "jacobian" not in variables:
        raise ValueError(f"{forecast} has no Jacobian: it is of an earlier version; delete it and run its rule again")
    return ForecastFiles(
        tuple(parameters["name"]),
        parameters["fiducial"].to_numpy(),
        contents.coordinates["bin"],
        variables["mean"].values,
        variables["covariance"].values,
        variables["jacobian"].values,
        float(variables["scale"].values),
        variables["standard"].values,
        variables[HEADLINE].values,
        variables["priors"].values,
        pd.read_csv(estimators),
    )
