"""Reference simulations that a correction learns to reproduce, and simulations of the same start.

A reference follows the same particles with more resolution. It comes from an N-body code
(`lenscast.io.read_snapshot`) or from the particle mesh itself, on a finer mesh and with more steps (`finer`,
`particle_mesh_reference`). `snapshots` runs the simulation that is compared with it.
"""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from lenscast.corrections.method import Correction, corrected
from lenscast.corrections.network import HPN
from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.gravity.forces import gradient_wavenumbers
from lenscast.gravity.initial import linear_field
from lenscast.gravity.lpt import lpt
from lenscast.gravity.mesh import Particles
from lenscast.gravity.nbody import nbody
from lenscast.sections.box import FixedSteps, Integrator, ParticleMesh
from lenscast.sections.training import ParticleMeshReference, ReferenceDescription
from lenscast.streams import INITIAL_FIELD, box_key


class Reference(eqx.Module):
    """A simulation to reproduce.

    Attributes
    ----------
    start
        Particles at a[0].
    position
        Comoving positions at a[1:] [Mpc/h].
    a
        Increasing scale factors.
    cosmology
        Cosmology of the simulation.
    mesh
        Box, number of particles, and the force mesh of the simulation that is to reproduce this one.
    weight
        Weight of its loss in a training.
    """

    start: Particles
    position: Float32[Array, "snapshot 3 particle"]
    a: Float[Array, " time"]
    cosmology: Cosmology
    mesh: ParticleMesh = eqx.field(static=True)
    weight: float = eqx.field(static=True, default=1.0)


def linear_density(reference: Reference) -> Float32[Array, "x y z"]:
    """Linear overdensity today of the box of a reference, from the displacements of its start.

    Their divergence is -D1 delta, and second order in the density of the start, which is small.
    """
    n, mesh = reference.mesh.particles, reference.mesh
    displacement = jnp.fft.rfftn(reference.start.displacement.reshape(3, n, n, n), axes=(1, 2, 3))
    wavevector = gradient_wavenumbers(n, mesh.box_size / n)
    divergence = sum(1j * k * component for k, component in zip(wavevector, displacement, strict=True))
    D1 = reference.cosmology.growth.D1(reference.a[0]).astype(jnp.float32)
    return -jnp.fft.irfftn(divergence, s=(n, n, n)) / D1


class Refinement(NamedTuple):
    """What a reference has more of than the simulation that is trained.

    Attributes
    ----------
    mesh_factor
        Force mesh points per particle spacing; 4 or more.
    integrator
        Time integration, with more steps.
    sharpening
        Gain of the potential near the fine mesh, beyond the windows that are undone: a constant for the network of HPN.
    """

    mesh_factor: int
    integrator: Integrator
    sharpening: float = 0.0


def finer(
    start: Particles, a: Float[Array, " time"], cosmology: Cosmology, mesh: ParticleMesh, refinement: Refinement
) -> Reference:
    """A reference from the particle mesh itself: the same particles on a finer mesh, whose windows are undone.

    Parameters
    ----------
    start
        Particles at a[0], from `lpt` on the mesh below.
    a
        Scale factors: the start, then those of the snapshots.
    cosmology
        Cosmology of the simulation.
    mesh
        Box, number of particles and force mesh of the simulation that is trained.
    refinement
        Resolution of the reference.
    """
    mesh_factor, integrator, sharpening = refinement
    fine = ParticleMesh(
        box_size=mesh.box_size, particles=mesh.particles, mesh_factor=mesh_factor, gradient=mesh.gradient
    )
    # An untrained HPN undoes the windows of the clouds and nothing else, so that its ln sigma range does not matter.
    windows = HPN.initial(jax.random.key(0), (-1.0, 1.0))
    windows = eqx.tree_at(lambda hpn: hpn.layers[-1][1], windows, jnp.full(1, sharpening, jnp.float32))

    @jax.jit
    def simulated(start: Particles, cosmology: Cosmology) -> Array:
        method = windows.method(fine, integrator, cosmology)
        return nbody(start, a, cosmology, method, save=lambda state: state.position(fine))

    return Reference(start, simulated(start, cosmology), a, cosmology, mesh)


def particle_mesh_reference(description: ReferenceDescription, wanted: ParticleMeshReference) -> Reference:
    """A reference from the particle mesh itself, as a config of a training describes it.

    Parameters
    ----------
    description
        Cosmology, snapshots and start.
    wanted
        Box, matter density, seed, and resolution of the reference.
    """
    start = description.simulation
    values = description.cosmology.model_dump() | {"Omega_c": wanted.Omega_m - description.cosmology.Omega_b}
    cosmos, mesh = cosmology(Parameters.of(values)), start.mesh(wanted.box_size, wanted.particles)
    field = linear_field(box_key(wanted.seed, INITIAL_FIELD), cosmos.power, mesh)
    a = jnp.array([start.a_start, *description.a])
    particles = lpt(field, float(a[0]), cosmos, mesh, start.lpt_order)
    steps = FixedSteps(kind="bullfrog", steps=wanted.steps)
    return finer(particles, a, cosmos, mesh, Refinement(wanted.mesh_factor, steps, wanted.sharpening))


@partial(jax.jit, static_argnames="integrator")
def snapshots(
    reference: Reference, integrator: Integrator, correction: Correction | None = None
) -> Float32[Array, "snapshot 3 particle"]:
    """Positions of a simulation from the start of a reference, at the snapshots of the reference [Mpc/h].

    Parameters
    ----------
    reference
        Gives start, scale factors, cosmology and mesh.
    integrator
        Time integration.
    correction
        Correction of small scales; None for the particle mesh as it is.
    """
    mesh = reference.mesh

    def save(state: Particles) -> Array:
        return state.position(mesh)

    method = corrected(correction, mesh, integrator, reference.cosmology, field=linear_density(reference))
    return nbody(reference.start, reference.a, reference.cosmology, method, save=save)
