"""Cloud-in-cell painting of particles onto meshes and reading of meshes at particles.

Convention: positions are in Mpc/h, periodic, components first. Mesh point i lies at i box_size / mesh_size, where the
Lagrangian lattice has its particles too.

References
----------
Hockney & Eastwood (1988), Sect. 5-3-4.
"""

from collections.abc import Iterable
from itertools import product

import jax.numpy as jnp
from jaxtyping import Array, Float32

from lenscast.gravity.clouds import cloud
from lenscast.gravity.deposit import deposit, fetch
from lenscast.numerics.fusion import computed_once


def paint(position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> Float32[Array, "x y z"]:
    """Number of particles per mesh cell.

    Parameters
    ----------
    position
        Comoving positions, wrapped periodically [Mpc/h].
    box_size
        Side of the box [Mpc/h].
    mesh_size
        Mesh points per side.
    """
    return paint_cells((component * (mesh_size / box_size) for component in position), (mesh_size,) * 3)


def paint_cells(
    position: Iterable[Float32[Array, " particle"]], shape: tuple[int, int, int]
) -> Float32[Array, "x y z"]:
    """Number of particles per mesh cell, of a mesh whose sides may differ.

    Parameters
    ----------
    position
        Positions, wrapped periodically [cells].
    shape
        Mesh points along each axis.
    """
    x, y, z = (cloud(component, size) for component, size in zip(position, shape, strict=True))
    # Rows have one more cell, a copy of the first: the cloud's two cells along z are then neighbours in memory even at
    # the border, and four windows of two cells replace eight single cells. The copy is added to the first cell below.
    row = shape[2] + 1
    cells, values = [], []
    for i, j in product((0, 1), (0, 1)):
        cells.append((x.cell[i] * shape[1] + y.cell[j]) * row + z.cell[0])
        column = x.share[i] * y.share[j]
        values.append(jnp.stack([column * z.share[0], column * z.share[1]]))
    mesh = deposit(cells, values, shape[0] * shape[1] * row).reshape(*shape[:2], row)
    return mesh[:, :, :-1].at[:, :, 0].add(mesh[:, :, -1])


def read(
    mesh: Float32[Array, "x y z channel"], position: Float32[Array, "3 particle"], box_size: float
) -> Float32[Array, "channel particle"]:
    """Mesh values at particles, by cloud-in-cell interpolation: the transpose of `paint`, channel by channel.

    Parameters
    ----------
    mesh
        Values at mesh points, one or more channels each.
    position
        Comoving positions, wrapped periodically [Mpc/h].
    box_size
        Side of the box [Mpc/h].
    """
    size = mesh.shape[0]
    return fetch(position * (size / box_size), mesh.reshape(size**3, -1), (size,) * 3).T


def paint_slabs(
    position: Float32[Array, "3 particle"], box_size: float, mesh_size: int, slabs: int, edge: float, axes: int = 3
) -> Float32[Array, "axis slab x y"]:
    """Overdensity of the slabs into which each axis of the box is cut, projected along that axis.

    Plane [0, s] is projected along x and has the axes (y, z), plane [1, s] along y with (z, x), plane [2, s] along z
    with (x, y). Across the line of sight particles are clouds of one plane cell. Along it they are clouds of width
    ``edge``: a particle passes smoothly from one slab to the next, and derivatives include the crossing.

    Parameters
    ----------
    position
        Comoving positions, wrapped periodically [Mpc/h].
    box_size
        Side of the box [Mpc/h].
    mesh_size
        Points per side of a plane.
    slabs
        Slabs per axis, 1 or more, each box_size / slabs thick.
    edge
        Width of the cloud along the line of sight, at most the thickness of a slab [Mpc/h].
    axes
        Number of axes, from the first.

    Raises
    ------
    ValueError
        If there is no slab or the edge does not fit into one.

    Notes
    -----
    A hard assignment of particles to slabs has a derivative of zero, see Sect. 1 of docs/design.md.
    """
    number = number_in_slabs(position, box_size, mesh_size, slabs, edge, axes)
    return number / (position.shape[1] / (mesh_size**2 * slabs)) - 1


def number_in_slabs(
    position: Float32[Array, "3 particle"], box_size: float, mesh_size: int, slabs: int, edge: float, axes: int = 3
) -> Float32[Array, "axis slab x y"]:
    """Number of particles per cell of each plane; arguments and errors as in `paint_slabs`."""
    if slabs < 1:
        raise ValueError(f"slabs = {slabs}: cut the box into at least 1 slab")
    if not 0 < edge <= box_size / slabs:
        raise ValueError(
            f"edge = {edge} Mpc/h: give a positive width, at most that of a slab, {box_size / slabs} Mpc/h"
        )
    position = computed_once(position)  # a dozen kernels use it, and XLA would repeat its sums in each of them
    x, y, z = position
    turns = ((x, y, z), (y, z, x), (z, x, y))[:axes]
    planes = [_project(turned, box_size, mesh_size, slabs, edge) for turned in turns]
    return jnp.stack(planes)


def _project(
    position: tuple[Array, Array, Array], box_size: float, mesh_size: int, slabs: int, edge: float
) -> Float32[Array, "slab x y"]:
    """Particles per plane cell of each slab; the first component of the position is along the line of sight."""
    depth, *across = position
    x, y = (cloud(component * (mesh_size / box_size), mesh_size) for component in across)
    row = mesh_size + 1
    slab_numbers, share = _slab(depth, box_size, slabs, edge)
    cells, values = [], []
    for (slab, weight), i in product(zip(slab_numbers, share, strict=True), (0, 1)):
        cells.append((slab * mesh_size + x.cell[i]) * row + y.cell[0])
        column = weight * x.share[i]
        values.append(jnp.stack([column * y.share[0], column * y.share[1]]))
    planes = deposit(cells, values, slabs * mesh_size * row).reshape(slabs, mesh_size, row)
    return planes[:, :, :-1].at[:, :, 0].add(planes[:, :, -1])


def _slab(
    depth: Float32[Array, " particle"], box_size: float, slabs: int, edge: float
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Slabs that a cloud of width ``edge`` overlaps, and its share in each."""
    if slabs == 1:
        return (jnp.zeros_like(depth, dtype=jnp.int32),), (jnp.ones_like(depth),)
    thickness = box_size / slabs
    # The near end of the cloud, depth - edge / 2, lies in the slab `cell[0]` at a fraction `share` of its thickness.
    # The far end lies beyond that slab by (share - 1) thickness + edge: divided by edge, the part in the next slab.
    cell, (_, share) = cloud((depth - edge / 2) / thickness, slabs)
    beyond = jnp.maximum((share - 1) * (thickness / edge) + 1, 0)
    return cell, (1 - beyond, beyond)
