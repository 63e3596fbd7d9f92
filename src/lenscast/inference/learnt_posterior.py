"""Posterior of parameters given a data vector, learnt from simulations: an ensemble of flows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import special

from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference.flows import ConditionalFlow
from lenscast.inference.simulated_prior import SimulatedPrior

__all__ = ["LearntPosterior", "learnt_table"]


@dataclass(frozen=True)
class LearntPosterior:
    """Mean density of several flows, under the prior of the simulations.

    Attributes
    ----------
    prior
        Prior of the parameters of the simulations.
    flows
        Flows with different weights and validation boxes.
    """

    prior: SimulatedPrior
    flows: Sequence[ConditionalFlow]

    def draws(
        self, features: Float64[np.ndarray, "data feature"], number: int, seed: int = 0
    ) -> Float64[np.ndarray, "data draw param"]:
        """Draws of the parameters, as many of each flow.

        Parameters
        ----------
        features
            Features of data vectors.
        number
            Number of draws for each; up to a multiple of the number of flows.
        seed
            Seed of the draws.
        """
        each = -(-number // len(self.flows))
        z = [flow.draws(features, each, seed + place) for place, flow in enumerate(self.flows)]
        return self.prior.parameters(np.moveaxis(np.concatenate(z), 0, 1))

    def log_density(
        self, z: Float64[np.ndarray, "data param"], features: Float64[np.ndarray, "data feature"]
    ) -> Float64[np.ndarray, " data"]:
        """Logarithm of the density of the coordinates of the prior, `SimulatedPrior.coordinates`.

        Parameters
        ----------
        z, features
            Coordinates of parameters, and features of data vectors.
        """
        each = np.array([flow.log_density(z, features) for flow in self.flows])
        return special.logsumexp(each, axis=0) - np.log(len(self.flows))


def learnt_table(
    names: Sequence[str], draws: Float64[np.ndarray, "draw param"], forecast: ParameterCovariance
) -> pd.DataFrame:
    """Means and widths of a posterior given the fiducial data, compared with the errors of the Fisher forecast.

    Parameters
    ----------
    names
        Parameters.
    draws
        Their draws.
    forecast
        Gaussian posterior of the same parameters, and possibly of others.

    Returns
    -------
    One row per parameter with the columns ``parameter``, ``fiducial``, ``mean``, ``sigma``, ``lower`` and ``upper``
    (the middle 68.27 % of the draws), ``sigma_fisher``, the error of the forecast with priors, and
    ``sigma_to_fisher``, the ratio of the widths.
    """
    lower, upper = np.quantile(draws, [0.158655, 0.841345], axis=0)
    expected, sigma = forecast.select(names), draws.std(axis=0, ddof=1)
    return pd.DataFrame(
        {
            "parameter": list(names),
            "fiducial": expected.fiducial,
            "mean": draws.mean(axis=0),
            "sigma": sigma,
            "lower": lower,
            "upper": upper,
            "sigma_fisher": expected.marginal_errors,
            "sigma_to_fisher": sigma / expected.marginal_errors,
        }
    )
