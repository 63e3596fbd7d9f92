"""From a seed and parameters to convergence maps: one box, several skies.

Convention: `jax.random.key(seed)` is the root of a box; what is random in it folds in a fixed stream number, so that a
new stream moves no old one and a realisation is the same whatever others are made with it.
"""

from dataclasses import dataclass
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.gravity import Correction, Integrator, ParticleMesh, integrator_of, linear_field, lpt
from lenscast.lensing import (
    AlignmentModel,
    Lightcone,
    Orientation,
    Sources,
    Systematics,
    Weights,
    convergence,
    density_planes,
    look,
    orientation,
    plane_weights,
    shape_noise,
    with_feedback,
)

__all__ = ["Simulation", "box_planes", "box_weights", "convergence_maps", "noise_maps", "view"]

INITIAL_FIELD, ORIENTATION, SHAPE_NOISE = range(3)


@dataclass(frozen=True)
class Simulation:
    """All that fixes the maps of a box but for its seed and the parameters.

    Attributes
    ----------
    mesh : box, number of particles and force mesh.
    a_start : scale factor of the start.
    lpt_order : order of Lagrangian perturbation theory at the start.
    integrator : time integration.
    lightcone : planes and maps.
    ray_tracing : whether planes deflect the light on its way; without, the Born approximation.
    sources : redshifts of the sources.
    alignment : constants of intrinsic alignments.
    realisations : maps per box.
    noise_size : points per side of the white noise behind the initial field, see `linear_field`.
    """

    mesh: ParticleMesh
    a_start: float
    lpt_order: int
    integrator: Integrator
    lightcone: Lightcone
    ray_tracing: bool
    sources: Sources
    alignment: AlignmentModel
    realisations: int
    noise_size: int | None = None

    @classmethod
    def from_config(cls, simulation: Any, lightcone: Any, sources: Sources, alignment: AlignmentModel) -> "Simulation":
        """Simulation of the sections `simulation` and `lightcone` of a config."""
        return cls(
            mesh=ParticleMesh(simulation.box_size, simulation.particles, simulation.mesh_factor, simulation.gradient),
            a_start=simulation.a_start,
            lpt_order=simulation.lpt_order,
            integrator=integrator_of(**simulation.integrator.model_dump()),
            lightcone=Lightcone(
                simulation.box_size,
                lightcone.slabs_per_box,
                lightcone.planes,
                lightcone.plane_mesh,
                lightcone.field_deg,
                lightcone.pixels,
            ),
            ray_tracing=lightcone.projection == "ray_tracing",
            sources=sources,
            alignment=alignment,
            realisations=lightcone.realisations_per_box,
        )


def box_planes(
    seed: Int[Array, ""] | int,
    cosmos: Cosmology,
    simulation: Simulation,
    correction: Correction | None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "plane 3 slab mesh mesh"]:
    """Lens planes of a box, without baryons.

    Parameters
    ----------
    seed, simulation, correction, adjoint : as of `convergence_maps`.
    cosmos : cosmology.
    """
    noise = jax.random.fold_in(jax.random.key(seed), INITIAL_FIELD)
    field = linear_field(noise, cosmos.power, simulation.mesh, simulation.noise_size)
    start = lpt(field, simulation.a_start, cosmos, simulation.mesh, simulation.lpt_order)
    return density_planes(
        start,
        simulation.a_start,
        cosmos,
        simulation.mesh,
        simulation.integrator,
        simulation.lightcone,
        correction,
        adjoint,
    )


def box_weights(cosmos: Cosmology, systematics: Systematics, simulation: Simulation) -> Weights:
    """What the planes do to the light of the sources.

    Parameters
    ----------
    cosmos : cosmology.
    systematics, simulation : as of `convergence_maps`.
    """
    return plane_weights(simulation.sources, systematics, cosmos, simulation.lightcone, simulation.alignment)


def view(seed: Int[Array, ""] | int, number: Int[Array, ""], simulation: Simulation) -> Orientation:
    """How a realisation of the sky sees the planes of a box.

    Parameters
    ----------
    seed : of the box.
    number : of the realisation.
    simulation : planes.
    """
    return orientation(_stream(jax.random.key(seed), ORIENTATION, number), simulation.lightcone)


def convergence_maps(
    seed: Int[Array, ""] | int,
    parameters: Parameters,
    systematics: Systematics,
    simulation: Simulation,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "map source y x"]:
    """Noise-free convergence maps of one box, one per realisation.

    Lensing and intrinsic alignments make them; the multiplicative bias of shear is not in them: `summarise` applies it.

    Parameters
    ----------
    seed : of the box.
    parameters : cosmological parameters.
    systematics : nuisance parameters.
    simulation : everything else.
    correction : of small scales, see `nbody`.
    adjoint : how diffrax differentiates the N-body solve; forward mode by default, see `nbody`.
    """
    cosmos = cosmology(parameters)
    bare = box_planes(seed, cosmos, simulation, correction, adjoint)
    planes = with_feedback(bare, cosmos, systematics.log10_T_AGN, simulation.lightcone)
    weights = box_weights(cosmos, systematics, simulation)

    def realisation(number: Int[Array, ""]) -> Float32[Array, "source y x"]:
        seen = look(
            planes, view(seed, number, simulation), weights.strength, simulation.lightcone, simulation.ray_tracing
        )
        return convergence(seen, weights)

    return jax.lax.map(realisation, jnp.arange(simulation.realisations))


def noise_maps(
    seed: Int[Array, ""] | int,
    realisation: Int[Array, ""] | int,
    draw: Int[Array, ""] | int,
    shape: tuple[int, ...],
    rms: Float32[Array, "source _ _"],
) -> Float32[Array, "source y x"]:
    """Shape noise of one map, independent of the density field and of the other maps.

    Parameters
    ----------
    seed : of the box.
    realisation : of the sky, as in `convergence_maps`.
    draw : number of the noise realisation on this map.
    shape : (source, y, x).
    rms : per pixel, of each source; 0 where masked.
    """
    key = _stream(jax.random.key(seed), SHAPE_NOISE, realisation)
    return shape_noise(jax.random.fold_in(key, draw), shape, rms)


def _stream(key: Key[Array, ""], stream: int, number: Int[Array, ""] | int) -> Key[Array, ""]:
    return jax.random.fold_in(jax.random.fold_in(key, stream), number)
