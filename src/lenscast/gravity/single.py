"""A box on one device: the parts of gravity that need the whole box at once.

`lenscast.gravity.split` has the same methods for a box on several devices.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex64, Float32, Key

from lenscast.gravity import painting
from lenscast.gravity.mesh import lattice
from lenscast.numerics.fourier import wavenumbers
from lenscast.sections.box import ParticleMesh


@dataclass(frozen=True)
class Single:
    """A box on a single device."""

    def noise(self, key: Key[Array, ""], points: int) -> Float32[Array, "x y z"]:
        """White noise of variance 1 on a mesh; the same numbers on any number of devices."""
        return jax.random.normal(key, (points,) * 3, jnp.float32)

    def modes(self, field: Float32[Array, "x y z"], points: int | None = None) -> Complex64[Array, "kept kept half"]:
        """``rfftn`` of a field on a cubic mesh.

        Parameters
        ----------
        field
            Field.
        points
            Points per side of a coarser mesh whose modes are kept, with its Nyquist modes set to 0; all by default.
        """
        return _truncated(jnp.fft.rfftn(field), points or field.shape[0])

    def field(self, modes: Complex64[Array, "x y half"]) -> Float32[Array, "x y z"]:
        """``irfftn`` of modes on a cubic mesh."""
        return jnp.fft.irfftn(modes, s=(modes.shape[0],) * 3)

    def wavenumbers(self, points: int, spacing: float) -> tuple[Float32[Array, "..."], ...]:
        """Wavenumbers along each axis of `modes`, as `lenscast.numerics.fourier.wavenumbers` has them."""
        return wavenumbers((points,) * 3, spacing)

    def distances(self, points: int, spacing: float) -> Float32[np.ndarray | Array, "x y half"]:
        """Absolute wavenumber of each of the `modes`, without tangents."""
        with jax.ensure_compile_time_eval():
            components = [np.asarray(k) for k in self.wavenumbers(points, spacing)]
        return np.sqrt(sum(k**2 for k in components))

    def difference(self, field: Float32[Array, "x y z"], axis: int, steps: int) -> Float32[Array, "x y z"]:
        """Field ``steps`` points ahead minus field ``steps`` points behind, along an axis."""
        return jnp.roll(field, -steps, axis) - jnp.roll(field, steps, axis)

    def lattice(self, mesh: ParticleMesh) -> Float32[Array, "3 particle"]:
        """Lagrangian positions of the particles [Mpc/h]."""
        return lattice(mesh)

    def at_lattice(self, field: Float32[Array, "x y z 3"]) -> Float32[Array, "3 particle"]:
        """Values at the lattice points of the particles, in their order."""
        return field.reshape(-1, field.shape[-1]).T

    def paint(self, position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> Float32[Array, "x y z"]:
        """Number of particles per mesh cell; arguments as in `lenscast.gravity.paint`."""
        return painting.paint(position, box_size, mesh_size)

    def read(
        self, mesh: Float32[Array, "x y z channel"], position: Float32[Array, "3 particle"], box_size: float
    ) -> Float32[Array, "channel particle"]:
        """Mesh values at particles; arguments as in `lenscast.gravity.read`."""
        return painting.read(mesh, position, box_size)

    def paint_slabs(
        self, position: Float32[Array, "3 particle"], box_size: float, mesh_size: int, slabs: int, edge: float
    ) -> Float32[Array, "3 slab x y"]:
        """Overdensity of slabs; arguments as in `lenscast.gravity.paint_slabs`."""
        return painting.paint_slabs(position, box_size, mesh_size, slabs, edge)


SINGLE = Single()


def _truncated(modes: Complex64[Array, "fine fine half_fine"], size: int) -> Complex64[Array, "x y half"]:
    """Modes of a mesh that a coarser mesh of ``size`` points has too, with its Nyquist modes set to 0.

    A Nyquist mode of the coarser mesh stands for two modes of the finer one, of opposite wavenumbers.
    """
    if modes.shape[0] == size:
        return modes
    half = size // 2
    kept = jnp.concatenate([modes[:half], modes[-half:]])
    kept = jnp.concatenate([kept[:, :half], kept[:, -half:]], axis=1)[:, :, : half + 1]
    return kept.at[half].set(0).at[:, half].set(0).at[:, :, half].set(0)
