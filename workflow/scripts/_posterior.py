"""The Gaussian posterior that a forecast's file holds."""

from collections.abc import Sequence

from lenscast import io
from lenscast.forecast.fisher import FisherMatrix, ParameterCovariance


def posterior(path: str, fixed: Sequence[str] = ()) -> ParameterCovariance:
    """Of the standard estimator, with priors; some parameters may be held fixed."""
    forecast = io.load(path, ["standard", "priors"])
    parameters, matrices = forecast.coordinates["param"], forecast.variables
    information = matrices["standard"].values + matrices["priors"].values
    every = FisherMatrix(tuple(parameters["name"]), parameters["fiducial"].to_numpy(), information)
    return every.select([name for name in every.names if name not in fixed]).inverse()
