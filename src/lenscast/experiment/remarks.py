"""What a user should know of an experiment that is valid: said when it is read, and at the start of a run."""

from collections.abc import Iterator

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.file_checks import correction_remarks
from lenscast.experiment.memory import job_bytes, memory_remark
from lenscast.experiment.plane_checks import plane_remarks
from lenscast.sources import redshift_distributions

__all__ = ["described_sources", "remarks"]


def remarks(experiment: Experiment) -> Iterator[str]:
    """Where weights were not trained, planes are too thick for their sources, or this machine is too small."""
    yield from correction_remarks(experiment.simulation)
    yield from plane_remarks(
        experiment.cosmology, experiment.lightcone, experiment.survey, experiment.statistics, experiment.forecast
    )
    sizes = job_bytes(experiment.simulation, experiment.lightcone, experiment.survey, experiment.forecast)
    if remark := memory_remark(sizes):
        yield remark


def described_sources(experiment: Experiment) -> str:
    """Mean redshift and width of each source bin in a line, in which a table that was read wrongly shows."""
    sources = redshift_distributions(experiment.survey.sources)
    bins = zip(sources.mean, sources.width, strict=True)
    each = (f"{number}: mean z = {mean:.4g}, width {width:.3g}" for number, (mean, width) in enumerate(bins, 1))
    return f"Source bins: {'; '.join(each)}"
