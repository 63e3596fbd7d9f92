"""Simulations that a correction is to reproduce: the same particles, followed with more resolution.

They come from an N-body code (`lenscast.io.read_snapshot`) or from the particle mesh itself, on a finer mesh and with
more steps (`finer`).
"""

import equinox as eqx
import jax
from jaxtyping import Array, Float, Float32, Key

from lenscast.cosmology import Cosmology
from lenscast.gravity.correction import HPN
from lenscast.gravity.initial import linear_field
from lenscast.gravity.lpt import lpt
from lenscast.gravity.mesh import ParticleMesh, Particles
from lenscast.gravity.nbody import Integrator, nbody

__all__ = ["Reference", "finer"]


class Reference(eqx.Module):
    """A simulation to be reproduced.

    Attributes
    ----------
    start : particles at a[0].
    position : comoving positions at a[1:] [Mpc/h].
    a : increasing scale factors.
    cosmology : of the simulation.
    mesh : box, number of particles, and the mesh of the simulation that is to reproduce it.
    weight : of its loss in a training.
    """

    start: Particles
    position: Float32[Array, "snapshot 3 particle"]
    a: Float[Array, " time"]
    cosmology: Cosmology
    mesh: ParticleMesh = eqx.field(static=True)
    weight: float = eqx.field(static=True, default=1.0)


def finer(
    key: Key[Array, ""],
    a: Float[Array, " time"],
    cosmology: Cosmology,
    mesh: ParticleMesh,
    lpt_order: int,
    mesh_factor: int,
    integrator: Integrator,
) -> Reference:
    """A reference from the particle mesh itself: the same particles on a finer mesh, whose windows are undone.

    Parameters
    ----------
    key : of the linear field.
    a : scale factors: the start, then those of the snapshots.
    cosmology : of the simulation.
    mesh : that is to be trained.
    lpt_order : of the start.
    mesh_factor : mesh points of the reference per particle spacing; 4 or more.
    integrator : of the reference; it needs more steps than what is trained.
    """
    start = lpt(linear_field(key, cosmology.power, mesh), float(a[0]), cosmology, mesh, lpt_order)
    fine = ParticleMesh(mesh.box_size, mesh.particles, mesh_factor, mesh.gradient)
    windows = HPN.initial(jax.random.key(0), (-1.0, 1.0))

    @jax.jit
    def simulated(start: Particles, cosmology: Cosmology) -> Array:
        return nbody(start, a, cosmology, fine, integrator, windows, save=lambda state: state.position(fine))

    return Reference(start, simulated(start, cosmology), a, cosmology, mesh)
