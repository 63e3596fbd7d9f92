"""The Fisher forecast of one data vector: from summaries and Jacobians of many boxes to errors and verdicts."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast.fisher.control import Control, with_control
from lenscast.fisher.covariance import Covariance, sample_covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimators import FisherEstimate, fisher_estimate
from lenscast.fisher.matrices import S8
from lenscast.fisher.names import positions
from lenscast.fisher.reliability import reliability_curve
from lenscast.fisher.tables import fisher_table
from lenscast.fisher.verdicts import Reasons, direction_table

__all__ = ["Forecast", "Jacobians", "ParameterSpace", "SummarySample", "data_vector_forecast"]


class SummarySample(NamedTuple):
    """Data vectors of noisy maps, for the covariance.

    Attributes
    ----------
    measured
        Data vector of each map.
    box
        Seed of each map's box.
    bins
        One row for each element, with the columns ``statistic`` and ``name``.
    expected
        Expected data vector of each box, in ascending order of seed; None where it is not known. A Jacobian can be
        controlled by it.
    """

    measured: Float[np.ndarray, "map bin"]
    box: Int[np.ndarray, " map"]
    bins: pd.DataFrame
    expected: Float[np.ndarray, "box bin"] | None = None


class Jacobians(NamedTuple):
    """Expected data vectors and their derivatives, means over the maps of each box.

    Attributes
    ----------
    jacobian
        Derivatives with respect to the parameters.
    expected
        Expected data vectors.
    box
        Seed of each box, ascending.
    parameters
        Names of the parameters.
    bins
        As for `SummarySample`.
    """

    jacobian: Float[np.ndarray, "box param bin"]
    expected: Float[np.ndarray, "box bin"]
    box: Int[np.ndarray, " box"]
    parameters: tuple[str, ...]
    bins: pd.DataFrame


class ParameterSpace(NamedTuple):
    """What is forecast, and what was known before.

    Attributes
    ----------
    names
        Parameters of the Fisher matrix.
    nuisance
        Those of `names` that a second set of rows holds fixed.
    fiducial
        Value of each parameter, and possibly of others.
    priors
        Standard deviation of the Gaussian prior of each parameter that has one.
    """

    names: tuple[str, ...]
    nuisance: tuple[str, ...]
    fiducial: Mapping[str, float]
    priors: Mapping[str, float]


class Forecast(NamedTuple):
    """Fisher forecast of one data vector.

    Attributes
    ----------
    estimate
        Fisher matrices by all estimators, with their noise bias.
    covariance
        Covariance and mean of the data of one field.
    bins
        The elements of the data vector, one row each.
    parameters
        Errors by estimator, with and without priors, each with its verdict: `fisher_table`.
    directions
        Directions in parameter space: measured, set by the prior, or limited by simulations: `direction_table`.
    reliability
        Errors against the number of boxes: `reliability_curve`.
    """

    estimate: FisherEstimate
    covariance: Covariance
    bins: pd.DataFrame
    parameters: pd.DataFrame
    directions: pd.DataFrame
    reliability: pd.DataFrame


def data_vector_forecast(
    summaries: SummarySample,
    jacobians: Jacobians,
    statistics: Sequence[str],
    space: ParameterSpace,
    area_ratio: float,
    controlled: Collection[str] = (),
    further: Reasons | None = None,
) -> Forecast:
    """Fisher forecast of the data vector that joins some statistics.

    Parameters
    ----------
    summaries, jacobians
        Of all statistics.
    statistics
        Names of the statistics in the data vector.
    space
        Parameters, fiducial values and priors.
    area_ratio
        Survey area over the area of the region of a map.
    controlled
        Statistics whose Jacobians are controlled by the expected data of all boxes, where `summaries` have them. Each
        group of bins with the same statistic, scale and sources controls itself.
    further
        Further reasons why the information may be wrong, as for `verdicts.along`.

    Raises
    ------
    ValueError
        As `sample_covariance`, `DerivativeSample`, `control.controlled` and `fisher_estimate`.
    """
    bins = summaries.bins[summaries.bins["statistic"].isin(statistics)]
    data, chosen = tuple(bins["name"]), summaries.bins["statistic"].isin(statistics).to_numpy()
    covariance = sample_covariance(summaries.measured[:, chosen], summaries.box, data)
    derivatives = DerivativeSample(
        parameters=jacobians.parameters,
        data=tuple(jacobians.bins["name"]),
        box=jacobians.box,
        jacobian=jacobians.jacobian,
    ).select(space.names, data)
    control = _control(summaries, jacobians, bins, [name for name in statistics if name in controlled])
    if control is not None:
        derivatives = with_control(derivatives, control)
    estimate = fisher_estimate(derivatives, covariance, space.fiducial, area_ratio)
    derived = [S8(space.fiducial)] if {"sigma8", "Omega_c"} <= {*space.names} else []
    table = fisher_table(estimate, space.priors, derived, further=further)
    if space.nuisance:
        priors = {name: width for name, width in space.priors.items() if name not in space.nuisance}
        free = [index for index, name in enumerate(estimate.names) if name not in space.nuisance]
        of_free = {reason: matrix[np.ix_(free, free)] for reason, matrix in (further or {}).items()}
        known = estimate.with_fixed(space.nuisance, space.priors)
        fixed = fisher_table(known, priors, derived, systematics="fixed", further=of_free)
        table = pd.concat([table, fixed], ignore_index=True)
    directions = direction_table(estimate, space.priors, further)
    return Forecast(estimate, covariance, bins, table, directions, reliability_curve(estimate, space.priors))


def _control(
    summaries: SummarySample, jacobians: Jacobians, bins: pd.DataFrame, statistics: Sequence[str]
) -> Control | None:
    """Data that control the Jacobians of some statistics; None where there are none."""
    if summaries.expected is None or not statistics:
        return None
    here, elsewhere = jacobians.expected, summaries.expected
    seeds = np.unique(summaries.box)
    if elsewhere.shape != (len(seeds), len(summaries.bins)):
        raise ValueError(
            f"expected data of shape {elsewhere.shape} for {len(seeds)} boxes and {len(summaries.bins)} bins: "
            "give the expected data of all boxes of the summaries"
        )
    data = tuple(bins["name"])
    columns = positions(data, tuple(jacobians.bins["name"]), "data element")
    elsewhere = elsewhere[:, positions(data, tuple(summaries.bins["name"]), "data element")]
    rows = bins.reset_index(drop=True)
    rows = rows[rows["statistic"].isin(statistics)]
    keys = [key for key in ("statistic", "scale_arcmin", "source_1", "source_2") if key in rows]
    blocks = [group.index.to_numpy() for _, group in rows.groupby(keys, sort=False, dropna=False)]
    # a box that has both is counted once
    return Control(here[:, columns], elsewhere[~np.isin(seeds, jacobians.box)], blocks)
