"""The Gaussian posterior that a forecast's file holds."""

from lenscast import io
from lenscast.forecast.fisher import FisherMatrix, ParameterCovariance


def posterior(path: str) -> ParameterCovariance:
    """Of the standard estimator, with priors."""
    forecast = io.load(path, ["standard", "priors"])
    parameters, matrices = forecast.coordinates["param"], forecast.variables
    information = matrices["standard"].values + matrices["priors"].values
    return FisherMatrix(tuple(parameters["name"]), parameters["fiducial"].to_numpy(), information).inverse()
