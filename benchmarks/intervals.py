"""Whether the intervals of errors hold: disjoint repetitions of a small run, against all of them together.

    python benchmarks/intervals.py [REPETITIONS]

Each repetition has boxes of its own for the covariance and for the derivatives. The true error is taken from the boxes
of all repetitions, twenty times as many. The table says in which share of the repetitions the 68 % interval of an error
has the true one, and how wide the intervals and the scatter of the errors are (docs/benchmarks/intervals.csv).
"""

import os
import sys
from pathlib import Path

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "EQX_ON_ERROR": "nan"}

import numpy as np
import pandas as pd

import lenscast
from lenscast.experiment import Experiment, load
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.fisher.shown_tables import headline_rows

ROOT = Path(__file__).parents[1]
DERIVATIVES, COVARIANCE = 12, 40
"""Boxes of a repetition."""


def experiment() -> Experiment:
    """The default experiment with 32^3 particles and pixels of 4.7 arcmin."""
    edges = [144, 432, 720, 1008, 1296, 1584]
    return load(
        {
            "base": "default",
            "simulation": {"particles": 32},
            "lightcone": {"plane_mesh": 128, "pixels": 64},
            "statistics": {
                "power_spectrum": {"ell_edges": edges},
                "starlet_power_spectrum": None,
                "peaks": {"scales_arcmin": [9.4, 18.8], "snr_edges": [0.0, 1.5, 3.0]},
            },
            "resolution": {"levels": []},
        }
    )


def summaries_of(every: SummarySample, boxes: slice, maps: int) -> SummarySample:
    """Data vectors of some boxes."""
    rows = slice(boxes.start * maps, boxes.stop * maps)
    return every._replace(measured=every.measured[rows], box=every.box[rows], expected=every.expected[boxes])


def jacobians_of(every: Jacobians, boxes: slice) -> Jacobians:
    """Jacobians of some boxes."""
    return every._replace(jacobian=every.jacobian[boxes], expected=every.expected[boxes], box=every.box[boxes])


def errors(summaries: SummarySample, jacobians: Jacobians, described: Experiment) -> pd.DataFrame:
    """Errors with priors and their intervals, by data vector and parameter."""
    tables = {
        name: headline_rows(made.parameters).query("with_priors").set_index("parameter")
        for name, made in lenscast.forecast(summaries, jacobians, described).items()
    }
    columns = ["sigma", "sigma_low", "sigma_high", "bias_share"]
    return pd.concat({name: table[columns] for name, table in tables.items()}, names=["data_vector"])


def main(repetitions: int) -> None:
    """Simulate all repetitions and write the table."""
    described = experiment()
    maps = described.lightcone.realisations_per_box
    summaries = lenscast.summaries(described, range(100000, 100000 + repetitions * COVARIANCE))
    jacobians = lenscast.jacobians(described, range(repetitions * DERIVATIVES))
    true = errors(summaries, jacobians, described)["sigma"]
    found = pd.concat(
        {
            number: errors(
                summaries_of(summaries, slice(number * COVARIANCE, (number + 1) * COVARIANCE), maps),
                jacobians_of(jacobians, slice(number * DERIVATIVES, (number + 1) * DERIVATIVES)),
                described,
            )
            for number in range(repetitions)
        },
        names=["repetition"],
    )
    by_error = found.groupby(["data_vector", "parameter"], sort=False)
    of_each = true.reindex(found.index.droplevel("repetition")).to_numpy()
    holds = (found["sigma_low"] < of_each) & (of_each < found["sigma_high"])
    table = pd.DataFrame(
        {
            "true": true,
            "median": by_error["sigma"].median(),
            "scatter": by_error["sigma"].std(),
            "half_width": ((found["sigma_high"] - found["sigma_low"]) / 2)
            .groupby(["data_vector", "parameter"])
            .median(),
            "share_of_noise": by_error["bias_share"].median(),
            "holds": holds.groupby(["data_vector", "parameter"]).mean(),
        }
    )
    table.loc[("all", ""), "holds"] = holds.mean()
    table.insert(0, "repetitions", repetitions)
    path = ROOT / "docs/benchmarks/intervals.csv"
    table.to_csv(path, float_format="%.4g")
    print(
        table.to_string(float_format=lambda x: f"{x:.3g}"), np.round(holds.groupby("repetition").mean().to_numpy(), 2)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
