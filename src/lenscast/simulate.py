"""From a seed and cosmological parameters to convergence maps and their tangents: one box, several skies.

Convention: `jax.random.key(seed)` is the root of a box; what is random in it folds in a fixed stream number, so that a
new stream moves no old one and a realisation is the same whatever others are made with it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Int, Key

from lenscast.cosmology import PARAMETER_NAMES, Cosmology, Parameters, baryon_suppression, basis, cosmology
from lenscast.gravity import Correction, Integrator, ParticleMesh, integrator_of, linear_field, lpt
from lenscast.lensing import (
    AlignmentModel,
    DeflectedSky,
    Lightcone,
    Orientation,
    Sources,
    Systematics,
    Weights,
    convergence_born,
    deflected_sky,
    density_planes,
    orientation,
    plane_weights,
    shape_noise,
    sky,
    suppressed,
    suppression_wavenumbers,
)

__all__ = ["MapsAndTangents", "Simulation", "convergence_maps", "maps_and_tangents", "noise_maps"]

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


class MapsAndTangents(NamedTuple):
    """Convergence maps of a box and their derivatives with respect to the parameters.

    `tangents` are those of the parameters that all sources share, `shifts` those of each source with respect to the
    shift of its own redshifts; None where they were not asked for.
    """

    kappa: Float32[Array, "map source y x"]
    tangents: Float32[Array, "map param source y x"]
    shifts: Float32[Array, "map source y x"] | None


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
    planes = _with_baryons(
        _planes(seed, cosmos, simulation, correction, adjoint), cosmos, systematics.log10_T_AGN, simulation
    )
    of_planes = _weights(cosmos, systematics, simulation)

    def realisation(number: Int[Array, ""]) -> Float32[Array, "source y x"]:
        seen = _look(planes, of_planes.strength, _view(seed, number, simulation), simulation)
        return _convergence(seen, of_planes)

    return jax.lax.map(realisation, jnp.arange(simulation.realisations))


def maps_and_tangents(
    seed: Int[Array, ""] | int,
    parameters: Parameters,
    systematics: Systematics,
    simulation: Simulation,
    names: tuple[str, ...],
    correction: Correction | None = None,
) -> MapsAndTangents:
    """Convergence maps of one box with their derivatives, in forward mode: one simulation for all statistics.

    Tangents start where their parameter enters: those of cosmology in the initial field, that of feedback in the
    planes, those of alignments and redshifts in the weights of the planes.

    Parameters
    ----------
    seed : of the box.
    parameters : cosmological parameters.
    systematics : nuisance parameters.
    simulation : everything else.
    names : parameters to differentiate with respect to: cosmological ones, at least one, and of the nuisance
        parameters A_IA, eta and log10_T_AGN, in the order of the axis ``param``; delta_z for the shifts.
    correction : of small scales, see `nbody`; it follows cosmology too.

    Raises
    ------
    ValueError
        If a name is not such a parameter, or none is cosmological.
    """
    cosmological, late = _sorted_names(names, systematics)

    def lens(p: Parameters) -> tuple[Any, Any]:
        cosmos = cosmology(p)
        bare = _planes(seed, cosmos, simulation, correction)
        planes = _with_baryons(bare, cosmos, systematics.log10_T_AGN, simulation)
        return (planes, _weights(cosmos, systematics, simulation)), (bare, cosmos)

    def along(unit: Parameters) -> tuple[Any, Any, Any]:
        return jax.jvp(lens, (parameters,), (unit,), has_aux=True)

    (planes, of_planes), early_dots, (bare, cosmos) = jax.vmap(along, out_axes=(None, 0, None))(
        basis(parameters, cosmological)
    )
    weight_dots = {name: _weight_tangent(name, cosmos, systematics, simulation) for name in late - {"log10_T_AGN"}}
    plane_dots = {}
    if "log10_T_AGN" in late:
        feedback = (systematics.log10_T_AGN,)
        _, plane_dots["log10_T_AGN"] = jax.jvp(
            lambda T: _with_baryons(bare, cosmos, T, simulation), feedback, (jnp.ones(()),)
        )

    def realisation(number: Int[Array, ""]) -> tuple[Array, dict[str, Array]]:
        view = _view(seed, number, simulation)

        def kappa_and_seen(planes: Array, of_planes: Weights) -> tuple[Array, DeflectedSky]:
            seen = _look(planes, of_planes.strength, view, simulation)
            return _convergence(seen, of_planes), seen

        def early(dots: tuple[Array, Weights]) -> tuple[Array, Array, DeflectedSky]:
            return jax.jvp(kappa_and_seen, (planes, of_planes), dots, has_aux=True)

        kappa, tangents, seen = jax.vmap(early, out_axes=(None, 0, None))(early_dots)
        rows = dict(zip(cosmological, tangents, strict=True))
        rows |= {name: _convergence(seen, dot) for name, dot in weight_dots.items()}  # kappa is linear in weights
        for name, dot in plane_dots.items():
            rows[name] = jax.jvp(lambda moved: kappa_and_seen(moved, of_planes)[0], (planes,), (dot,))[1]
        return kappa, rows

    kappa, rows = jax.lax.map(realisation, jnp.arange(simulation.realisations))
    shifts = rows.pop("delta_z", None)
    return MapsAndTangents(kappa, jnp.stack([rows[name] for name in names if name in rows], axis=1), shifts)


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


def _planes(
    seed: Int[Array, ""] | int,
    cosmos: Cosmology,
    simulation: Simulation,
    correction: Correction | None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "plane 3 slab mesh mesh"]:
    """Lens planes of a box, without baryons."""
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


def _with_baryons(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    cosmos: Cosmology,
    log10_T_AGN: Float[Array, ""] | None,
    simulation: Simulation,
) -> Float32[Array, "plane 3 slab mesh mesh"]:
    """Lens planes with the feedback of baryons, if there are any."""
    if log10_T_AGN is None:
        return planes
    lightcone = simulation.lightcone
    a = cosmos.distances.scale_factor(jnp.asarray(lightcone.chi))
    k = jnp.asarray(suppression_wavenumbers(lightcone))
    return suppressed(planes, baryon_suppression(k, a, cosmos, log10_T_AGN), lightcone)


def _weights(cosmos: Cosmology, systematics: Systematics, simulation: Simulation) -> Weights:
    """What the planes do to the light of the sources."""
    return plane_weights(simulation.sources, systematics, cosmos, simulation.lightcone, simulation.alignment)


def _view(seed: Int[Array, ""] | int, number: Int[Array, ""], simulation: Simulation) -> Orientation:
    """How a realisation of the sky sees the planes of a box."""
    return orientation(_stream(jax.random.key(seed), ORIENTATION, number), simulation.lightcone)


def _look(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    strength: Float[Array, " plane"],
    view: Orientation,
    simulation: Simulation,
) -> DeflectedSky:
    """What the rays of all pixels meet."""
    if simulation.ray_tracing:
        return deflected_sky(planes, view, strength, simulation.lightcone)
    straight = sky(planes, view, simulation.lightcone)
    return DeflectedSky(straight, straight)


def _convergence(seen: DeflectedSky, of_planes: Weights) -> Float32[Array, "source y x"]:
    """Lensing and alignments together; linear in the weights."""
    return convergence_born(seen.lensing, of_planes.lensing) + convergence_born(seen.matter, of_planes.alignment)


def _sorted_names(names: tuple[str, ...], systematics: Systematics) -> tuple[tuple[str, ...], set[str]]:
    """Cosmological parameters among the names, and the others."""
    cosmological = tuple(name for name in names if name in PARAMETER_NAMES)
    late = set(names) - set(cosmological)
    allowed = {"A_IA", "eta", "delta_z"} | ({"log10_T_AGN"} if systematics.log10_T_AGN is not None else set())
    if late - allowed or not cosmological:
        raise ValueError(
            f"derivatives with respect to {', '.join(names)}: give one or more of {', '.join(PARAMETER_NAMES)}, and "
            f"then some of {', '.join(sorted(allowed))}"
        )
    return cosmological, late


def _weight_tangent(name: str, cosmos: Cosmology, systematics: Systematics, simulation: Simulation) -> Weights:
    """Derivative of the weights with respect to a nuisance parameter; of each source's, to that of this source."""
    value = getattr(systematics, name)

    def moved(x: Float[Array, "..."]) -> Weights:
        return _weights(cosmos, eqx.tree_at(lambda s: getattr(s, name), systematics, x), simulation)

    return jax.jvp(moved, (value,), (jnp.ones_like(value),))[1]
