"""The Fisher forecast of one data vector: from summaries and Jacobians of many boxes to errors and verdicts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast.fisher.covariance import Covariance, sample_covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimators import FisherEstimate, fisher_estimate
from lenscast.fisher.matrices import S8
from lenscast.fisher.reliability import direction_table, reliability_curve
from lenscast.fisher.tables import fisher_table

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
    """

    measured: Float[np.ndarray, "map bin"]
    box: Int[np.ndarray, " map"]
    bins: pd.DataFrame


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
        Directions in parameter space by the share of noise in their information: `direction_table`.
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

    Raises
    ------
    ValueError
        As `sample_covariance`, `DerivativeSample` and `fisher_estimate`.
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
    estimate = fisher_estimate(derivatives, covariance, space.fiducial, area_ratio)
    derived = [S8(space.fiducial)] if {"sigma8", "Omega_c"} <= {*space.names} else []
    table = fisher_table(estimate, space.priors, derived)
    if space.nuisance:
        priors = {name: width for name, width in space.priors.items() if name not in space.nuisance}
        fixed = fisher_table(estimate.with_fixed(space.nuisance), priors, derived, systematics="fixed")
        table = pd.concat([table, fixed], ignore_index=True)
    curve = reliability_curve(derivatives, covariance, space.fiducial, area_ratio, space.priors)
    return Forecast(estimate, covariance, bins, table, direction_table(estimate), curve)
