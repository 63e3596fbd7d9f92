"""Everything of a run in one HDF5 with dimension scales, which xarray opens with named dimensions and coordinates.

The root group has what a forecast starts from: data vectors of maps, Jacobians of boxes, parameters, n(z) and the
survey. It is a file of arrays as well, which `io.load_arrays` reads. Each data vector is a group of its own, with its
covariance, Fisher matrices and errors. Dimensions and variables are listed in docs/exports.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd

from lenscast.experiment import Experiment
from lenscast.exports.forecast_files import ForecastFiles
from lenscast.exports.sacc_file import number_density
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.fisher.shown_tables import posterior_rows
from lenscast.io.atomic import appearing
from lenscast.sources import redshift_distributions

Columns = Mapping[str, tuple[tuple[str, ...], Any, str, str]]
"""Dimensions, values, unit and meaning of each variable by name."""


class Samples(NamedTuple):
    """Data vectors of maps and Jacobians of boxes."""

    summaries: SummarySample
    jacobians: Jacobians


def save_dataset(
    path: str | Path,
    samples: Samples,
    forecasts: Mapping[str, ForecastFiles],
    experiment: Experiment,
    provenance: Mapping[str, str],
) -> None:
    """Write samples, n(z) and forecasts of a run.

    Parameters
    ----------
    path
        File to make.
    samples
        What the forecasts are made of.
    forecasts
        Forecasts by data vector.
    experiment
        The experiment of the run.
    provenance
        Attributes of the file.
    """
    with appearing(Path(path)) as temporary, _created(temporary) as file:
        for key, text in provenance.items():
            file.attrs[key] = text
        _write(file, {**_samples(*samples), **_parameters(experiment, samples), **_survey(experiment, forecasts)})
        for name, forecast in forecasts.items():
            _write(file.create_group(name, track_order=True), _forecast(forecast))


def _created(path: Path) -> h5py.File:
    """A new file, of a version of HDF5's format whose attributes may be longer than 64 kB."""
    return h5py.File(path, "w", libver=("v110", "v110"), track_order=True)


def _samples(summaries: SummarySample, jacobians: Jacobians) -> Columns:
    """Data vectors of maps and Jacobians of boxes."""
    of_boxes: Columns = {}
    if summaries.expected is not None:
        of_boxes = {
            "box_of_covariance": (
                ("box_of_covariance",), np.unique(summaries.box), "1", "seed of a box without tangents"
            ),
            "expected_of_covariance": (
                ("box_of_covariance", "bin"), summaries.expected, "see unit", "mean data vector of a box"
            ),
        }  # fmt: skip
    return {
        **_bins(summaries.bins),
        "summaries": (("map", "bin"), summaries.measured, "see unit", "data vector of a noisy map"),
        "summary_box": (("map",), summaries.box, "1", "seed of the box of a map"),
        "box": (("box",), jacobians.box, "1", "seed of a box with tangents"),
        "parameter": (("parameter",), list(jacobians.parameters), "", "parameter"),
        "jacobians": (("box", "parameter", "bin"), jacobians.jacobian, "see unit", "mean Jacobian of a box"),
        "expected": (("box", "bin"), jacobians.expected, "see unit", "mean data vector of a box"),
        **of_boxes,
    }


def _parameters(experiment: Experiment, samples: Samples) -> Columns:
    """Fiducial values and priors in the order of the Jacobian; NaN for no prior."""
    names, axis = samples.jacobians.parameters, ("parameter",)
    priors = [experiment.priors.get(name, np.nan) for name in names]
    fixed = {name: value for name, value in experiment.fiducial.items() if name not in names}
    return {
        "fiducial": (axis, [experiment.fiducial[name] for name in names], "", "fiducial value"),
        "prior": (axis, priors, "", "standard deviation of the Gaussian prior, NaN for none"),
        "fixed": (("fixed",), list(fixed), "", "parameter that does not vary"),
        "fixed_value": (("fixed",), list(fixed.values()), "", "its value"),
    }


def _survey(experiment: Experiment, forecasts: Mapping[str, ForecastFiles]) -> Columns:
    """Redshift distributions, numbers of galaxies and areas."""
    survey, distributions = experiment.survey, redshift_distributions(experiment.survey.sources)
    curves = [number_density(distributions, source) for source in range(experiment.sources)]
    z = np.unique(np.concatenate([each[0] for each in curves]))
    n = np.array([np.interp(z, *curve, left=0, right=0) for curve in curves])
    ratio = float(next(iter(forecasts.values())).constant("area_ratio"))
    return {
        "source": (("source",), np.arange(experiment.sources), "1", "source bin"),
        "z": (("z",), z, "1", "redshift"),
        "n_of_z": (("source", "z"), n, "1", "galaxies per redshift, normalised"),
        "n_gal": (("source",), list(survey.n_gal), "arcmin^-2", "galaxies per square arcminute"),
        "sigma_e": ((), survey.sigma_e, "1", "shape noise per ellipticity component"),
        "area_deg2": ((), survey.area_deg2, "deg^2", "area of the survey"),
        "area_ratio": ((), ratio, "1", "area of the survey over that of a field"),
    }


def _forecast(forecast: ForecastFiles) -> Columns:
    """Matrices and errors of one data vector."""
    both = ("parameter", "parameter_2")
    rows = posterior_rows(forecast.table).set_index("parameter").loc[list(forecast.names)]
    names = list(forecast.names)
    numbers = {
        "sigma": "marginal error of the headline, with priors",
        "sigma_low": "lower limit of the error, 68 %",
        "sigma_high": "upper limit of the error, 68 %",
    }
    return {
        **_bins(forecast.bins),
        "bin_2": (("bin_2",), forecast.bins["name"].tolist(), "", "name of the datum"),
        "parameter": (("parameter",), names, "", "parameter"),
        "parameter_2": (("parameter_2",), names, "", "parameter"),
        "mean": (("bin",), forecast.mean, "see unit", "mean data vector of a field"),
        "covariance": (("bin", "bin_2"), forecast.covariance, "see unit", "covariance of the data of a field"),
        "jacobian": (("parameter", "bin"), forecast.jacobian, "see unit", "mean Jacobian, control included"),
        "scale": ((), forecast.scale, "1", "Hartlap's factor times the ratio of areas"),
        "fisher_standard": (both, forecast.standard, "", "information of the mean Jacobian, noise included"),
        "fisher": (both, forecast.headline, "", "information of the headline estimator, without priors"),
        "prior_information": (both, forecast.priors, "", "information of the priors"),
        "parameter_covariance": (both, forecast.posterior.matrix, "", "covariance of the posterior, with priors"),
        "fiducial": (("parameter",), forecast.fiducial, "", "fiducial value"),
        **{name: (("parameter",), rows[name].to_numpy(), "", text) for name, text in numbers.items()},
        "verdict": (("parameter",), rows["verdict"].tolist(), "", "verdict on the error (docs/forecasts.md)"),
    }


def _bins(bins: pd.DataFrame) -> Columns:
    """Coordinates along the data vector."""
    texts = {
        "statistic": "statistic of the datum",
        "source_1": "first source bin",
        "source_2": "second source bin, NaN for none",
        "source_3": "third source bin, NaN for none",
        "scale_arcmin": "scale of the filter [arcmin], NaN for none",
        "low": "lower edge of the bin, NaN where it is open",
        "high": "upper edge of the bin, NaN where it is open",
        "centre": "centre of the bin",
        "unit": "unit of the datum",
    }
    columns = {
        name: bins[name].tolist() if pd.api.types.is_string_dtype(bins[name]) else bins[name].to_numpy(float)
        for name in texts
        if name in bins
    }
    return {
        "bin": (("bin",), bins["name"].tolist(), "", "name of the datum"),
        **{name: (("bin",), column, "", texts[name]) for name, column in columns.items()},
    }


def _write(group: h5py.Group, columns: Columns) -> None:
    """Write variables; those that are named as their only dimension are its scale."""
    for name, (axes, values, unit, meaning) in columns.items():
        array = np.asarray(values)
        if array.dtype.kind == "U":
            dataset = group.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
        else:
            dataset = group.create_dataset(name, data=array)
        if axes == (name,):
            dataset.make_scale(name)
        dataset.attrs["long_name"] = meaning
        if unit:
            dataset.attrs["units"] = unit
    lengths: dict[str, int] = {}
    for name, (axes, *_) in columns.items():
        lengths |= dict(zip(axes, group[name].shape, strict=True))
    for axis, length in lengths.items():
        if axis not in columns:  # a dimension without coordinates is numbered
            group.create_dataset(axis, data=np.arange(length)).make_scale(axis)
    for name, (axes, *_) in columns.items():
        if axes != (name,):
            for dimension, axis in zip(group[name].dims, axes, strict=True):
                dimension.attach_scale(group[axis])
