"""Data vectors of maps as comparisons take them: spectra without noise, counts with it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast.experiment import Experiment
from lenscast.measurement import noise_alone


class Observed(NamedTuple):
    """Data vectors of maps, of each source plane alone.

    Attributes
    ----------
    values
        Data vector of each map.
    box
        Seed of the box of each map.
    bins
        What the data are.
    """

    values: Float[np.ndarray, "map bin"]
    box: Int[np.ndarray, " map"]
    bins: pd.DataFrame

    @classmethod
    def of(
        cls,
        measured: Float[np.ndarray, "map bin"],
        expected: Float[np.ndarray, "map bin"],
        box: Int[np.ndarray, " map"],
        bins: pd.DataFrame,
        experiment: Experiment,
    ) -> "Observed":
        """Spectra of each source without noise, and the other statistics of the noisy maps.

        Parameters
        ----------
        measured, expected
            Data vector of each noisy map, and its mean over the shape noise.
        box
            Seed of the box of each map.
        bins
            What the data are.
        experiment
            What the statistics are of.
        """
        spectra = [name for name, statistic in experiment.statistics.items() if statistic.is_spectrum]
        is_spectrum = bins["statistic"].isin(spectra).to_numpy()
        of_one_source = (bins["source_2"].isna() | (bins["source_1"] == bins["source_2"])).to_numpy()
        values = np.where(is_spectrum, expected - noise_alone(experiment), measured)
        return cls(values[:, of_one_source], box, bins[of_one_source])
