"""The Fisher forecast of one data vector: from summaries and Jacobians of many boxes to errors and verdicts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.fisher.control import Control, with_control
from lenscast.fisher.covariance import Covariance, sample_covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.derived import derived_parameters
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimation import fisher_estimate
from lenscast.fisher.gaussian_bins import LIMITS, GaussianBins, gaussian_table
from lenscast.fisher.names import positions
from lenscast.fisher.reliability import reliability_curve
from lenscast.fisher.resolution import BIN_COLUMNS, KEYS, Level, change, resolution_reason, resolution_tables, widened
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.fisher.tables import fisher_table
from lenscast.fisher.two_levels import COLUMNS, two_level_mean
from lenscast.fisher.verdicts import direction_table


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


@dataclass(frozen=True)
class ForecastOptions:
    """What a forecast may know besides samples.

    Attributes
    ----------
    controlled
        Statistics whose Jacobians are controlled by the expected data of all boxes, where the summaries have them. Each
        group of bins with the same statistic, scale and sources controls itself.
    levels
        Boxes at coarser resolutions. The mean Jacobian is one of two levels where one of them has further boxes.
    scale_cuts
        ``resolved`` to leave out bins whose derivatives are not resolved at one of the levels, or ``none``.
    counts
        Statistics that count objects.
    gaussian_bins
        Limits of what counts as Gaussian.
    drop_bins
        ``auto`` to leave out bins beyond these limits, or ``none``.
    """

    controlled: Collection[str] = ()
    levels: Sequence[Level] = ()
    scale_cuts: Literal["none", "resolved"] = "none"
    counts: Collection[str] = ()
    gaussian_bins: GaussianBins = LIMITS
    drop_bins: Literal["none", "auto"] = "none"


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
    resolution
        Change of each bin between levels of resolution, those that scale cuts leave out first: `resolution_tables`.
    gaussian
        Whether the data of each bin are Gaussian enough, those that are left out among them: `gaussian_table`.
    two_levels
        What a mean of two levels gains for each statistic: `two_level_mean`. It has no rows without such a mean.
    """

    estimate: FisherEstimate
    covariance: Covariance
    bins: pd.DataFrame
    parameters: pd.DataFrame
    directions: pd.DataFrame
    reliability: pd.DataFrame
    resolution: pd.DataFrame
    gaussian: pd.DataFrame
    two_levels: pd.DataFrame


def data_vector_forecast(
    summaries: SummarySample,
    jacobians: Jacobians,
    statistics: Sequence[str],
    space: ParameterSpace,
    area_ratio: float,
    options: ForecastOptions | None = None,
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
    options
        Control of the Jacobian, levels of resolution, scale cuts, and bins that are not Gaussian.

    Raises
    ------
    ValueError
        As `sample_covariance`, `DerivativeSample`, `control.controlled` and `fisher_estimate`.
    """
    options = options or ForecastOptions()
    bins = summaries.bins[summaries.bins["statistic"].isin(statistics)]
    gaussian = gaussian_table(summaries, bins, options.counts, options.gaussian_bins)
    if options.drop_bins == "auto":
        every, bins = len(bins), bins[(gaussian["verdict"] == "Gaussian").to_numpy()]
        if len(bins) < len(space.names):
            raise ValueError(
                f"forecast.drop_bins: {len(bins)} of {every} bins are Gaussian, fewer than the {len(space.names)} "
                "parameters: widen the bins, widen forecast.gaussian_bins, or set drop_bins: none"
            )
    estimate, covariance, gains = _estimate(summaries, jacobians, bins, space, area_ratio, options)
    bin_tables, parameter_tables, reasons = [], [], {}
    if options.levels and options.scale_cuts == "resolved":
        verdicts = pd.concat([_resolution(level, estimate, covariance, space)[0] for level in options.levels])
        unresolved = {*verdicts.loc[verdicts["verdict"] == "not resolved", "name"]}
        bin_tables.append(verdicts[verdicts["name"].isin(unresolved)])
        bins = bins[~bins["name"].isin(unresolved)]
        if len(bins) < len(space.names):
            limits = {*verdicts.loc[verdicts["verdict"] == "not resolved", "level"]}
            keys = " and ".join(key for level, key in KEYS.items() if level in limits)
            raise ValueError(
                f"forecast.scale_cuts: {len(bins)} of {len(covariance.data)} bins are resolved, fewer than the "
                f"{len(space.names)} parameters: raise {keys}, or set scale_cuts: none"
            )
        estimate, covariance, gains = _estimate(summaries, jacobians, bins, space, area_ratio, options)
    for level in options.levels:
        of_bins, of_parameters, reason = _resolution(level, estimate, covariance, space)
        bin_tables.append(of_bins)
        parameter_tables.append(of_parameters)
        reasons[f"resolution in {level.name}"] = reason
    derived = derived_parameters(space.names, space.fiducial)
    table = fisher_table(estimate, space.priors, derived, further=reasons)
    if space.nuisance:
        priors = {name: width for name, width in space.priors.items() if name not in space.nuisance}
        free = [index for index, name in enumerate(estimate.names) if name not in space.nuisance]
        of_free = {reason: matrix[np.ix_(free, free)] for reason, matrix in reasons.items()}
        known = estimate.with_fixed(space.nuisance, space.priors)
        fixed = fisher_table(known, priors, derived, systematics="fixed", further=of_free)
        table = pd.concat([table, fixed], ignore_index=True)
    resolution = pd.concat(bin_tables, ignore_index=True) if bin_tables else pd.DataFrame(columns=BIN_COLUMNS)
    of_parameters = pd.concat(parameter_tables, ignore_index=True) if parameter_tables else None
    return Forecast(
        estimate,
        covariance,
        bins,
        table if of_parameters is None else widened(table, of_parameters),
        direction_table(estimate, space.priors, reasons),
        reliability_curve(estimate, space.priors),
        resolution,
        gaussian,
        gains,
    )


def _estimate(
    summaries: SummarySample,
    jacobians: Jacobians,
    bins: pd.DataFrame,
    space: ParameterSpace,
    area_ratio: float,
    options: ForecastOptions,
) -> tuple[FisherEstimate, Covariance, pd.DataFrame]:
    """Fisher matrices of some bins, the covariance of their data, and what two levels gain."""
    data, chosen = tuple(bins["name"]), summaries.bins["name"].isin(bins["name"]).to_numpy()
    covariance = sample_covariance(summaries.measured[:, chosen], summaries.box, data)
    derivatives, gains = DerivativeSample.of(jacobians, space.names, data), pd.DataFrame(columns=COLUMNS)
    for level in options.levels:
        if level.further is not None:
            coarse, further = (DerivativeSample.of(each, space.names, data) for each in (level.coarse, level.further))
            derivatives, gains = two_level_mean(derivatives, coarse, further, list(bins["statistic"]))
    controlled = [name for name in bins["statistic"].unique() if name in options.controlled]
    control = _control(summaries, jacobians, bins, controlled)
    if control is not None:
        derivatives = with_control(derivatives, control)
    return fisher_estimate(derivatives, covariance, space.fiducial, area_ratio), covariance, gains


def _resolution(
    level: Level, estimate: FisherEstimate, covariance: Covariance, space: ParameterSpace
) -> tuple[pd.DataFrame, pd.DataFrame, Float[np.ndarray, "param param"]]:
    """What a level says of each bin and each parameter, and of the information."""
    found = change(level, estimate.names, covariance.data)
    tables = resolution_tables(found, level.name, estimate, covariance, space.priors)
    return *tables, resolution_reason(found, estimate, covariance)


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
