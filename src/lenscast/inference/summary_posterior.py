"""Posterior of parameters from a data vector with a Gaussian distribution, whose covariance comes from simulations.

The mean of the data is linear in the parameters, so that the likelihood depends on the parameters through the
information of the Jacobian alone: no simulation runs. What a Fisher matrix leaves out is here: the finite number of
simulations behind the covariance, the ranges of the parameters, and derived parameters that are not linear.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from lenscast.inference.coordinates import Coordinates

__all__ = ["SummaryPosterior", "expected_residual"]


class SummaryPosterior(eqx.Module):
    """Posterior density of the parameters of a forecast.

    Attributes
    ----------
    coordinates
        Map from the coordinates of a sampler to parameters; its centre is where the mean is expanded and the data lie.
    information
        F = D S^-1 D^T of the data of the survey, with their sample covariance S and no factor of Hartlap.
    priors
        Information of the Gaussian priors.
    simulations
        Number n_s of independent simulations behind S.
    residual
        chi^2 of the part of the data that no parameter fits, such as `expected_residual`.

    Notes
    -----
    Sellentin & Heavens (2016), arXiv:1511.05969: with a covariance of n_s simulations the likelihood is
    [1 + chi^2 / (n_s - 1)]^(-n_s / 2). With the mean mu = mu_0 + D^T (theta - theta_0) and data d = mu_0 + r, where
    D S^-1 r = 0, chi^2 = r^T S^-1 r + (theta - theta_0)^T F (theta - theta_0).
    """

    coordinates: Coordinates
    information: Float64[Array, "param param"]
    priors: Float64[Array, "param param"]
    simulations: float
    residual: float

    def log_likelihood(self, theta: Float[Array, " param"]) -> Float[Array, ""]:
        """Logarithm of the likelihood, up to a constant.

        Parameters
        ----------
        theta
            Values of the parameters.
        """
        step = theta - self.coordinates.centre
        chi2 = self.residual + step @ self.information @ step
        return -0.5 * self.simulations * jnp.log1p(chi2 / (self.simulations - 1))

    def log_density(self, z: Float64[Array, " param"]) -> Float64[Array, ""]:
        """Logarithm of the posterior density of the coordinates, up to a constant.

        Priors are Gaussian inside the range of each parameter, and flat there where they have no information.

        Parameters
        ----------
        z
            Coordinates.
        """
        theta = self.coordinates.parameters(z)
        step = theta - self.coordinates.centre
        return self.log_likelihood(theta) - 0.5 * step @ self.priors @ step + self.coordinates.log_jacobian(z)


def expected_residual(simulations: float, data: int, parameters: int) -> float:
    """Mean of the smallest chi^2, with a sample covariance.

    Parameters
    ----------
    simulations
        Number n_s of independent simulations behind the covariance.
    data, parameters
        Number of data d and of parameters P.

    Raises
    ------
    ValueError
        If n_s is not above d - P + 2: the mean is infinite.

    Notes
    -----
    The residual has q = d - P dimensions, in which the sample covariance has n = n_s - 1 degrees of freedom. The mean
    of its inverse is n / (n - q - 1) (Hartlap et al. 2007, astro-ph/0608064), so that the mean of chi^2 is q times
    this. Data on the mean itself, with chi^2 = 0, would be untypically good: their posterior is too narrow.
    """
    free = max(data - parameters, 0)
    if not simulations - free > 2:
        raise ValueError(
            f"{simulations:.1f} independent simulations for {free} data more than parameters: more than {free + 2} are "
            "needed; raise covariance.boxes or use fewer bins"
        )
    return float(np.float64(free) * (simulations - 1) / (simulations - free - 2))
