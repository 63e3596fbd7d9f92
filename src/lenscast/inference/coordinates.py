"""Coordinates in which a posterior of parameters is nearly a standard normal distribution, without ends.

A parameter with a range goes through a logistic function, so that a sampler never leaves the range. A linear map then
gives the coordinates the covariance of a forecast: they have about unit variance and no correlations.
"""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from scipy import linalg, stats

from lenscast.fisher.matrices import ParameterCovariance
from lenscast.parameters import limits

__all__ = ["Coordinates", "prior_draw"]


class Coordinates(eqx.Module):
    """Map from the coordinates of a sampler to parameters.

    Attributes
    ----------
    names
        Parameters.
    centre
        Values of the parameters at the origin of the coordinates.
    factor
        Lower-triangular L; the coordinates z stand for u = u_centre + L z, where u is the logit of a parameter with a
        range, and any other parameter itself.
    low, high
        Range of each parameter; infinite for a parameter without one.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    centre: Float64[Array, " param"]
    factor: Float64[Array, "param param"]
    low: Float64[Array, " param"]
    high: Float64[Array, " param"]

    @classmethod
    def of_posterior(cls, posterior: ParameterCovariance) -> "Coordinates":
        """Coordinates in which a Gaussian posterior has unit variance, to first order about its centre.

        Parameters
        ----------
        posterior
            Such as that of a forecast, with priors.

        Raises
        ------
        ValueError
            If a centre is not inside the range of its parameter.
        """
        ends = [limits(name) for name in posterior.names]
        # one end alone is none of the table's; it would take another function than the logistic one
        ends = [(low, high) if low is not None and high is not None else (-np.inf, np.inf) for low, high in ends]
        low, high = np.array(ends, np.float64).reshape(-1, 2).T
        for name, value, least, largest in zip(posterior.names, posterior.fiducial, low, high, strict=True):
            if not least < value < largest:
                raise ValueError(
                    f"{name} = {value:g} is not between {least:g} and {largest:g}, both excluded: a chain starts "
                    "there; choose a fiducial value inside"
                )
        stretch = 1 / _slope(posterior.fiducial, low, high)
        factor = np.linalg.cholesky(posterior.matrix * np.outer(stretch, stretch))
        arrays = (np.asarray(each, np.float64) for each in (posterior.fiducial, factor, low, high))
        return cls(posterior.names, *map(jnp.asarray, arrays))

    def parameters(self, z: Float64[Array, " param"]) -> Float64[Array, " param"]:
        """Values of the parameters.

        Parameters
        ----------
        z
            Coordinates.
        """
        return self._parameters_and_slopes(z)[0]

    def log_jacobian(self, z: Float64[Array, " param"]) -> Float64[Array, ""]:
        """Logarithm of the determinant of d parameters / d z, without the constant of the linear map.

        Parameters
        ----------
        z
            Coordinates.
        """
        return jnp.sum(self._parameters_and_slopes(z)[1])

    def named(self, z: Float64[Array, " param"], others: Mapping[str, float]) -> dict[str, Float[Array, ""] | float]:
        """Values of all parameters by name.

        Parameters
        ----------
        z
            Coordinates.
        others
            Values of the parameters that are fixed, and possibly of others.
        """
        return {**others, **dict(zip(self.names, self.parameters(z), strict=True))}

    def of_parameters(self, theta: Float64[np.ndarray, " param"]) -> Float64[np.ndarray, " param"]:
        """Coordinates of values inside the ranges: the inverse of `parameters`.

        Parameters
        ----------
        theta
            Values of the parameters.
        """
        low, high = np.asarray(self.low), np.asarray(self.high)
        steps = _stretched(theta, low, high) - _stretched(np.asarray(self.centre), low, high)
        return linalg.solve_triangular(np.asarray(self.factor), steps, lower=True)

    def _parameters_and_slopes(self, z: Array) -> tuple[Array, Array]:
        """Parameters, and the logarithms of their derivatives with respect to u."""
        has_range = jnp.isfinite(self.low)
        # both branches of `where` have finite derivatives at all u
        low, width = jnp.where(has_range, self.low, 0.0), jnp.where(has_range, self.high - self.low, 1.0)
        share = jnp.where(has_range, (self.centre - low) / width, 0.5)
        steps = self.factor @ z
        logit = jnp.log(share) - jnp.log1p(-share) + jnp.where(has_range, steps, 0.0)
        slope = jnp.log(width) + jax.nn.log_sigmoid(logit) + jax.nn.log_sigmoid(-logit)
        bounded = low + width * jax.nn.sigmoid(logit)
        return jnp.where(has_range, bounded, self.centre + steps), jnp.where(has_range, slope, 0.0)


def prior_draw(
    coordinates: Coordinates, priors: Float64[np.ndarray, "param param"], rng: np.random.Generator
) -> Float64[np.ndarray, " param"]:
    """Coordinates of a draw of the prior: Gaussian inside the range of each parameter, or flat there.

    Parameters
    ----------
    coordinates
        Parameters, their ranges, and the centres of the priors.
    priors
        Information of the priors, a diagonal matrix.
    rng
        Random numbers.

    Raises
    ------
    ValueError
        If a parameter has neither a prior nor a range.
    """
    information, theta = np.diag(priors), []
    centre, low, high = (np.asarray(each) for each in (coordinates.centre, coordinates.low, coordinates.high))
    for name, value, known, least, largest in zip(coordinates.names, centre, information, low, high, strict=True):
        if known > 0:
            ends = np.array([least, largest]) - value
            theta.append(value + known**-0.5 * stats.truncnorm.rvs(*(ends * known**0.5), random_state=rng))
        elif np.isfinite(least):
            theta.append(rng.uniform(least, largest))
        else:
            raise ValueError(f"{name} has neither a prior nor a range to draw it from: give it one in forecast.priors")
    return coordinates.of_parameters(np.array(theta))


def _stretched(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Logit of the values that have a range, and other values themselves."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(low), np.log(value - low) - np.log(high - value), value)


def _slope(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """D parameter / d u at a value."""
    with np.errstate(invalid="ignore"):
        slope = (value - low) * (high - value) / (high - low)
    return np.where(np.isfinite(low), slope, 1.0)
