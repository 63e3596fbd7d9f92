"""Definitions of `deposit` and `fetch`, without primitives: the oracle of their tests.

JAX's own rules transform these functions, at the cost that `deposit` describes.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lenscast.gravity.clouds import corners


def plain_deposit(
    cells: Sequence[Int[Array, " particle"]], values: Sequence[Float[Array, "window particle"]], size: int
) -> Float[Array, " cell"]:
    """Sum of the values that fall on each cell of a flat mesh; arguments as in `deposit`."""
    mesh = jnp.zeros(size, values[0].dtype)
    for cell, value in zip(cells, values, strict=True):
        for offset, row in enumerate(value):
            mesh = mesh.at[cell + offset].add(row)
    return mesh


def plain_fetch(
    position: Float[Array, "3 particle"], mesh: Float[Array, "cell channel"], shape: tuple[int, int, int]
) -> Float[Array, "particle channel"]:
    """Sum of a flat mesh over the eight cells of each particle's cloud; arguments as in `fetch`."""
    fetched = jnp.zeros((position.shape[1], mesh.shape[1]), mesh.dtype)
    for cell, share in corners(position, shape):
        fetched += share[:, None] * mesh[cell]
    return fetched
