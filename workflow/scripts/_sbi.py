"""What the rules of simulation-based inference share: prior, design, compression and simulated data."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lenscast import io
from lenscast.experiment import Experiment
from lenscast.inference import Compression, SimulatedPrior, design


class SimulatedBoxes(NamedTuple):
    """Boxes with parameters of their own.

    Attributes
    ----------
    seeds
        Seeds of the boxes.
    theta
        Parameters of each box.
    features
        Features of the data vectors of each box, of all its maps and noise realisations.
    """

    seeds: np.ndarray
    theta: np.ndarray
    features: np.ndarray

    def of_seeds(self, seeds: Sequence[int]) -> "SimulatedBoxes":
        """The boxes of some seeds."""
        chosen = np.isin(self.seeds, seeds)
        return SimulatedBoxes(*(each[chosen] for each in self))


def prior(described: Experiment) -> SimulatedPrior:
    """Prior of the parameters of the forecast, in their order."""
    ranges = {name: described.prior_ranges[name] for name in described.parameters}
    return SimulatedPrior.inside(ranges, described.fiducial, described.priors)


def parameters(described: Experiment, seeds: Sequence[int]) -> np.ndarray:
    """Parameters of the boxes of some seeds."""
    section = described.simulation_based
    every = design(prior(described), section.boxes, section.seed)
    return every[np.array(seeds) - section.first_seed]


def compression(path: str, made_by: Mapping[str, Any], kind: str) -> Compression:
    """Compression by the file of a forecast."""
    contents = io.load(path, ["mean", "covariance", "jacobian"])
    io.require_made_by(made_by, path, contents)
    mean, covariance, jacobian = (contents.variables[name].values for name in ("mean", "covariance", "jacobian"))
    names = contents.coordinates["bin"]["name"].tolist()
    if kind == "none":
        return Compression.none(names, mean, covariance)
    return Compression.by_score(names, mean, covariance, jacobian)


def boxes(
    paths: Sequence[str],
    seeds: Mapping[str, Sequence[int]],
    made_by: Mapping[str, Mapping[str, Any]],
    by: Compression,
) -> SimulatedBoxes:
    """Compressed data of all boxes, from the files of their batches."""
    found, theta, features = [], [], []
    for batch in io.gathered(paths, seeds, made_by):
        data, names = batch.variables["data"].values, batch.coordinates["bin"]["name"].tolist()
        here = batch.coordinates["box"]["seed"].tolist()
        found += here
        theta.append(batch.variables["theta"].values)
        features.append(by.features(data.reshape(len(here), -1, data.shape[-1]), names))
    return SimulatedBoxes(np.array(found), np.concatenate(theta), np.concatenate(features))


def held_out(described: Experiment) -> list[int]:
    """Seeds of the boxes that calibration alone sees."""
    section = described.simulation_based
    return list(section.seeds[len(section.seeds) - section.held_out :])
