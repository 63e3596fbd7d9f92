"""A box on several devices: the methods of `lenscast.gravity.single` on blocks of meshes that exchange their borders.

Convention: meshes have their global indices. A device holds a block of each mesh and the particles that start in this
block, wherever they move. They reach the mesh beyond it through a halo of cells, so that arrays keep their size and
particles their device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Complex64, Float32, Key

from lenscast.gravity import painting
from lenscast.gravity.deposit import fetch
from lenscast.gravity.exchange import COLUMNS, ROWS, Grid, backward, extended, folded, forward
from lenscast.gravity.single import SINGLE
from lenscast.numerics.fourier import wavenumbers
from lenscast.sections.box import ParticleMesh
from lenscast.sections.distribution import Distribution, stored_modes

FIELD = P(ROWS, COLUMNS)
MODES = P(None, ROWS, COLUMNS)
PARTICLES = P(None, (ROWS, COLUMNS))
PLANES = P(None, None, (ROWS, COLUMNS))


@dataclass(frozen=True)
class Split:
    """A box split over devices: slabs along x, or pencils along x and y.

    Positions are not wrapped, and particles are in the order of `lattice`: block by block. A particle farther from its
    block than the halo makes the density NaN, and all that follows from it.

    Attributes
    ----------
    devices
        Grid of devices with the axes `ROWS` and `COLUMNS`.
    distribution
        How they split the box.
    """

    devices: Mesh
    distribution: Distribution

    def noise(self, key: Key[Array, ""], points: int) -> Float32[Array, "x y z"]:
        """White noise, see `Single.noise`."""
        noise = jax.random.normal(key, (points,) * 3, jnp.float32)
        return lax.with_sharding_constraint(noise, NamedSharding(self.devices, FIELD))

    def modes(self, field: Float32[Array, "x y z"], points: int | None = None) -> Complex64[Array, "kept kept half"]:
        """``rfftn``, see `Single.modes`; zeros fill its last axis up to a multiple of the columns."""
        kept = points or field.shape[0]
        return self._local(lambda block: forward(block, self._grid, kept), FIELD, MODES)(field)

    def field(self, modes: Complex64[Array, "x y half"]) -> Float32[Array, "x y z"]:
        """``irfftn``, the inverse of `modes`."""
        return self._local(lambda block: backward(block, self._grid), MODES, FIELD)(modes)

    def wavenumbers(self, points: int, spacing: float) -> tuple[Float32[Array, "..."], ...]:
        """Wavenumbers, see `Single.wavenumbers`."""
        kx, ky, kz = wavenumbers((points,) * 3, spacing)
        return kx, ky, jnp.pad(kz, ((0, 0), (0, 0), (0, stored_modes(points, self._grid.columns) - kz.shape[2])))

    def distances(self, points: int, spacing: float) -> Float32[Array, "x y half"]:
        """Absolute wavenumbers, see `Single.distances`; each device computes those of its modes."""
        return jnp.sqrt(sum(k**2 for k in self.wavenumbers(points, spacing)))

    def difference(self, field: Float32[Array, "x y z"], axis: int, steps: int) -> Float32[Array, "x y z"]:
        """Difference of two points, see `Single.difference`."""
        grid = self._grid
        halo = (steps if axis == 0 and grid.rows > 1 else 0), (steps if axis == 1 and grid.columns > 1 else 0)

        def local(block: Array) -> Array:
            if not any(halo):
                return SINGLE.difference(block, axis, steps)
            wide, size = extended(block, grid, halo), block.shape[axis]
            ahead, behind = (lax.slice_in_dim(wide, start, start + size, axis=axis) for start in (2 * steps, 0))
            return ahead - behind

        return self._local(local, FIELD, FIELD)(field)

    def lattice(self, mesh: ParticleMesh) -> Float32[Array, "3 particle"]:
        """Lagrangian positions [Mpc/h], block by block."""
        sides = self._block(mesh.particles)

        def local() -> Array:
            points = (
                (jnp.arange(side) + first).astype(jnp.float32) * (mesh.box_size / mesh.particles)
                for side, first in zip(sides, self._first(mesh.particles), strict=True)
            )
            return jnp.stack(jnp.meshgrid(*points, indexing="ij")).reshape(3, -1)

        return self._local(local, (), PARTICLES)()

    def at_lattice(self, field: Float32[Array, "x y z 3"]) -> Float32[Array, "3 particle"]:
        """Values at lattice points, see `Single.at_lattice`."""
        return self._local(SINGLE.at_lattice, FIELD, PARTICLES)(field)

    def paint(self, position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> Float32[Array, "x y z"]:
        """Number of particles per cell, see `Single.paint`; NaN where particles are beyond the halo."""
        halo = self.distribution.halo(box_size / mesh_size)

        def local(position: Array) -> Array:
            cells, shape, inside = self._in_cells(position, box_size, mesh_size)
            return jnp.where(inside, folded(painting.paint_cells(cells, shape), self._grid, halo), jnp.nan)

        return self._local(local, PARTICLES, FIELD)(position)

    def read(
        self, mesh: Float32[Array, "x y z channel"], position: Float32[Array, "3 particle"], box_size: float
    ) -> Float32[Array, "channel particle"]:
        """Mesh values at particles, see `Single.read`: the transpose of `paint`."""
        mesh_size = mesh.shape[0]
        halo = self.distribution.halo(box_size / mesh_size)

        def local(block: Array, position: Array) -> Array:
            cells, shape, _ = self._in_cells(position, box_size, mesh_size)
            wide = extended(block, self._grid, halo)
            return fetch(cells, wide.reshape(-1, wide.shape[-1]), shape).T

        return self._local(local, (FIELD, PARTICLES), PARTICLES)(mesh, position)

    def paint_slabs(
        self, position: Float32[Array, "3 particle"], box_size: float, mesh_size: int, slabs: int, edge: float
    ) -> Float32[Array, "3 slab x y"]:
        """Overdensity of slabs, see `Single.paint_slabs`: each device paints its particles."""

        def local(position: Array) -> Array:
            planes = painting.number_in_slabs(position, box_size, mesh_size, slabs, edge)
            return lax.psum_scatter(planes, (ROWS, COLUMNS), scatter_dimension=2, tiled=True)

        mean = position.shape[1] / (mesh_size**2 * slabs)
        return self._local(local, PARTICLES, PLANES)(position) / mean - 1

    @property
    def _grid(self) -> Grid:
        """Numbers of devices."""
        return Grid(*self.distribution.grid)

    def _local(self, function: Callable[..., Array], inputs: Any, outputs: P) -> Callable[..., Array]:
        """Function of arrays from one of their blocks."""
        # the primitives `deposit` and `fetch` have no rules for the types that the check compares
        return jax.shard_map(function, mesh=self.devices, in_specs=inputs, out_specs=outputs, check_vma=False)

    def _block(self, points: int) -> tuple[int, int, int]:
        """Points of a block along each axis, of a mesh of ``points`` per side."""
        return points // self._grid.rows, points // self._grid.columns, points

    def _first(self, points: int) -> tuple[Any, Any, int]:
        """First point of this device's block along each axis."""
        rows, columns, _ = self._block(points)
        return lax.axis_index(ROWS) * rows, lax.axis_index(COLUMNS) * columns, 0

    def _in_cells(
        self, position: Float32[Array, "3 particle"], box_size: float, mesh_size: int
    ) -> tuple[Float32[Array, "3 particle"], tuple[int, int, int], Bool[Array, ""]]:
        """Positions in cells of the block with its halo, shape of that mesh, and whether all clouds are inside."""
        wide_x, wide_y = self.distribution.halo(box_size / mesh_size)
        x, y, _ = self._block(mesh_size)
        shape = x + 2 * wide_x, y + 2 * wide_y, mesh_size
        first_x, first_y, _ = self._first(mesh_size)
        origin = jnp.stack([jnp.asarray(each, jnp.float32) for each in (first_x - wide_x, first_y - wide_y, 0)])
        cells = position * (mesh_size / box_size) - origin[:, None]
        inside = [
            jnp.all((cells[axis] >= 0) & (cells[axis] < shape[axis] - 1))
            for axis, count in enumerate(self._grid)
            if count > 1
        ]
        return cells, shape, jnp.all(jnp.stack(inside))
