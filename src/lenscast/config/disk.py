"""Bytes that a run writes, from its config."""

from collections.abc import Mapping

from .analysis import STATISTICS
from .experiment import Config
from .survey import PER_SOURCE_SYSTEMATICS

FLOAT32, FLOAT64 = 4, 8
HEAD, BIN = 23_000, 160  # of a file: provenance, axes and HDF5's own; and of a bin in its table

SECTIONS = {"maps": "covariance", "summaries": "covariance", "tangents": "derivatives", "derivatives": "derivatives"}
"""Section of the config whose batches have a file in a folder of the run."""

MEASURED = {"maps": "summaries", "tangents": "derivatives"}
"""Folder of what is measured on the maps of a folder."""


def batch_bytes(config: Config) -> dict[str, int]:
    """Bytes of a batch's file, by folder; those of `SECTIONS`."""
    sources, parameters = config.survey.sources.number, config.forecast.parameters
    maps = config.boxes_per_batch * config.lightcone.realisations_per_box
    pixels = sources * config.lightcone.pixels**2 * FLOAT32
    tangents = sum(name not in PER_SOURCE_SYSTEMATICS for name in parameters) + ("delta_z" in parameters)
    data = config.statistics.length(STATISTICS, sources)
    return {
        "maps": HEAD + maps * pixels,
        "tangents": HEAD + maps * (1 + tangents) * pixels,
        "summaries": HEAD + data * (BIN + maps * 2 * FLOAT64),
        "derivatives": HEAD + data * (BIN + maps * (1 + len(config.parameters)) * FLOAT64),
    }


def gathered_bytes(config: Config) -> int:
    """Bytes of the two files that hold the summaries and Jacobians of all boxes."""
    data = config.statistics.length(STATISTICS, config.survey.sources.number)
    rows = config.covariance.boxes * config.lightcone.realisations_per_box
    rows += config.derivatives.boxes * (1 + len(config.parameters))
    return 2 * HEAD + data * (2 * BIN + rows * FLOAT64)


def disk_use(config: Config, batches: Mapping[str, int], at_once: int) -> dict[str, int]:
    """Bytes that batches take, by folder, and `gathered`; temporary maps take no more than those of the jobs at work.

    Parameters
    ----------
    config : of the run.
    batches : number of batches that each folder of `SECTIONS` gets a file of.
    at_once : number of jobs that run side by side.
    """
    kept = {
        folder: min(number, at_once) if config.maps == "temporary" and folder in MEASURED else number
        for folder, number in batches.items()
    }
    size = batch_bytes(config)
    return {folder: number * size[folder] for folder, number in kept.items()} | {"gathered": gathered_bytes(config)}
