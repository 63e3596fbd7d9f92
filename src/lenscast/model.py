"""What passes between the steps of the pipeline: parameters, planes, lenses, and maps with their tangents."""

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Array, Float32

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.experiment import Experiment
from lenscast.lensing import Kernels, Systematics, plane_kernels, redshift_distributions, with_feedback
from lenscast.parameters import COSMOLOGICAL

__all__ = ["Lenses", "MapsAndTangents", "PlanesAndTangents", "Theta", "fiducial", "kernels", "lenses"]


class Theta(NamedTuple):
    """Values of all parameters of the model."""

    cosmology: Parameters
    systematics: Systematics


class PlanesAndTangents(NamedTuple):
    """Lens planes of a box without baryons, and their derivatives with respect to cosmological parameters.

    They are all that an N-body simulation gives to a forecast: sources, alignments, feedback, views and statistics come
    later, and ask for no other simulation.
    """

    planes: Float32[Array, "plane axis slab mesh mesh"]
    tangents: Float32[Array, "param plane axis slab mesh mesh"]


class Lenses(NamedTuple):
    """Lens planes of a box, with baryons, and what each plane does to the light of the sources."""

    planes: Float32[Array, "plane axis slab mesh mesh"]
    kernels: Kernels


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


def lenses(bare: Float32[Array, "plane axis slab mesh mesh"], theta: Theta, experiment: Experiment) -> Lenses:
    """Lens planes with baryons, and their kernels for the sources of the survey."""
    cosmos = cosmology(theta.cosmology)
    with_baryons = with_feedback(bare, cosmos, theta.systematics.log10_T_AGN, experiment.lightcone)
    return Lenses(with_baryons, kernels(theta.systematics, cosmos, experiment))
