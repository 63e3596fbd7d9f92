"""The particle mesh: how many particles in which box, and the mesh their forces are computed on.

Convention: arrays of particles have their components first and the particles in Lagrangian order, particle
(i N + j) N + k starting from the lattice point (i, j, k) box_size / N. Lattice points coincide with mesh points.
"""

from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

__all__ = ["ParticleMesh", "Particles"]


@dataclass(frozen=True)
class ParticleMesh:
    """Resolution of a particle-mesh simulation.

    Attributes
    ----------
    box_size : comoving side of the periodic box [Mpc/h].
    particles : particles per side.
    mesh_factor : force mesh points per particle spacing: 1 or 2, more for a reference.
    gradient : of the potential: "spectral" (exact for each Fourier mode) or "finite_difference" (4 points, softer and
        with half the transforms).

    Raises
    ------
    ValueError
        If a value is not among those allowed.
    """

    box_size: float
    particles: int
    mesh_factor: int = 1
    gradient: Literal["spectral", "finite_difference"] = "spectral"

    def __post_init__(self) -> None:
        if not self.box_size > 0:
            raise ValueError(f"box_size = {self.box_size}: give a positive length in Mpc/h")
        if self.particles < 4 or self.particles % 2:
            raise ValueError(f"particles = {self.particles}: give an even number of particles per side, 4 or more")
        if self.mesh_factor < 1:
            raise ValueError(f"mesh_factor = {self.mesh_factor}: give 1 or more mesh points per particle spacing")
        if self.gradient not in ("spectral", "finite_difference"):
            raise ValueError(f"gradient = {self.gradient!r}: give 'spectral' or 'finite_difference'")

    @property
    def mesh_size(self) -> int:
        """Force mesh points per side."""
        return self.particles * self.mesh_factor

    @property
    def cell_size(self) -> float:
        """Spacing of the force mesh [Mpc/h]."""
        return self.box_size / self.mesh_size

    @property
    def lattice(self) -> Float32[Array, "3 particle"]:
        """Lagrangian positions [Mpc/h]."""
        points = jnp.arange(self.particles, dtype=jnp.float32) * (self.box_size / self.particles)
        return jnp.stack(jnp.meshgrid(points, points, points, indexing="ij")).reshape(3, -1)


class Particles(eqx.Module):
    """State of a simulation.

    Attributes
    ----------
    displacement : from the lattice [Mpc/h].
    momentum : a^2 dx/dt [H0 Mpc/h].
    """

    displacement: Float32[Array, "3 particle"]
    momentum: Float32[Array, "3 particle"]

    def position(self, mesh: ParticleMesh) -> Float32[Array, "3 particle"]:
        """Comoving positions [Mpc/h], not wrapped."""
        return mesh.lattice + self.displacement
