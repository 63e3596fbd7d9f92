"""Particles of a simulation and the lattice they start from.

Convention: arrays of particles have their components first and the particles in Lagrangian order: particle
(i N + j) N + k starts from the lattice point (i, j, k) box_size / N. Lattice points coincide with mesh points. The
resolution of a simulation is the section `ParticleMesh` of `lenscast.sections.box`.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float32

from lenscast.sections.box import ParticleMesh


def lattice(mesh: ParticleMesh) -> Float32[Array, "3 particle"]:
    """Lagrangian positions of the particles [Mpc/h]."""
    points = jnp.arange(mesh.particles, dtype=jnp.float32) * (mesh.box_size / mesh.particles)
    return jnp.stack(jnp.meshgrid(points, points, points, indexing="ij")).reshape(3, -1)


class Particles(eqx.Module):
    """State of a simulation.

    Particles carry displacements instead of positions: float32 resolves a displacement of a few Mpc/h better than a
    position somewhere in the box, and a displacement needs no wrapping.

    Attributes
    ----------
    displacement
        Comoving displacement from the lattice [Mpc/h].
    momentum
        a^2 dx/dt [H0 Mpc/h].
    """

    displacement: Float32[Array, "3 particle"]
    momentum: Float32[Array, "3 particle"]

    def position(self, mesh: ParticleMesh) -> Float32[Array, "3 particle"]:
        """Comoving positions, not wrapped [Mpc/h]."""
        return lattice(mesh) + self.displacement
