"""Objects of the package from the settings that rules pass to their scripts; imported after `_job.start`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lenscast.config.simulation import LightconeConfig, SimulationConfig
from lenscast.lensing import shape_noise_rms
from lenscast.simulate import Simulation
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.statistic import Statistic


def simulation(settings: Mapping[str, Any]) -> Simulation:
    """What `simulate` and `differentiate` run."""
    sections = SimulationConfig(**settings["simulation"]), LightconeConfig(**settings["lightcone"])
    return Simulation.from_config(*sections, settings["z_source"])


def map_coordinates(simulation: Simulation, seeds: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Axes of the maps of some boxes, in the order in which they are made."""
    numbers = np.arange(simulation.realisations)
    index = {"seed": np.repeat(seeds, numbers.size), "realisation": np.tile(numbers, len(seeds))}
    return {"map": index, "source": {"z": simulation.z_source}}


class Measurement(NamedTuple):
    """Statistics, and the rms of the shape noise per pixel."""

    statistics: tuple[Statistic, ...]
    sigma_pixel: float


def measurement(settings: Mapping[str, Any]) -> Measurement:
    """What is measured on the maps."""
    side, field = settings["pixels"], settings["field_deg"]
    rms = shape_noise_rms(settings["sigma_e"], settings["n_gal"], 60 * field / side)
    return Measurement(statistics_from_config(settings["statistics"], side, field, settings["n_sources"], rms), rms)


def noise_alone(settings: Mapping[str, Any]) -> np.ndarray:
    """Mean data vector of shape noise without signal, to be subtracted from spectra."""
    blank = np.zeros((settings["n_sources"], settings["pixels"], settings["pixels"]))
    return np.concatenate([each.expected(blank, blank) for each in measurement(settings).statistics])
