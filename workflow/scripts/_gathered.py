"""The two files that a forecast starts from: summaries and Jacobians of all boxes, in the order of their seeds."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from _job import provenance
from lenscast import io
from lenscast.config import campaigns, load_config
from lenscast.forecast.boxes import BoxMeans


def save(
    job: Any,
    maps: Sequence[pd.DataFrame],
    measured: Sequence[np.ndarray],
    jacobians: Sequence[BoxMeans],
    expected: Sequence[BoxMeans],
    axes: dict[str, pd.DataFrame],
) -> tuple[int, int]:
    """Join pieces and write the files; they say what they are made with, so that runs can be merged.

    Parameters
    ----------
    job : of a rule whose outputs are `summaries` and `jacobians`, with the hashes of the code before it, `hashes`.
    maps, measured : seed and realisation of the maps of each piece, and their summaries.
    jacobians, expected : means over the maps of a box, of each piece.
    axes : coordinates of ``param`` and ``bin``.

    Returns
    -------
    numbers : of maps and of boxes of derivatives.
    """
    config = load_config({key: value for key, value in job.config.items() if key != "merge"})
    made_with = {"made_with": json.dumps(campaigns.made_with(config, job.params.hashes), sort_keys=True)}
    index = pd.concat(maps, ignore_index=True)
    order = np.argsort(index["seed"], kind="stable")
    index = index.iloc[order].reset_index(drop=True)
    values = np.concatenate(measured)[order]
    summaries = {"measured": io.Variable(values, ("map", "bin"), "see bins", "statistics of the noisy maps")}
    coordinates = {"map": index, "bin": axes["bin"]}
    io.save(job.output.summaries, summaries, coordinates, provenance(job, index["seed"].unique()) | made_with)

    box = np.concatenate([each.box for each in jacobians])
    order = np.argsort(box, kind="stable")
    jacobian, mean = (np.concatenate([each.mean for each in pieces])[order] for pieces in (jacobians, expected))
    variables = {
        "jacobian": io.Variable(jacobian, ("box", "param", "bin"), "see bins", "mean Jacobian of a box's maps"),
        "expected": io.Variable(mean, ("box", "bin"), "see bins", "mean data vector of a box's maps"),
    }
    io.save(
        job.output.jacobians, variables, {"box": {"seed": box[order]}, **axes}, provenance(job, box[order]) | made_with
    )
    return len(index), len(box)
