"""Slices of the density of matter through the densest point of a box, for figures that compare simulations."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from lenscast.gravity import lattice, paint, paint_slabs
from lenscast.sections.box import ParticleMesh


def densest_point(position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> Float[np.ndarray, " 3"]:
    """Mesh point of the highest density [Mpc/h].

    Parameters
    ----------
    position
        Comoving positions, wrapped periodically [Mpc/h].
    box_size
        Side of the box [Mpc/h].
    mesh_size
        Mesh points per side.
    """
    density = paint(position, box_size, mesh_size)
    return np.array(np.unravel_index(int(jnp.argmax(density)), density.shape)) * (box_size / mesh_size)


def density_slice(
    position: Float32[Array, "3 particle"],
    mesh: ParticleMesh,
    centre: Float[np.ndarray, " 3"],
    mesh_size: int,
    slabs: int,
    refinement: int,
) -> Float32[np.ndarray, "y x"]:
    """Projected density of a slab of the periodic box about a point, in units of the mean.

    Dark matter is a sheet in phase space. The mass between particles is put at displacements interpolated in
    Lagrangian space, linearly along each axis, so that voids do not show the lattice.

    Parameters
    ----------
    position
        Comoving positions in Lagrangian order [Mpc/h].
    mesh
        Box and number of particles.
    centre
        Point in the middle of the slab and of the map [Mpc/h].
    mesh_size
        Points per side of the map.
    slabs
        The slab is box_size / slabs thick; 2 or more.
    refinement
        Interpolated positions per particle and axis; 1 for the particles alone.

    References
    ----------
    Abel, Hahn & Kaehler (2012), arXiv:1111.3944.
    """
    size = mesh.box_size
    shift = jnp.asarray(np.array([size / 2, size / 2, size / (2 * slabs)]) - centre, jnp.float32)
    displacement = position - lattice(mesh)
    displacement = displacement - size * jnp.round(displacement / size)  # positions may come wrapped
    offsets = jnp.asarray(list(product(range(refinement), repeat=3)), jnp.float32) / refinement
    parts = [_slice(displacement, offset, shift, mesh, mesh_size, slabs) for offset in offsets]
    return np.mean(parts, axis=0).T


@partial(jax.jit, static_argnames=("mesh", "mesh_size", "slabs"))
def _slice(
    displacement: Float32[Array, "3 particle"],
    offset: Float32[Array, " 3"],
    shift: Float32[Array, " 3"],
    mesh: ParticleMesh,
    mesh_size: int,
    slabs: int,
) -> Float32[Array, "x y"]:
    """Density of points that start at an offset from the particles; the offset is in units of their spacing."""
    cells = displacement.reshape(3, *(mesh.particles,) * 3)
    for axis in range(3):
        cells += offset[axis] * (jnp.roll(cells, -1, axis + 1) - cells)
    start = lattice(mesh) + (shift + offset * np.float32(mesh.box_size / mesh.particles))[:, None]
    edge = mesh.box_size / mesh_size
    return 1 + paint_slabs(start + cells.reshape(3, -1), mesh.box_size, mesh_size, slabs, edge)[2, 0]
