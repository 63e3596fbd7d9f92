"""From a seed and cosmological parameters to convergence maps and their tangents: one box, several skies.

Convention: `jax.random.key(seed)` is the root of a box; what is random in it folds in a fixed stream number, so that a
new stream moves no old one and a realisation is the same whatever others are made with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.gravity import Correction, Integrator, ParticleMesh, integrator_of, linear_field, lpt
from lenscast.lensing import (
    Lightcone,
    convergence_born,
    density_planes,
    lensing_weights,
    orientation,
    shape_noise,
    sky,
)

__all__ = ["MapsAndTangents", "Simulation", "convergence_maps", "maps_and_tangents", "noise_maps"]

INITIAL_FIELD, ORIENTATION, SHAPE_NOISE = range(3)


@dataclass(frozen=True)
class Simulation:
    """All that fixes the maps of a box but for its seed and the cosmology.

    Attributes
    ----------
    mesh : box, number of particles and force mesh.
    a_start : scale factor of the start.
    lpt_order : order of Lagrangian perturbation theory at the start.
    integrator : time integration.
    lightcone : planes and maps.
    z_source : redshifts of the sources.
    realisations : maps per box.
    noise_size : points per side of the white noise behind the initial field, see `linear_field`.
    """

    mesh: ParticleMesh
    a_start: float
    lpt_order: int
    integrator: Integrator
    lightcone: Lightcone
    z_source: tuple[float, ...]
    realisations: int
    noise_size: int | None = None

    @classmethod
    def from_config(cls, simulation: Any, lightcone: Any, z_source: Sequence[float]) -> "Simulation":
        """Simulation of the sections `simulation` and `lightcone` of a config, and the redshifts of its survey."""
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
            z_source=tuple(z_source),
            realisations=lightcone.realisations_per_box,
        )


class MapsAndTangents(NamedTuple):
    """Convergence maps of a box and their derivatives with respect to the parameters."""

    kappa: Float32[Array, "map source y x"]
    tangents: Float32[Array, "map param source y x"]


def convergence_maps(
    seed: Int[Array, ""] | int,
    parameters: Parameters,
    simulation: Simulation,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "map source y x"]:
    """Noise-free convergence maps of one box, one per realisation.

    Parameters
    ----------
    seed : of the box.
    parameters : cosmological parameters.
    simulation : everything else.
    correction : of small scales, see `nbody`.
    adjoint : how diffrax differentiates the N-body solve; forward mode by default, see `nbody`.
    """
    key = jax.random.key(seed)
    cosmos = cosmology(parameters)
    field = linear_field(jax.random.fold_in(key, INITIAL_FIELD), cosmos.power, simulation.mesh, simulation.noise_size)
    start = lpt(field, simulation.a_start, cosmos, simulation.mesh, simulation.lpt_order)
    planes = density_planes(
        start,
        simulation.a_start,
        cosmos,
        simulation.mesh,
        simulation.integrator,
        simulation.lightcone,
        correction,
        adjoint,
    )
    weights = lensing_weights(jnp.array(simulation.z_source), cosmos, simulation.lightcone)

    def realisation(number: Int[Array, ""]) -> Float32[Array, "source y x"]:
        view = orientation(_stream(key, ORIENTATION, number), simulation.lightcone)
        return convergence_born(sky(planes, view, simulation.lightcone), weights)

    return jax.lax.map(realisation, jnp.arange(simulation.realisations))


def maps_and_tangents(
    seed: Int[Array, ""] | int,
    parameters: Parameters,
    simulation: Simulation,
    names: tuple[str, ...],
    correction: Correction | None = None,
) -> MapsAndTangents:
    """Convergence maps of one box with their derivatives, in forward mode: one simulation for all statistics.

    Parameters
    ----------
    seed : of the box.
    parameters : cosmological parameters.
    simulation : everything else.
    names : parameters to differentiate with respect to, the order of the axis ``param``.
    correction : of small scales, see `nbody`; it follows cosmology too.

    Raises
    ------
    ValueError
        If a name is not a cosmological parameter.
    """

    def along(tangent: Parameters) -> tuple[Array, Array]:
        return jax.jvp(lambda p: convergence_maps(seed, p, simulation, correction), (parameters,), (tangent,))

    kappa, tangents = jax.vmap(along, out_axes=(None, 1))(basis(parameters, names))
    return MapsAndTangents(kappa, tangents)


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
