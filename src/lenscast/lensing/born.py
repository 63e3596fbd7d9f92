"""Convergence in the Born approximation: light travels on straight lines."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

__all__ = ["Seen", "convergence_born"]


class Seen(NamedTuple):
    """What rays meet on each plane.

    Attributes
    ----------
    lensing : overdensity that acts on the convergence; of deflected rays, tr(U A) / (2 s), see `raytracing`.
    matter : overdensity where the rays are, which is what aligns galaxies in a plane.
    """

    lensing: Float32[Array, "plane y x"]
    matter: Float32[Array, "plane y x"]


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
