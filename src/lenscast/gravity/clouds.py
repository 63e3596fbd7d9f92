"""Clouds of one mesh cell around particles: the cells that they overlap and their share in each.

Positions are in cells, periodic, and mesh point i lies at i.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["Cloud", "cloud", "corners"]


class Cloud(NamedTuple):
    """Home cell of each particle along one axis, the next one, and the cloud's share in both."""

    cell: tuple[Int[Array, " particle"], Int[Array, " particle"]]
    share: tuple[Float[Array, " particle"], Float[Array, " particle"]]


def cloud(position: Float[Array, " particle"], size: int) -> Cloud:
    """Clouds along one axis.

    Cells are wrapped at their centres: rounding then never takes one to the wrong side of the border. Comparing with
    the period is much cheaper than an integer remainder.

    Parameters
    ----------
    position : along that axis, in cells.
    size : number of cells, the period.
    """
    floor = jnp.floor(position)
    cell = (floor - size * jnp.floor((floor + 0.5) * (1 / size))).astype(jnp.int32)
    following = jnp.where(cell == size - 1, 0, cell + 1)
    beyond = position - floor
    return Cloud((cell, following), (1 - beyond, beyond))


def corners(
    position: Float[Array, "3 particle"], size: int, slopes: tuple[int, ...] = ()
) -> Iterator[tuple[Int[Array, " particle"], Float[Array, " particle"]]]:
    """Flat index of each of the eight cells that a cloud overlaps, and its share there.

    Parameters
    ----------
    position : in cells.
    size : cells per side.
    slopes : axes along each of which the share is differentiated once, per cell.
    """
    x, y, z = (cloud(component, size) for component in position)
    for corner in product((0, 1), repeat=3):
        i, j, k = corner
        factors = [x.share[i], y.share[j], z.share[k]]
        for axis in slopes:
            factors[axis] = jnp.full_like(factors[axis], 2 * corner[axis] - 1)
        yield (x.cell[i] * size + y.cell[j]) * size + z.cell[k], factors[0] * factors[1] * factors[2]
