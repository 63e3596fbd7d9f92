"""Data vectors of a box whose parameters are arguments: what simulation-based inference learns from."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64, Int

from lenscast.corrections import Correction
from lenscast.experiment import Experiment
from lenscast.measurement import calibrated, summarise_draw
from lenscast.pipeline import Theta, maps

__all__ = ["simulated_data"]


def simulated_data(
    seed: Int[Array, ""] | int,
    theta: Theta,
    experiment: Experiment,
    correction: Correction | None = None,
    draws: int = 1,
) -> Float64[Array, "map draw bin"]:
    """Data vectors of a box: of each map, through each of some realisations of its shape noise.

    Parameters
    ----------
    seed, theta, experiment, correction
        As for `pipeline.maps`. All are those of one box, so that one compiled program serves all parameters.
    draws
        Number of noise realisations of each map.
    """
    kappa = maps(seed, theta, experiment, correction)

    def of_map(number: Int[Array, ""]) -> Float64[Array, "draw bin"]:
        biased = calibrated(kappa[number], theta.systematics.m)
        of_draw = lambda draw: summarise_draw(biased, seed, number, draw, experiment).measured  # noqa: E731
        return jax.lax.map(of_draw, jnp.arange(draws))

    return jax.lax.map(of_map, jnp.arange(len(kappa)))
