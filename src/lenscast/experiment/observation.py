"""How the maps of an experiment are observed: the region that its statistics share, and the shape noise."""

from collections.abc import Iterable
from functools import lru_cache

from lenscast.experiment.experiment import Experiment
from lenscast.statistics import Observation, Region, ShapeNoise


def region(experiment: Experiment) -> Region:
    """Part of the map that all statistics share: the map without the farthest reach of any of them."""
    lightcone = experiment.lightcone
    border = max(statistic.reach(lightcone.pixel_arcmin) for statistic in experiment.statistics.values())
    return Region(lightcone.pixels, lightcone.field_deg, border)


@lru_cache
def observation(experiment: Experiment) -> Observation:
    """Region and shape noise through which the maps are measured; reads the map of the depth, if there is one."""
    noise = ShapeNoise.of_survey(experiment.survey, experiment.lightcone.pixel_arcmin)
    return Observation(region(experiment), noise)


def data_length(experiment: Experiment, names: Iterable[str]) -> int:
    """Number of data of some statistics together.

    Parameters
    ----------
    experiment
        Its maps and sources.
    names
        Names of statistics of the experiment.
    """
    nominal = Observation(region(experiment), ShapeNoise(experiment.sources * (1.0,)))
    return sum(experiment.statistics[name].length(nominal) for name in names)
