import json

import h5py

from lenscast.experiment import campaigns
from lenscast.sections.errors import Problem


def recorded(path, key):
    """What a file's provenance has of a key, from JSON."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return json.loads(file["provenance"][key][()]) if key in file["provenance"] else {}
    except OSError as error:
        raise WorkflowError(f"{path} is truncated, damaged or not HDF5 ({error}): delete it and finish its run again")


def check_merge():
    """Refuse runs that are not there, and those that do not belong together."""
    problems = []
    if len(set(MERGED)) < max(len(MERGED), 2):
        problems.append(Problem("merge", f"{merged} given; give two or more runs, each once, with commas between them"))
    if EXPERIMENT.run in MERGED:
        problems.append(Problem("run", f"{EXPERIMENT.run} is to be merged; give the merged run a name of its own"))
    files = {"covariance": "covariance/summaries.h5", "derivatives": "derivatives/jacobians.h5"}
    runs = {}
    for run in MERGED:
        paths = {section: f"results/{run}/{file}" for section, file in files.items()}
        if absent := [path for path in paths.values() if not Path(path).exists()]:
            problems.append(Problem("merge", f"run {run} has no {absent[0]}; finish it first"))
            continue
        made_with, other = (recorded(path, "made_with") for path in paths.values())
        if made_with != other:
            problems.append(Problem("merge", f"the two files of run {run} are of different runs; finish it again"))
        runs[run] = campaigns.Run(made_with, {section: recorded(path, "seeds") for section, path in paths.items()})
    problems += campaigns.check_merge(campaigns.made_with(EXPERIMENT, HASHES), runs)
    if problems:
        raise WorkflowError(str(experiment.ConfigError(problems, "merge")))
