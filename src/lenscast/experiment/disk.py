"""Bytes that a run writes, from its experiment."""

from collections.abc import Mapping

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.observation import data_length
from lenscast.parameters import COSMOLOGICAL

FLOAT16, FLOAT32, FLOAT64 = 2, 4, 8
HEAD, BIN = 13_200, 160  # of a file: provenance, axes and HDF5's own; and of a bin in its table
MORE_AXES = 1_000  # of a file with variables of maps and of boxes, or of planes
MADE_WITH = 3_500  # of a gathered file: what its run was made with

SECTIONS = {"maps": "covariance", "summaries": "covariance", "planes": "derivatives", "derivatives": "derivatives"}
"""Section of the config whose batches have a file in a folder of the run."""

MEASURED = {"maps": "summaries", "planes": "derivatives"}
"""Folder of what is measured on the maps or planes of a folder."""


def batch_bytes(experiment: Experiment) -> dict[str, int]:
    """Bytes of a batch's file, by folder; those of `SECTIONS`."""
    boxes, lightcone = experiment.boxes_per_batch, experiment.lightcone
    maps, pixels = boxes * lightcone.realisations_per_box, lightcone.pixels**2 * FLOAT32
    pairs = experiment.sources * (experiment.sources + 1) // 2 if lightcone.projection == "born" else 0
    tangents = sum(name in COSMOLOGICAL for name in experiment.tangents)
    planes = 3 * lightcone.planes * lightcone.slabs_per_box * lightcone.plane_mesh**2 * FLOAT16
    data = data_length(experiment, experiment.statistics)
    return {
        "maps": HEAD + MORE_AXES + (maps * experiment.sources + boxes * pairs) * pixels,
        "planes": HEAD + MORE_AXES + boxes * (1 + tangents) * planes,
        "summaries": HEAD + MORE_AXES + data * (BIN + (2 * maps + boxes) * FLOAT64),
        "derivatives": HEAD + data * (BIN + boxes * (1 + len(experiment.parameters)) * FLOAT64),
    }


def gathered_bytes(experiment: Experiment) -> int:
    """Bytes of the two files that hold the summaries and Jacobians of all boxes."""
    data = data_length(experiment, experiment.statistics)
    rows = experiment.covariance.boxes * (1 + experiment.lightcone.realisations_per_box)
    rows += experiment.derivatives.boxes * (1 + len(experiment.parameters))
    return 2 * (HEAD + MADE_WITH) + data * (2 * BIN + rows * FLOAT64)


def disk_use(experiment: Experiment, batches: Mapping[str, int], at_once: int) -> dict[str, int]:
    """Bytes that batches take, by folder, and `gathered`; temporary maps and planes take no more than the jobs at work.

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
        folder: min(number, at_once) if experiment.simulated == "temporary" and folder in MEASURED else number
        for folder, number in batches.items()
    }
    size = batch_bytes(experiment)
    return {folder: number * size[folder] for folder, number in kept.items()} | {"gathered": gathered_bytes(experiment)}


def level_bytes(experiment: Experiment, batches: Mapping[str, int], at_once: int) -> int:
    """Bytes that batches at coarser levels of resolution take, planes and derivatives.

    Parameters
    ----------
    experiment
        Experiment of the run.
    batches
        Number of batches that get files at each level.
    at_once
        Number of jobs that run at the same time.
    """
    total = 0
    for level, number in batches.items():
        size = batch_bytes(experiment.coarser(level))
        planes = min(number, at_once) if experiment.simulated == "temporary" else number
        total += planes * size["planes"] + number * size["derivatives"]
    return total
