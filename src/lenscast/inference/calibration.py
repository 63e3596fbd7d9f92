"""Whether learnt posteriors hold the truth as often as they say, on boxes that the training never saw.

Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788) looks at each parameter by itself, and tests of
accuracy with random points (TARP; Lemos et al. 2023, arXiv:2302.03026) at all of them together.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from lenscast.inference.field_tables import coverage_table

__all__ = ["JOINT", "Calibration", "band_95", "calibration", "calibration_table"]

JOINT = "joint"
"""Name of the row for all parameters together."""


class Calibration(NamedTuple):
    """Ranks of the truth of held-out boxes.

    Attributes
    ----------
    names
        Parameters.
    ranks
        Share of the draws of each box below its true value.
    joint
        Share of the draws of each box that are nearer than its truth to a random point.
    """

    names: tuple[str, ...]
    ranks: Float64[np.ndarray, "box param"]
    joint: Float64[np.ndarray, " box"]


def calibration(
    names: tuple[str, ...],
    truth: Float64[np.ndarray, "box param"],
    draws: Float64[np.ndarray, "box draw param"],
    seed: int = 0,
) -> Calibration:
    """Ranks of the truth among the draws of posteriors.

    Parameters
    ----------
    names
        Parameters.
    truth
        True coordinates of each box, independent and standard normal: `SimulatedPrior.coordinates`.
    draws
        Draws of the posterior of each box, in the same coordinates.
    seed
        Seed of the points that distances are measured from.

    Notes
    -----
    If truth and draws come from the same distribution, so do their distances from any point, whose choice decides only
    which errors show. Draws of the prior show both wrong widths and wrong centres.
    """
    ranks = np.mean(draws < truth[:, None], axis=1)
    # a stream of its own: points that equal the truth of a toy would have no draw nearer
    points = np.random.default_rng([seed, len(truth), 1]).standard_normal(truth.shape)
    far, here = (np.sum((each - points[:, None]) ** 2, axis=-1) for each in (draws, truth[:, None]))
    return Calibration(names, ranks, np.mean(far < here, axis=1))


def band_95(boxes: int) -> float:
    """Largest distance of the distribution function of uniform ranks from the diagonal, in 95 % of the cases.

    Parameters
    ----------
    boxes
        Number of independent ranks.
    """
    return float(stats.kstwo.ppf(0.95, boxes))


def calibration_table(found: Calibration) -> pd.DataFrame:
    """Verdict for each parameter, and for all of them together.

    Parameters
    ----------
    found
        Ranks of the truth.

    Returns
    -------
    Table of `field_tables.coverage_table` with ``boxes`` in place of ``mocks``; with the column ``largest_distance``,
    the largest distance of the distribution function from the diagonal over the band that holds it in 95 % of the
    cases; and with a last row ``joint``, of the distances of TARP. Its verdict is ``calibrated`` where
    ``largest_distance`` is below 1, else ``underconfident`` where distances are nearer to the middle than uniform
    ones, and ``overconfident`` where they are farther from it: a shifted posterior is one of these too.
    """
    ranks = dict(zip(found.names, found.ranks.T, strict=True)) | {JOINT: found.joint}
    table = coverage_table(ranks).rename(columns={"mocks": "boxes"})
    distances = [stats.kstest(each, "uniform").statistic / band_95(len(each)) for each in ranks.values()]
    table.insert(3, "largest_distance", distances)
    # truths that scatter more than the draws are farther from any point: the mean of the distances shows no shift
    wrong = "underconfident" if np.mean(np.abs(found.joint - 0.5)) < 0.25 else "overconfident"
    table.loc[len(table) - 1, "verdict"] = "calibrated" if distances[-1] < 1 else wrong
    return table
