"""Clouds of one mesh cell around particles: the cells that they overlap and their share in each.

Convention: positions are in cells and periodic, and mesh point i lies at i.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Cloud(NamedTuple):
    """Cells that clouds overlap along one axis.

    Attributes
    ----------
    cell
        Home cell of each particle, and the cell that follows it.
    share
        Share of the cloud in each of both.
    """

    cell: tuple[Int[Array, " particle"], Int[Array, " particle"]]
    share: tuple[Float[Array, " particle"], Float[Array, " particle"]]


def cloud(position: Float[Array, " particle"], size: int) -> Cloud:
    """Clouds along one axis.

    Parameters
    ----------
    position
        Position along that axis [cells].
    size
        Number of cells, the period.
    """
    floor = jnp.floor(position)
    # The period is found at the centre of the cell, floor + 1/2. At its border the product with 1 / size, which float32
    # rounds, could fall on the wrong side of an integer. An integer remainder is exact too, but much slower.
    cell = (floor - size * jnp.floor((floor + 0.5) * (1 / size))).astype(jnp.int32)
    following = jnp.where(cell == size - 1, 0, cell + 1)
    beyond = position - floor
    return Cloud((cell, following), (1 - beyond, beyond))


def corners(
    position: Float[Array, "3 particle"], shape: tuple[int, int, int], slopes: tuple[int, ...] = ()
) -> Iterator[tuple[Int[Array, " particle"], Float[Array, " particle"]]]:
    """Flat index of each of the eight cells that a cloud overlaps, and its share there.

    Parameters
    ----------
    position
        Positions [cells].
    shape
        Cells along each axis.
    slopes
        Axes along which the share is differentiated, once along each [1/cell].
    """
    x, y, z = (cloud(component, size) for component, size in zip(position, shape, strict=True))
    for corner in product((0, 1), repeat=3):
        i, j, k = corner
        factors = [x.share[i], y.share[j], z.share[k]]
        for axis in slopes:
            # d(1 - s)/ds = -1 in the home cell, ds/ds = +1 in the cell that follows it
            factors[axis] = jnp.full_like(factors[axis], 2 * corner[axis] - 1)
        yield (x.cell[i] * shape[1] + y.cell[j]) * shape[2] + z.cell[k], factors[0] * factors[1] * factors[2]
