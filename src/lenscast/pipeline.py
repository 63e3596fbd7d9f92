"""The pipeline in five steps, from a seed and the parameters to a Fisher forecast.

1. `planes`: a seed and the parameters theta -> lens planes of an N-body box; `planes_and_tangents` with d / d theta.
2. `look`: lenses, which are planes and their kernels, and a view of them -> convergence kappa of each source;
   `maps` is both steps for a whole box.
3. `tangents`: kappa and d kappa / d theta, for each parameter from where it enters the model.
4. `summarise`: noisy maps -> data vector, for the covariance; `measure`: planes and their tangents -> data vector and
   Jacobian, averaged over views and noise.
5. `forecast`: data vectors and Jacobians of many boxes -> Fisher matrices, errors and verdicts.

Everything random follows from the seed (`streams`), everything else from theta and the `Experiment`.
"""

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int

from lenscast.corrections import Correction, corrected
from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.expectation import box_mean_and_jacobian as measure
from lenscast.expectation import correlations
from lenscast.experiment import Experiment
from lenscast.forecasting import forecast
from lenscast.gravity import domain, field_from_noise, lpt
from lenscast.lens_tangents import cosmological_tangents, lens_tangents, map_and_tangents
from lenscast.lensing import View, convergence, density_planes, draw_view, sky
from lenscast.measurement import summarise
from lenscast.model import Lenses, MapsAndTangents, PlanesAndTangents, Theta, fiducial, lenses
from lenscast.streams import INITIAL_FIELD, VIEW, box_key, stream_key

__all__ = [
    "Theta",
    "fiducial",
    "forecast",
    "lenses",
    "look",
    "maps",
    "maps_and_correlations",
    "maps_and_tangents",
    "measure",
    "planes",
    "planes_and_tangents",
    "planes_from_noise",
    "seen",
    "summarise",
    "tangents",
    "view_of",
]

Seed = Int[Array, ""] | int


def planes(
    seed: Seed,
    parameters: Parameters,
    experiment: Experiment,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "plane axis slab mesh mesh"]:
    """Step 1: evolve a box of particles, and cut lens planes from it when the light crosses them.

    `correction` repairs small scales and follows cosmology too; `adjoint` says how diffrax differentiates the N-body
    solve (`nbody`), forward mode by default. Baryons come later.
    """
    simulation = experiment.simulation
    size = simulation.noise_size or simulation.particles
    noise = domain(experiment.distribution).noise(box_key(seed, INITIAL_FIELD), size)
    return planes_from_noise(noise, parameters, experiment, correction, adjoint)


def planes_from_noise(
    noise: Float32[Array, "nx ny nz"],
    parameters: Parameters,
    experiment: Experiment,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    axis: Int[Array, " plane"] | None = None,
) -> Float32[Array, "plane axis slab mesh mesh"]:
    """Step 1 from the white noise of the initial field (`gravity.white_noise`), along one axis of each plane or all.

    Other arguments as for `planes`.
    """
    cosmos, simulation = cosmology(parameters), experiment.simulation
    where = domain(experiment.distribution)
    field = field_from_noise(noise, cosmos.power, simulation, where)
    start = lpt(field, simulation.a_start, cosmos, simulation, simulation.lpt_order, where)
    method = corrected(correction, simulation, simulation.integrator, cosmos, where)
    return density_planes(start, simulation.a_start, cosmos, method, experiment.lightcone, adjoint, axis)


def planes_and_tangents(
    seed: Seed, parameters: Parameters, experiment: Experiment, correction: Correction | None = None
) -> PlanesAndTangents:
    """Step 1 in forward mode, through the whole simulation. Arguments as for `planes`."""

    def along(unit: Parameters) -> tuple[Array, Array]:
        return jax.jvp(lambda p: planes(seed, p, experiment, correction), (parameters,), (unit,))

    units = basis(parameters, cosmological_tangents(experiment))
    return PlanesAndTangents(*jax.vmap(along, out_axes=(None, 0))(units))


def look(made: Lenses, seed: Seed, realisation: Seed, experiment: Experiment) -> Float32[Array, "source y x"]:
    """Step 2: kappa of each source as one realisation of the sky shows it."""
    return seen(made, view_of(seed, realisation, experiment), experiment)


def view_of(seed: Seed, realisation: Seed, experiment: Experiment) -> View:
    """How one realisation of the sky looks at the planes of a box."""
    return draw_view(stream_key(seed, VIEW, realisation), experiment.lightcone)


def seen(made: Lenses, view: View, experiment: Experiment) -> Float32[Array, "source y x"]:
    """Kappa of each source in a view."""
    return convergence(sky.look(made.planes, view, made.kernels.strength, experiment.lightcone), made.kernels)


def maps(
    seed: Seed,
    theta: Theta,
    experiment: Experiment,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "map source y x"]:
    """Steps 1 and 2: noise-free convergence maps of a box, one for each realisation. Arguments as for `planes`."""
    made = lenses(planes(seed, theta.cosmology, experiment, correction, adjoint), theta, experiment)
    return _realisations(made, seed, experiment)


def maps_and_correlations(
    seed: Seed, theta: Theta, experiment: Experiment, correction: Correction | None = None
) -> tuple[Float32[Array, "map source y x"], Float32[Array, "pair lag lag"] | None]:
    """`maps` of a box, and their correlation functions over all views; None where planes deflect the rays."""
    made = lenses(planes(seed, theta.cosmology, experiment, correction), theta, experiment)
    straight = experiment.lightcone.projection == "born"
    return _realisations(made, seed, experiment), correlations(made, experiment).astype("f4") if straight else None


def _realisations(made: Lenses, seed: Seed, experiment: Experiment) -> Float32[Array, "map source y x"]:
    numbers = jnp.arange(experiment.lightcone.realisations_per_box)
    return jax.lax.map(lambda number: look(made, seed, number, experiment), numbers)


def tangents(seed: Seed, theta: Theta, experiment: Experiment, correction: Correction | None = None) -> MapsAndTangents:
    """Steps 1 to 3: maps of a box with their derivatives. Arguments as for `planes`."""
    made = planes_and_tangents(seed, theta.cosmology, experiment, correction)
    return maps_and_tangents(made, seed, theta, experiment)


def maps_and_tangents(given: PlanesAndTangents, seed: Seed, theta: Theta, experiment: Experiment) -> MapsAndTangents:
    """Step 3: maps of a box with their derivatives, from its planes.

    The derivative with respect to the calibration of a source is its map itself, and is not stored.
    """
    made = lens_tangents(given, theta, experiment)

    def realisation(number: Int[Array, ""]) -> tuple[Array, dict[str, Array]]:
        view = draw_view(stream_key(seed, VIEW, number), experiment.lightcone)
        return map_and_tangents(made, view, experiment)

    kappa, rows = jax.lax.map(realisation, jnp.arange(experiment.lightcone.realisations_per_box))
    shifts = rows.pop("delta_z", None)
    return MapsAndTangents(kappa, jnp.stack([rows[name] for name in experiment.tangents if name in rows], 1), shifts)
