"""What the comparisons of maps read: data vectors of all boxes of a variant."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast import io
from lenscast.experiment import Experiment
from lenscast.measurement import noise_alone


class Observed(NamedTuple):
    """Data vector of each map, the seed of its box, and the bins."""

    values: Float[np.ndarray, "map bin"]
    box: Int[np.ndarray, " map"]
    bins: pd.DataFrame


def spectra_and_counts(paths: Sequence[str], described: Experiment) -> Observed:
    """Spectra of each source without noise, and the other statistics of the noisy maps.

    Parameters
    ----------
    paths
        Files of summaries.
    described
        Experiment whose statistics are in the files.
    """
    contents = [io.load(path) for path in paths]
    bins = contents[0].coordinates["bin"]
    hard, mean = (
        np.concatenate([each.variables[name].values for each in contents]) for name in ("measured", "expected")
    )
    spectra = [name for name, statistic in described.statistics.items() if statistic.is_spectrum]
    is_spectrum = bins["statistic"].isin(spectra).to_numpy()
    of_one_source = (bins["source_2"].isna() | (bins["source_1"] == bins["source_2"])).to_numpy()
    values = np.where(is_spectrum, mean - noise_alone(described), hard)
    box = np.concatenate([each.coordinates["map"]["seed"] for each in contents])
    return Observed(values[:, of_one_source], box, bins[of_one_source])
