"""The galaxies whose shapes a survey measures: what theory needs to know of an experiment besides the matter."""

from dataclasses import dataclass, replace

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from lenscast.cosmology import Cosmology
from lenscast.experiment import Experiment
from lenscast.lensing import AlignmentConstants, Kernels, Sources, Systematics, plane_kernels, redshift_distributions
from lenscast.model import fiducial
from lenscast.sections.lightcone import Lightcone

KERNELS = jax.jit(plane_kernels, static_argnums=(0, 3, 4))


@dataclass(frozen=True)
class Galaxies:
    """The galaxies of a survey, whose shapes are measured.

    Attributes
    ----------
    sources
        Redshift distributions of the source bins.
    systematics
        Values of the nuisance parameters.
    alignment
        Constants of intrinsic alignments.
    """

    sources: Sources
    systematics: Systematics
    alignment: AlignmentConstants

    @classmethod
    def of(cls, experiment: Experiment) -> "Galaxies":
        """Galaxies of the survey of an experiment."""
        sources = redshift_distributions(experiment.survey.sources)
        return cls(sources, fiducial(experiment).systematics, experiment.systematics)

    @property
    def z_max(self) -> float:
        """Redshift of the farthest galaxies."""
        return float(self.sources.high[-1] + np.max(self.systematics.delta_z))

    def kernels(self, cosmos: Cosmology, lightcone: Lightcone) -> Kernels:
        """Kernels of the planes for these galaxies, as NumPy arrays."""
        made = KERNELS(self.sources, self.systematics, cosmos, lightcone, self.alignment)
        return jax.tree.map(np.asarray, made)

    def shear_kernel(self, cosmos: Cosmology, lightcone: Lightcone) -> Float[np.ndarray, "plane source"]:
        """Kernel of the observed shear: lensing and alignments together, times the calibration of each source."""
        kernels = self.kernels(cosmos, lightcone)
        return np.asarray(kernels.lensing + kernels.alignment) * (1 + np.asarray(self.systematics.m))

    def with_step(self, name: str, step: float) -> "Galaxies":
        """Galaxies with another value of one nuisance parameter.

        Parameters
        ----------
        name
            Name of the parameter, such as ``A_IA`` or ``delta_z_2``.
        step
            Number that is added to its value.
        """
        stem, _, number = name.rpartition("_")
        value = getattr(self.systematics, name, None)
        if value is None:
            changed = eqx.tree_at(
                lambda s: getattr(s, stem), self.systematics, replace_fn=lambda x: x.at[int(number) - 1].add(step)
            )
        else:
            changed = eqx.tree_at(lambda s: getattr(s, name), self.systematics, value + step)
        return replace(self, systematics=changed)
