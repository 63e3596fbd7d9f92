"""The filter of the potential as published by Lanzieri et al. (2022): a spline of the wavenumber that depends on a.

`network` has the filter that lenscast trains by default, which goes from one resolution to another.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Key

from lenscast.corrections.network import CORNER, ForceCorrection, Layers, random_layers


class PublishedHPN(ForceCorrection):
    """The filter as published: a B-spline of k / (sqrt(3) k_Nyquist) whose coefficients and knots depend on a.

    The network has two hidden layers of 32 units with sine activation and two heads: 17 coefficients, to which a first
    one of 0 is added, and 15 increments of the knots of a cubic spline; 2176 parameters in all.

    Attributes
    ----------
    hidden
        Weights and biases of the two hidden layers.
    coefficients, increments
        Weights and biases of the heads.

    References
    ----------
    Lanzieri et al. (2022), arXiv:2207.05509, Sect. 2.
    """

    hidden: Layers
    coefficients: Layers
    increments: Layers

    @classmethod
    def initial(cls, key: Key[Array, ""]) -> "PublishedHPN":
        """An untrained network with f = 0."""
        keys = jax.random.split(key, 3)
        ((weights, biases),) = random_layers(keys[1], (32, 17))
        return cls(
            random_layers(keys[0], (1, 32, 32)),
            ((jnp.zeros_like(weights), biases),),
            random_layers(keys[2], (32, 15)),
        )

    def response(
        self, x: Float32[Array, " knot"], a: Float32[Array, ""], ln_sigma: Float32[Array, ""], step: Float32[Array, ""]
    ) -> Float32[Array, " knot"]:
        """The filter f; see `ForceCorrection.response`."""
        units = a[None]
        for weights, biases in self.hidden:
            units = jnp.sin(weights @ units + biases)
        ((weights, biases),), ((knot_weights, knot_biases),) = self.coefficients, self.increments
        # The first control point is the value of the spline at k = 0, where f must vanish.
        control = jnp.concatenate([jnp.zeros(1, jnp.float32), weights @ units + biases])
        # Softmax makes increments positive with sum 1: knots increase from 0 to 1. Fourfold knots at both ends clamp
        # the spline there; the last of the fifteen inner ones is the fourth at 1.
        inner = jnp.cumsum(jax.nn.softmax(knot_weights @ units + knot_biases))
        knots = jnp.concatenate([jnp.zeros(4, jnp.float32), inner, jnp.ones(3, jnp.float32)])
        # x = 1 lies outside the half-open last interval, where every basis function is 0
        return _b_spline(jnp.clip(x / CORNER, 0, 1 - 1e-4), knots, control)


def _b_spline(
    x: Float32[Array, " knot"], knots: Float32[Array, "..."], control: Float32[Array, "..."]
) -> Float32[Array, " knot"]:
    """Cubic B-spline by the recursion of Cox and de Boor.

    B_(i,d) = (x - t_i) / (t_(i+d) - t_i) B_(i,d-1) + (t_(i+d+1) - x) / (t_(i+d+1) - t_(i+1)) B_(i+1,d-1).
    """
    x, knots = x[:, None], knots[None]
    basis = ((knots[:, :-1] <= x) & (x < knots[:, 1:])).astype(x.dtype)
    for degree in (1, 2, 3):
        width = knots[:, degree:] - knots[:, :-degree]
        # repeated knots have no width: 0 / 0 counts as 0, also in the derivative
        inverse = jnp.where(width > 0, 1 / jnp.where(width > 0, width, 1), 0)
        rising = (x - knots[:, :-degree]) * inverse
        basis = rising[:, :-1] * basis[:, :-1] + (1 - rising[:, 1:]) * basis[:, 1:] * (inverse[:, 1:] > 0)
    return basis @ control
