"""Convergence in the Born approximation: light travels on straight lines."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

__all__ = ["convergence_born"]


def convergence_born(
    sky: Float32[Array, "plane y x"], weights: Float[Array, "plane source"]
) -> Float32[Array, "source y x"]:
    """Convergence of each source: the weighted sum of the planes' overdensities along undeflected rays.

    Parameters
    ----------
    sky : overdensity of each plane at the pixels.
    weights : convergence per unit overdensity, from `lensing_weights`.

    References: Kilbinger (2015), arXiv:1411.0115, Eq. 20.
    """
    return jnp.einsum("pyx,ps->syx", sky, weights.astype(sky.dtype))
