"""What data and Jacobians hold, in order: the bins of the data vector and the parameters."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lenscast.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.parameters import PARAMETERS, expanded
from lenscast.statistics import Observation, Statistic


def bin_table(experiment: Experiment) -> pd.DataFrame:
    """The data vector's bins in order, one row each: what selects them, and a unique ``name`` that spells it out.

    Parameters
    ----------
    experiment
        Its statistics, measured on its maps.
    """
    return bins_of(experiment.statistics.values(), observation(experiment))


def bins_of(statistics: Iterable[Statistic], observed: Observation) -> pd.DataFrame:
    """`bin_table` of some statistics, measured through a region and shape noise.

    Parameters
    ----------
    statistics
        Statistics in the order of the data vector.
    observed
        Region and shape noise.
    """
    table = pd.DataFrame([record for each in statistics for record in each.bins(observed)])
    return table.assign(name=[_bin_name(row) for row in table.to_dict("records")])


def _bin_name(row: Mapping[str, Any]) -> str:
    given = [row.get(key) for key in ("source_1", "source_2", "source_3")]
    sources = "-".join(f"{source:.0f}" for source in given if not pd.isna(source))
    scale = "" if pd.isna(row["scale_arcmin"]) else f" {row['scale_arcmin']:.4g} arcmin"
    low, high = ("" if pd.isna(row[end]) else f"{row[end]:g}" for end in ("low", "high"))
    return f"{row['statistic']} {sources}{scale} {low}..{high}"


def jacobian_parameters(experiment: Experiment) -> tuple[str, ...]:
    """Parameters of the Jacobian in its order: those that sources share, then kind by kind those of each source."""
    names = experiment.forecast.parameters
    shared = [name for name in names if not PARAMETERS[name].per_source]
    own = [each for name in names if PARAMETERS[name].per_source for each in expanded(name, experiment.sources)]
    return (*shared, *own)
