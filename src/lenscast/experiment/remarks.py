"""What a user should know of an experiment that is valid: said when it is read, and at the start of a run."""

import math
from collections.abc import Iterator

from lenscast.experiment.distribution_checks import halo_remark
from lenscast.experiment.experiment import Experiment
from lenscast.experiment.file_checks import correction_remarks
from lenscast.experiment.lattice import lattice_remarks
from lenscast.experiment.matter import matter_power
from lenscast.experiment.memory import job_bytes, memory_remark
from lenscast.experiment.plane_checks import plane_remarks
from lenscast.sections.box import FixedSteps, Simulation
from lenscast.sections.cosmology import FlatCosmology
from lenscast.sources import redshift_distributions

__all__ = ["described_sources", "remarks", "step_remarks"]

STEPS_OF_A_CORRECTION = 6.0
"""Time steps over the variance of the linear density in a cell today."""


def remarks(experiment: Experiment) -> Iterator[str]:
    """Where weights were not trained, planes too thick or too fine for what they show, or this machine is too small."""
    yield from correction_remarks(experiment.simulation)
    yield from step_remarks(experiment.simulation, experiment.cosmology)
    yield from plane_remarks(experiment)
    yield from lattice_remarks(experiment)
    yield from halo_remark(experiment.simulation, experiment.cosmology, experiment.distribution)
    described = (experiment.simulation, experiment.lightcone, experiment.survey, experiment.forecast)
    sizes = job_bytes(*described, experiment.distribution)
    if remark := memory_remark(sizes):
        yield remark


def step_remarks(simulation: Simulation, cosmology: FlatCosmology) -> Iterator[str]:
    """Where time steps are too few for a correction of the force, which then pulls harder on what overshoots.

    The number of steps that it takes grows with the variance of the density in a cell: measured in docs/corrections.md.
    """
    integrator = simulation.integrator
    if simulation.correction.kind != "hpn" or not isinstance(integrator, FixedSteps):
        return
    rms = matter_power(cosmology).rms(simulation.cell_size)
    needed = math.ceil(STEPS_OF_A_CORRECTION * rms**2)
    if integrator.steps < needed:
        yield (
            f"simulation.integrator.steps: {integrator.steps} steps are few for a correction of the force in cells of "
            f"{simulation.cell_size:.3g} Mpc/h, where the linear density has an rms of {rms:.2g} today; power and "
            f"phases may be worse than without it: raise to {needed} or more"
        )


def described_sources(experiment: Experiment) -> str:
    """Mean redshift and width of each source bin in a line, in which a table that was read wrongly shows."""
    sources = redshift_distributions(experiment.survey.sources)
    bins = zip(sources.mean, sources.width, strict=True)
    each = (f"{number}: mean z = {mean:.4g}, width {width:.3g}" for number, (mean, width) in enumerate(bins, 1))
    return f"Source bins: {'; '.join(each)}"
