"""Whether particles of a box on several devices stay within its halo."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int

from lenscast.cosmology import Parameters, cosmology
from lenscast.experiment import Experiment
from lenscast.gravity import domain, linear_field, lpt
from lenscast.streams import INITIAL_FIELD, box_key

Seed = Int[Array, ""] | int


def largest_displacement(seed: Seed, parameters: Parameters, experiment: Experiment) -> Float32[Array, ""]:
    """Farthest that perturbation theory moves a particle of a box along x or y until today [Mpc/h].

    Particles of the simulation move nearly as far.
    """
    cosmos, simulation, where = cosmology(parameters), experiment.simulation, domain(experiment.distribution)
    field = linear_field(box_key(seed, INITIAL_FIELD), cosmos.power, simulation, simulation.noise_size, where)
    moved = lpt(field, 1.0, cosmos, simulation, simulation.lpt_order, where).displacement
    return jnp.abs(moved[:2]).max()


def beyond_halo(seed: Seed, parameters: Parameters, experiment: Experiment) -> str:
    """Why planes of a box on several devices are not finite; empty where its particles stay within the halo."""
    halo = experiment.distribution.halo_mpc
    if experiment.distribution.devices == 1:
        return ""
    moved = float(jax.jit(lambda p: largest_displacement(seed, p, experiment))(parameters))
    needed = math.ceil(1.1 * moved)  # halos add some Mpc/h to what perturbation theory says
    if needed <= halo:
        return ""
    return f"particles moved {moved:.1f} Mpc/h, the halo is {halo:g}: set distribution.halo_mpc to at least {needed}"
