"""Files of a campaign's products: summaries, Jacobians and forecasts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lenscast.experiment import Experiment
from lenscast.fisher.boxes import BoxMeans
from lenscast.fisher.data_vector import Forecast
from lenscast.fisher.estimators import ESTIMATORS, HEADLINE, clipped, find_estimator, whole_estimators
from lenscast.fisher.matrices import FisherMatrix, ParameterCovariance, prior_information
from lenscast.fisher.resolution import Level
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.io.coordinates import miscounted
from lenscast.io.reading import load
from lenscast.io.variables import Contents, Variable
from lenscast.io.writing import save
from lenscast.validation.observed import Observed


def save_summaries(
    path: str | Path,
    maps: Sequence[pd.DataFrame],
    measured: Sequence[np.ndarray],
    expected: Sequence[BoxMeans],
    bins: pd.DataFrame,
    provenance: Mapping[str, str],
) -> pd.DataFrame:
    """Write data vectors of all maps in the order of their seeds.

    Parameters
    ----------
    path
        File to make.
    maps, measured
        Seed and realisation of the maps of each piece, and their data vectors.
    expected
        Mean data vectors of the boxes of each piece, over views and shape noise.
    bins
        The elements of the data vector.
    provenance
        Provenance of the file.

    Returns
    -------
    Seed and realisation of all maps, in the order of the file.

    Raises
    ------
    ValueError
        If a map comes twice, boxes have different numbers of maps, or the boxes with expected data are others.
    """
    index = pd.concat(maps, ignore_index=True)
    order = np.argsort(index["seed"], kind="stable")
    index = index.iloc[order].reset_index(drop=True)
    box = np.concatenate([each.box for each in expected])
    _require_counted(path, "map", index)
    _require_counted(path, "box", pd.DataFrame({"seed": box}))
    if lost := sorted({*index["seed"]} ^ {*box}):
        raise ValueError(f"{path}: seeds {lost} have maps or expected data, and not both: measure them again")
    mean = np.concatenate([each.mean for each in expected])[np.argsort(box, kind="stable")]
    variables = {
        "measured": Variable(np.concatenate(measured)[order], ("map", "bin"), "see bins", "statistics of noisy maps"),
        "expected": Variable(mean, ("box", "bin"), "see bins", "mean data vector of a box"),
    }
    save(path, variables, {"map": index, "box": {"seed": np.sort(box).tolist()}, "bin": bins}, provenance)
    return index


def save_jacobians(
    path: str | Path,
    jacobians: Sequence[BoxMeans],
    expected: Sequence[BoxMeans],
    axes: Mapping[str, pd.DataFrame],
    provenance: Mapping[str, str],
) -> np.ndarray:
    """Write Jacobians and expected data vectors of all boxes in the order of their seeds.

    Returns
    -------
    Seeds of the boxes, in the order of the file.

    Raises
    ------
    ValueError
        If a box comes twice.
    """
    box = np.concatenate([each.box for each in jacobians])
    _require_counted(path, "box", pd.DataFrame({"seed": box}))
    order = np.argsort(box, kind="stable")
    jacobian, mean = (np.concatenate([each.mean for each in pieces])[order] for pieces in (jacobians, expected))
    variables = {
        "jacobian": Variable(jacobian, ("box", "param", "bin"), "see bins", "mean Jacobian of a box's maps"),
        "expected": Variable(mean, ("box", "bin"), "see bins", "mean data vector of a box's maps"),
    }
    save(path, variables, {"box": {"seed": box[order].tolist()}, **axes}, provenance)
    return box[order]


def _require_counted(path: str | Path, axis: str, index: pd.DataFrame) -> None:
    """Refuse pieces that do not add up to a file."""
    if wrong := miscounted(axis, index):
        raise ValueError(f"{path}: {wrong}: join each batch and each run once")


def load_observed(paths: Sequence[str], experiment: Experiment) -> Observed:
    """Data vectors of the maps of some batches, as comparisons take them.

    Parameters
    ----------
    paths
        Files of the rule measure.
    experiment
        Experiment whose statistics are in the files.
    """
    contents = [load(path, ["measured", "expected"]) for path in paths]
    measured, expected = (
        np.concatenate([each.variables[name].values for each in contents]) for name in ("measured", "expected")
    )
    box = np.concatenate([each.coordinates["map"]["seed"] for each in contents])
    return Observed.of(measured, expected, box, contents[0].coordinates["bin"], experiment)


def load_summaries(path: str | Path) -> SummarySample:
    """Data vectors of noisy maps, and expected ones of their boxes where they are known, from the file of a campaign.

    Parameters
    ----------
    path
        File that `save_summaries` wrote.

    Raises
    ------
    ValueError
        If the boxes with expected data are not those of the maps, in ascending order.
    """
    contents = load(path)
    seeds = contents.coordinates["map"]["seed"].to_numpy()
    expected = None
    if "expected" in contents.variables:
        expected = contents.variables["expected"].values
        if not np.array_equal(contents.coordinates["box"]["seed"], np.unique(seeds)):
            raise ValueError(f"{path} has expected data of other boxes than its maps: gather it again")
    return SummarySample(contents.variables["measured"].values, seeds, contents.coordinates["bin"], expected)


def load_jacobians(path: str | Path) -> Jacobians:
    """Expected data vectors and Jacobians of boxes, from the file of a campaign."""
    contents = load(path)
    return Jacobians(
        jacobian=contents.variables["jacobian"].values,
        expected=contents.variables["expected"].values,
        box=contents.coordinates["box"]["seed"].to_numpy(),
        parameters=tuple(contents.coordinates["param"]["name"]),
        bins=contents.coordinates["bin"],
    )


def load_level(name: str, batches: Sequence[Contents], fine: Jacobians) -> Level:
    """Boxes at a coarser resolution, from the files of their batches, and the same boxes of `fine`.

    Boxes that `fine` does not have are further ones, for a mean of two levels.
    """
    seeds = np.concatenate([each.coordinates["box"]["seed"] for each in batches])
    jacobian, expected = (
        np.concatenate([each.variables[variable].values for each in batches]) for variable in ("jacobian", "expected")
    )
    every = fine._replace(jacobian=jacobian, expected=expected, box=seeds).in_boxes(np.argsort(seeds))
    is_shared = np.isin(every.box, fine.box)
    further = None if is_shared.all() else every.in_boxes(~is_shared)
    return Level(name, fine.in_boxes(np.isin(fine.box, seeds)), every.in_boxes(is_shared), further)


def save_forecast(
    path: str | Path, forecast: Forecast, priors: Mapping[str, float], provenance: Mapping[str, str]
) -> None:
    """Write the matrices of a forecast."""
    estimate, covariance = forecast.estimate, forecast.covariance
    information = prior_information(estimate.names, priors)
    matrices = {
        **{
            name: (estimate.fisher(name, priors).matrix, "param", f"Fisher matrix, {ESTIMATORS[name].meaning}")
            for name in whole_estimators()
        },
        "bias": (estimate.bias, "param", "noise bias of the standard estimator"),
        "priors": (information, "param", "information of the priors"),
        "covariance": (covariance.matrix, "bin", "covariance of the data of one field"),
        "correlation": (covariance.correlation, "bin", "correlation matrix of the data"),
    }
    variables = {
        name: Variable(matrix, (axis, axis), "see axes", text) for name, (matrix, axis, text) in matrices.items()
    }
    meaning = "Hartlap's factor times the area of the survey over that of a field"
    # the Jacobian that the matrices are made of, control included: whitened rows w = L^-1 D, with C = L L^T
    jacobian = estimate.moments.mean @ np.linalg.cholesky(covariance.matrix).T
    variables["jacobian"] = Variable(jacobian, ("param", "bin"), "see bins", "mean Jacobian")
    variables["scale"] = Variable(np.array(estimate.scale), (), "1", meaning)
    variables["mean"] = Variable(covariance.mean, ("bin",), "see bins", "mean data vector")
    coordinates = {"param": {"name": list(estimate.names), "fiducial": list(estimate.fiducial)}, "bin": forecast.bins}
    save(path, variables, coordinates, provenance)


def load_information(path: str | Path) -> FisherMatrix:
    """Information on the parameters of a forecast's file, by the headline estimator and without priors.

    Parameters
    ----------
    path
        File of a forecast, ``results/<run>/fisher/<data vector>.h5``.
    """
    forecast = load(path, [HEADLINE])
    parameters = forecast.coordinates["param"]
    names, fiducial = tuple(parameters["name"]), parameters["fiducial"].to_numpy()
    return FisherMatrix(names, fiducial, forecast.variables[HEADLINE].values)


def load_forecast(path: str | Path, fixed: Sequence[str] = (), estimator: str = HEADLINE) -> ParameterCovariance:
    """Gaussian posterior of a forecast's file, with priors.

    Parameters
    ----------
    path
        File of a forecast, ``results/<run>/fisher/<data vector>.h5``.
    fixed
        Parameters that are held fixed; the others are marginalised over.
    estimator
        ``cross``, the headline, or ``standard``, which counts the noise of derivatives as information.

    Raises
    ------
    ValueError
        If the estimator is unknown or not in the file (lists the names), or the posterior is singular (names the
        direction).
    """
    find_estimator(estimator, whole_estimators())
    forecast = load(path, ["standard", "bias", "priors"])
    parameters, matrices = forecast.coordinates["param"], forecast.variables
    standard, bias, priors = (matrices[name].values for name in ("standard", "bias", "priors"))
    names, fiducial = tuple(parameters["name"]), parameters["fiducial"].to_numpy()
    free = [name for name in names if name not in fixed]
    posterior = FisherMatrix(names, fiducial, standard + priors).select(free).inverse()
    if estimator == "standard":
        return posterior
    return FisherMatrix(names, fiducial, clipped(standard, bias, priors) + priors).select(free).inverse()
