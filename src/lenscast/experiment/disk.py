"""Bytes that a run writes, from its experiment."""

from collections.abc import Mapping

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.observation import data_length

FLOAT32, FLOAT64 = 4, 8
HEAD, BIN = 23_000, 160  # of a file: provenance, axes and HDF5's own; and of a bin in its table

SECTIONS = {"maps": "covariance", "summaries": "covariance", "tangents": "derivatives", "derivatives": "derivatives"}
"""Section of the config whose batches have a file in a folder of the run."""

MEASURED = {"maps": "summaries", "tangents": "derivatives"}
"""Folder of what is measured on the maps of a folder."""


def batch_bytes(experiment: Experiment) -> dict[str, int]:
    """Bytes of a batch's file, by folder; those of `SECTIONS`."""
    maps = experiment.boxes_per_batch * experiment.lightcone.realisations_per_box
    pixels = experiment.sources * experiment.lightcone.pixels**2 * FLOAT32
    # a parameter that each source bin has of its own moves one map: one tangent serves all bins
    tangents = len(experiment.tangents)
    data = data_length(experiment, experiment.statistics)
    return {
        "maps": HEAD + maps * pixels,
        "tangents": HEAD + maps * (1 + tangents) * pixels,
        "summaries": HEAD + data * (BIN + maps * 2 * FLOAT64),
        "derivatives": HEAD + data * (BIN + maps * (1 + len(experiment.parameters)) * FLOAT64),
    }


def gathered_bytes(experiment: Experiment) -> int:
    """Bytes of the two files that hold the summaries and Jacobians of all boxes."""
    data = data_length(experiment, experiment.statistics)
    rows = experiment.covariance.boxes * experiment.lightcone.realisations_per_box
    rows += experiment.derivatives.boxes * (1 + len(experiment.parameters))
    return 2 * HEAD + data * (2 * BIN + rows * FLOAT64)


def disk_use(experiment: Experiment, batches: Mapping[str, int], at_once: int) -> dict[str, int]:
    """Bytes that batches take, by folder, and `gathered`; temporary maps take no more than those of the jobs at work.

    Parameters
    ----------
    experiment
        Experiment of the run.
    batches
        Number of batches that get a file in each folder of `SECTIONS`.
    at_once
        Number of jobs that run at the same time.
    """
    kept = {
        folder: min(number, at_once) if experiment.maps == "temporary" and folder in MEASURED else number
        for folder, number in batches.items()
    }
    size = batch_bytes(experiment)
    return {folder: number * size[folder] for folder, number in kept.items()} | {"gathered": gathered_bytes(experiment)}
