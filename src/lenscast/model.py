"""What passes between the steps of the pipeline: parameters, boxes, and maps with their tangents."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from lenscast.cosmology import Cosmology, Parameters
from lenscast.experiment import Experiment
from lenscast.lensing import Kernels, Systematics, plane_kernels, redshift_distributions
from lenscast.parameters import COSMOLOGICAL

__all__ = ["Box", "MapsAndTangents", "Theta", "fiducial", "kernels", "nuisance_derivative"]


class Theta(NamedTuple):
    """Values of all parameters of the model."""

    cosmology: Parameters
    systematics: Systematics


class Box(NamedTuple):
    """Lens planes of a box, what the planes do to the light of each source, and what both were made from."""

    planes: Float32[Array, "plane 3 slab mesh mesh"]
    kernels: Kernels
    planes_without_baryons: Float32[Array, "plane 3 slab mesh mesh"]
    cosmology: Cosmology


class MapsAndTangents(NamedTuple):
    """Convergence maps of a box and their derivatives with respect to the parameters.

    `tangents` belong to the parameters that all sources share, `shifts` to the shift of each source's own redshifts;
    `shifts` is None where ``delta_z`` is not a parameter.
    """

    kappa: Float32[Array, "map source y x"]
    tangents: Float32[Array, "map param source y x"]
    shifts: Float32[Array, "map source y x"] | None


def fiducial(experiment: Experiment, values: Mapping[str, float] | None = None) -> Theta:
    """Parameters of an experiment.

    Parameters
    ----------
    experiment
        Gives the fiducial values and the number of source bins.
    values
        Other values of all parameters by name, such as those of one of ``experiment.cosmologies``.
    """
    values = experiment.fiducial if values is None else values
    nuisance = {name: value for name, value in values.items() if name not in COSMOLOGICAL}
    cosmological = Parameters.of({name: values[name] for name in COSMOLOGICAL})
    return Theta(cosmological, Systematics.from_values(nuisance, experiment.sources))


def kernels(systematics: Systematics, cosmos: Cosmology, experiment: Experiment) -> Kernels:
    """Kernels of the lens planes for the source bins of the survey."""
    sources = redshift_distributions(experiment.survey.sources)
    return plane_kernels(sources, systematics, cosmos, experiment.lightcone, experiment.systematics)


def nuisance_derivative(function: Callable[[Systematics], Any], systematics: Systematics, name: str) -> Any:
    """Derivative with respect to a nuisance parameter; of one that each source has, with respect to its own.

    Parameters
    ----------
    function
        Function of the nuisance parameters.
    systematics
        Where the derivative is taken.
    name
        Parameter.
    """
    value = getattr(systematics, name)

    def moved(x: Float[Array, "..."]) -> Any:
        return function(eqx.tree_at(lambda s: getattr(s, name), systematics, x))

    return jax.jvp(moved, (value,), (jnp.ones_like(value),))[1]
