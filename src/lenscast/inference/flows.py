"""Conditional densities of parameters given features of data: normalising flows around a linear regression.

A regression of the coordinates of the parameters on the features takes out mean and covariance. What is left is nearly
standard normal, and a masked autoregressive flow (Papamakarios, Pavlakou & Murray 2017, arXiv:1705.07057), with
rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032) or affine, learns how it differs. The flows are those
of flowjax.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

__all__ = ["ConditionalFlow", "FlowShape", "Regression", "untrained_flow"]


@dataclass(frozen=True)
class FlowShape:
    """Size of a flow.

    Attributes
    ----------
    transformer
        ``spline`` or ``affine``.
    parameters, features
        Number of parameters, and of features of the data.
    layers, width
        Number of autoregressive layers, and of neurons in the hidden layer of each.
    knots, interval
        Number of knots of a spline, which differs from the identity between -interval and interval.
    """

    transformer: Literal["spline", "affine"]
    parameters: int
    features: int
    layers: int = 3
    width: int = 32
    knots: int = 8
    interval: float = 5.0


class Regression(NamedTuple):
    """Linear regression of coordinates on features, with the covariance of its residuals.

    Attributes
    ----------
    centre, scale
        Mean and standard deviation of the features.
    mean, slope
        Predicted coordinates are mean + slope (features - centre) / scale.
    factor
        Lower-triangular root of the covariance of the residuals.
    """

    centre: Float64[np.ndarray, " feature"]
    scale: Float64[np.ndarray, " feature"]
    mean: Float64[np.ndarray, " param"]
    slope: Float64[np.ndarray, "param feature"]
    factor: Float64[np.ndarray, "param param"]

    @classmethod
    def fit(cls, z: Float64[np.ndarray, "row param"], features: Float64[np.ndarray, "row feature"]) -> "Regression":
        """Least squares.

        Parameters
        ----------
        z, features
            Coordinates of the parameters, and features of the data.

        Raises
        ------
        ValueError
            If a feature is the same everywhere.
        """
        centre, scale = features.mean(axis=0), features.std(axis=0)
        if not scale.all():
            raise ValueError(
                f"feature {int(np.argmin(scale))} is the same in all {len(features)} data: leave its bin out, or "
                "use compression by score"
            )
        scaled = (features - centre) / scale
        mean = z.mean(axis=0)
        slope = np.linalg.lstsq(scaled, z - mean, rcond=None)[0].T
        residuals = z - mean - scaled @ slope.T
        return cls(centre, scale, mean, slope, np.linalg.cholesky(np.cov(residuals.T).reshape(2 * z.shape[1:])))

    def scaled(self, features: Float[Any, "*row feature"]) -> Float[Any, "*row feature"]:
        """Features in units of their standard deviation."""
        return (features - self.centre) / self.scale

    def residuals(
        self, z: Float64[np.ndarray, "*row param"], features: Float64[np.ndarray, "*row feature"]
    ) -> Float64[np.ndarray, "*row param"]:
        """Residuals in units of their standard deviation; features in theirs."""
        step = z - self.mean - features @ self.slope.T
        return np.linalg.solve(self.factor, step[..., None])[..., 0]

    def coordinates(
        self, residuals: Float64[np.ndarray, "... row param"], features: Float64[np.ndarray, "row feature"]
    ) -> Float64[np.ndarray, "... row param"]:
        """Coordinates of residuals: the inverse of `residuals`."""
        return self.mean + features @ self.slope.T + residuals @ self.factor.T


class ConditionalFlow(NamedTuple):
    """Density of the coordinates of the parameters given features.

    Attributes
    ----------
    shape
        Size of the flow.
    regression
        Linear part.
    flow
        Distribution of flowjax of the residuals.
    """

    shape: FlowShape
    regression: Regression
    flow: Any

    def log_density(
        self, z: Float64[np.ndarray, "row param"], features: Float64[np.ndarray, "row feature"]
    ) -> Float64[np.ndarray, " row"]:
        """Logarithm of the density of the coordinates.

        Parameters
        ----------
        z, features
            Coordinates and features, row by row.
        """
        scaled = self.regression.scaled(features)
        found = log_prob(self.flow, jnp.asarray(self.regression.residuals(z, scaled)), jnp.asarray(scaled))
        return np.asarray(found) - np.log(np.diag(self.regression.factor)).sum()

    def draws(
        self, features: Float64[np.ndarray, "row feature"], number: int, seed: int
    ) -> Float64[np.ndarray, "draw row param"]:
        """Draws of the coordinates.

        Parameters
        ----------
        features
            Features of some data vectors.
        number
            Number of draws for each.
        seed
            Seed of the draws.
        """
        scaled = self.regression.scaled(features)
        residuals = _sample(self.flow, jax.random.key(seed), number, jnp.asarray(scaled))
        return self.regression.coordinates(np.asarray(residuals), scaled)


def untrained_flow(shape: FlowShape, seed: int) -> Any:
    """Flow with random weights.

    Parameters
    ----------
    shape
        Size of the flow.
    seed
        Seed of the weights.

    Raises
    ------
    ImportError
        If flowjax is not installed.
    """
    # all flows of a shape share one set of functions, so that JAX compiles one program for them
    return eqx.combine(eqx.filter(_built(shape, seed), eqx.is_array), _functions(shape))


@lru_cache(maxsize=8)
def _functions(shape: FlowShape) -> Any:
    return eqx.filter(_built(shape, 0), eqx.is_array, inverse=True)


def _built(shape: FlowShape, seed: int) -> Any:
    try:
        from flowjax.bijections import RationalQuadraticSpline
        from flowjax.distributions import StandardNormal
        from flowjax.flows import masked_autoregressive_flow
    except ImportError as error:
        raise ImportError("flowjax is not installed; pip install 'lenscast[sbi]' brings it") from error
    with jax.numpy_rank_promotion("allow"):  # flowjax compares arrays of different ranks
        spline = RationalQuadraticSpline(knots=shape.knots, interval=shape.interval)
        return masked_autoregressive_flow(
            jax.random.key(seed),
            base_dist=StandardNormal((shape.parameters,)),  # type: ignore[call-arg]
            transformer=spline if shape.transformer == "spline" else None,
            cond_dim=shape.features,
            flow_layers=shape.layers,
            nn_width=shape.width,
            nn_activation=jax.nn.silu,  # smooth densities of smooth functions
        )


@eqx.filter_jit
def log_prob(flow: Any, residuals: Array, scaled: Array) -> Array:
    """Logarithm of the density of a distribution of flowjax."""
    with jax.numpy_rank_promotion("allow"):
        return flow.log_prob(residuals, scaled)


@eqx.filter_jit
def _sample(flow: Any, key: Array, number: int, scaled: Array) -> Array:
    with jax.numpy_rank_promotion("allow"):
        return flow.sample(key, (number,), scaled)
