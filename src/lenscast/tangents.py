"""Maps with their derivatives, in forward mode: one simulation for all statistics.

Convention: a tangent starts where its parameter enters. Those of cosmology go through the whole simulation; that of
feedback starts in the planes, and those of alignments and redshifts in the weights of the planes, in which maps are
linear. The derivative by the calibration of a source is its map itself, and not stored.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Int

from lenscast.cosmology import PARAMETER_NAMES, Cosmology, Parameters, basis, cosmology
from lenscast.gravity import Correction
from lenscast.lensing import Seen, Systematics, Weights, convergence, look, with_feedback
from lenscast.simulate import Simulation, box_planes, box_weights, view

__all__ = ["MapsAndTangents", "maps_and_tangents"]

WEIGHTED = ("A_IA", "eta", "delta_z")
"""Parameters that enter the weights of the planes."""


class MapsAndTangents(NamedTuple):
    """Convergence maps of a box and their derivatives with respect to the parameters.

    `tangents` are those of the parameters that all sources share, `shifts` those of each source with respect to the
    shift of its own redshifts; None where they were not asked for.
    """

    kappa: Float32[Array, "map source y x"]
    tangents: Float32[Array, "map param source y x"]
    shifts: Float32[Array, "map source y x"] | None


def maps_and_tangents(
    seed: Int[Array, ""] | int,
    parameters: Parameters,
    systematics: Systematics,
    simulation: Simulation,
    names: tuple[str, ...],
    correction: Correction | None = None,
) -> MapsAndTangents:
    """Convergence maps of one box with their derivatives, in forward mode: one simulation for all statistics.

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
    lightcone = simulation.lightcone

    def lens(p: Parameters) -> tuple[Any, Any]:
        cosmos = cosmology(p)
        bare = box_planes(seed, cosmos, simulation, correction)
        planes = with_feedback(bare, cosmos, systematics.log10_T_AGN, lightcone)
        return (planes, box_weights(cosmos, systematics, simulation)), (bare, cosmos)

    def along(unit: Parameters) -> tuple[Any, Any, Any]:
        return jax.jvp(lens, (parameters,), (unit,), has_aux=True)

    (planes, weights), early_dots, (bare, cosmos) = jax.vmap(along, out_axes=(None, 0, None))(
        basis(parameters, cosmological)
    )
    weight_dots = {name: _weight_tangent(name, cosmos, systematics, simulation) for name in late if name in WEIGHTED}
    plane_dots = {}
    if "log10_T_AGN" in late:
        feedback = (systematics.log10_T_AGN,)
        _, plane_dots["log10_T_AGN"] = jax.jvp(
            lambda T: with_feedback(bare, cosmos, T, lightcone), feedback, (jnp.ones(()),)
        )

    def realisation(number: Int[Array, ""]) -> tuple[Array, dict[str, Array]]:
        orientation = view(seed, number, simulation)

        def kappa_and_seen(planes: Array, weights: Weights) -> tuple[Array, Seen]:
            seen = look(planes, orientation, weights.strength, lightcone, simulation.ray_tracing)
            return convergence(seen, weights), seen

        def early(dots: tuple[Array, Weights]) -> tuple[Array, Array, Seen]:
            return jax.jvp(kappa_and_seen, (planes, weights), dots, has_aux=True)

        kappa, tangents, seen = jax.vmap(early, out_axes=(None, 0, None))(early_dots)
        rows = dict(zip(cosmological, tangents, strict=True))
        rows |= {name: convergence(seen, dot) for name, dot in weight_dots.items()}  # kappa is linear in weights
        for name, dot in plane_dots.items():
            rows[name] = jax.jvp(lambda moved: kappa_and_seen(moved, weights)[0], (planes,), (dot,))[1]
        return kappa, rows

    kappa, rows = jax.lax.map(realisation, jnp.arange(simulation.realisations))
    shifts = rows.pop("delta_z", None)
    return MapsAndTangents(kappa, jnp.stack([rows[name] for name in names if name in rows], axis=1), shifts)


def _sorted_names(names: tuple[str, ...], systematics: Systematics) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cosmological parameters among the names, and the others, in order: a set would make another program each time."""
    cosmological = tuple(name for name in names if name in PARAMETER_NAMES)
    late = tuple(name for name in names if name not in cosmological)
    allowed = set(WEIGHTED) | ({"log10_T_AGN"} if systematics.log10_T_AGN is not None else set())
    if set(late) - allowed or not cosmological:
        raise ValueError(
            f"derivatives with respect to {', '.join(names)}: give one or more of {', '.join(PARAMETER_NAMES)}, and "
            f"then some of {', '.join(sorted(allowed))}"
        )
    return cosmological, late


def _weight_tangent(name: str, cosmos: Cosmology, systematics: Systematics, simulation: Simulation) -> Weights:
    """Derivative of the weights with respect to a nuisance parameter; of each source's, to that of this source."""
    value = getattr(systematics, name)

    def moved(x: Float[Array, "..."]) -> Weights:
        return box_weights(cosmos, eqx.tree_at(lambda s: getattr(s, name), systematics, x), simulation)

    return jax.jvp(moved, (value,), (jnp.ones_like(value),))[1]
