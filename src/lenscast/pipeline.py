"""The pipeline in five steps, from a seed and the parameters to a Fisher forecast.

1. `box`: a seed and the parameters theta -> lens planes of an N-body box, and the lensing kernels of the planes.
2. `look`: lens planes and a view of them -> convergence kappa of each source; `maps` is both steps for a whole box.
3. `tangents`: kappa and d kappa / d theta, for each parameter from where it enters the model.
4. `measure`: kappa and its tangents -> data vector (summary) and Jacobian; `summarise` without tangents.
5. `forecast`: summaries and Jacobians of many boxes -> Fisher matrices, errors and verdicts.

Everything random follows from the seed (`streams`), everything else from theta and the `Experiment`.
"""

from collections.abc import Sequence

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int

from lenscast.corrections import Correction, corrected
from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.fisher.data_vector import Forecast, Jacobians, ParameterSpace, SummarySample, data_vector_forecast
from lenscast.gravity import linear_field, lpt
from lenscast.lensing import (
    Kernels,
    View,
    VisiblePlanes,
    convergence,
    density_planes,
    draw_view,
    sky,
    with_feedback,
)
from lenscast.measurement import expected_and_jacobian as measure
from lenscast.measurement import summarise
from lenscast.model import Box, MapsAndTangents, Theta, fiducial, kernels, nuisance_derivative
from lenscast.parameters import COSMOLOGICAL, PARAMETERS
from lenscast.sections.lightcone import Lightcone
from lenscast.streams import INITIAL_FIELD, VIEW, box_key, stream_key

__all__ = [
    "Box",
    "MapsAndTangents",
    "Theta",
    "box",
    "fiducial",
    "forecast",
    "look",
    "maps",
    "measure",
    "summarise",
    "tangents",
]

Seed = Int[Array, ""] | int


def box(
    seed: Seed,
    theta: Theta,
    experiment: Experiment,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Box:
    """Step 1: evolve a box of particles, and cut lens planes from it when the light crosses them.

    `correction` repairs small scales and follows cosmology too; `adjoint` says how diffrax differentiates the N-body
    solve (`nbody`), forward mode by default.
    """
    cosmos, simulation, lightcone = cosmology(theta.cosmology), experiment.simulation, experiment.lightcone
    field = linear_field(box_key(seed, INITIAL_FIELD), cosmos.power, simulation, simulation.noise_size)
    start = lpt(field, simulation.a_start, cosmos, simulation, simulation.lpt_order)
    method = corrected(correction, simulation, simulation.integrator, cosmos)
    bare = density_planes(start, simulation.a_start, cosmos, method, lightcone, adjoint)
    planes = with_feedback(bare, cosmos, theta.systematics.log10_T_AGN, lightcone)
    return Box(planes, kernels(theta.systematics, cosmos, experiment), bare, cosmos)


def look(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    plane_kernels: Kernels,
    seed: Seed,
    realisation: Seed,
    experiment: Experiment,
) -> tuple[Float32[Array, "source y x"], VisiblePlanes]:
    """Step 2: kappa of each source as one realisation of the sky shows it, and what its rays meet on the planes."""
    view = draw_view(stream_key(seed, VIEW, realisation), experiment.lightcone)
    return _along(view, planes, plane_kernels, experiment.lightcone)


def _along(
    view: View, planes: Float32[Array, "plane 3 slab mesh mesh"], plane_kernels: Kernels, lightcone: Lightcone
) -> tuple[Float32[Array, "source y x"], VisiblePlanes]:
    """What `look` returns, for a view that is drawn already."""
    visible = sky.look(planes, view, plane_kernels.strength, lightcone)
    return convergence(visible, plane_kernels), visible


def maps(
    seed: Seed,
    theta: Theta,
    experiment: Experiment,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "map source y x"]:
    """Steps 1 and 2: noise-free convergence maps of a box, one for each realisation. Arguments as for `box`."""
    simulated = box(seed, theta, experiment, correction, adjoint)

    def realisation(number: Int[Array, ""]) -> Float32[Array, "source y x"]:
        return look(simulated.planes, simulated.kernels, seed, number, experiment)[0]

    return jax.lax.map(realisation, jnp.arange(experiment.lightcone.realisations_per_box))


def tangents(seed: Seed, theta: Theta, experiment: Experiment, correction: Correction | None = None) -> MapsAndTangents:
    """Step 3: maps of a box with their derivatives, in forward mode. Arguments as for `box`.

    Tangents of cosmological parameters go through the whole simulation. The tangent of feedback starts in the planes,
    those of alignments and redshifts in the kernels, in which kappa is linear. The derivative with respect to the
    calibration of a source is its map itself, and is not stored.
    """
    names, systematics, lightcone = experiment.tangents, theta.systematics, experiment.lightcone
    cosmological = tuple(name for name in names if name in COSMOLOGICAL)
    late = {name: PARAMETERS[name].enters for name in names if name not in COSMOLOGICAL}

    def lens(parameters: Parameters) -> tuple[tuple[Array, Kernels], Box]:
        simulated = box(seed, Theta(parameters, systematics), experiment, correction)
        return (simulated.planes, simulated.kernels), simulated

    def along(unit: Parameters) -> tuple[tuple[Array, Kernels], tuple[Array, Kernels], Box]:
        return jax.jvp(lens, (theta.cosmology,), (unit,), has_aux=True)

    units = basis(theta.cosmology, cosmological)
    here, early_dots, simulated = jax.vmap(along, out_axes=(None, 0, None))(units)
    cosmos, bare = simulated.cosmology, simulated.planes_without_baryons
    enters = {
        "kernels": lambda moved: kernels(moved, cosmos, experiment),
        "planes": lambda moved: with_feedback(bare, cosmos, moved.log10_T_AGN, lightcone),
    }
    late_dots = {name: nuisance_derivative(enters[where], systematics, name) for name, where in late.items()}

    def realisation(number: Int[Array, ""]) -> tuple[Array, dict[str, Array]]:
        # the view does not depend on theta: it is drawn once, outside of what is differentiated
        view = draw_view(stream_key(seed, VIEW, number), lightcone)

        def kappa_and_visible(planes: Array, plane_kernels: Kernels) -> tuple[Array, VisiblePlanes]:
            return _along(view, planes, plane_kernels, lightcone)

        def early(dots: tuple[Array, Kernels]) -> tuple[Array, Array, VisiblePlanes]:
            return jax.jvp(kappa_and_visible, here, dots, has_aux=True)

        kappa, early_tangents, visible = jax.vmap(early, out_axes=(None, 0, None))(early_dots)
        rows = dict(zip(cosmological, early_tangents, strict=True))
        for name, dot in late_dots.items():
            if late[name] == "kernels":
                rows[name] = convergence(visible, dot)  # kappa is linear in the kernels
            else:
                rows[name] = jax.jvp(lambda moved: kappa_and_visible(moved, here[1])[0], here[:1], (dot,))[1]
        return kappa, rows

    kappa, rows = jax.lax.map(realisation, jnp.arange(lightcone.realisations_per_box))
    shifts = rows.pop("delta_z", None)
    return MapsAndTangents(kappa, jnp.stack([rows[name] for name in names if name in rows], axis=1), shifts)


def forecast(
    summaries: SummarySample,
    jacobians: Jacobians,
    experiment: Experiment,
    names: Sequence[str] | None = None,
) -> dict[str, Forecast]:
    """Step 5: Fisher forecasts of the data vectors of an experiment by name; all of them, or those of some names."""
    space = ParameterSpace(experiment.parameters, experiment.nuisance, experiment.fiducial, experiment.priors)
    region, noise = observation(experiment)
    area_ratio = experiment.survey.area_deg2 / noise.area_deg2(region)
    return {
        name: data_vector_forecast(summaries, jacobians, experiment.forecast.data_vectors[name], space, area_ratio)
        for name in names or experiment.forecast.data_vectors
    }
