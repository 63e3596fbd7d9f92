"""Files of simulation-based inference: simulated boxes, flows with all that it takes to use them, calibration."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import numpy as np

from lenscast.inference.calibration import Calibration
from lenscast.inference.compression import Compression
from lenscast.inference.flow_training import TrainedFlow
from lenscast.inference.flows import ConditionalFlow, FlowShape, Regression, untrained_flow
from lenscast.inference.simulated_boxes import SimulatedBoxes
from lenscast.io.batch_files import gathered, require_made_by
from lenscast.io.reading import load
from lenscast.io.variables import Variable
from lenscast.io.writing import save

_OF_REGRESSION = {
    "centre": (("feature",), "mean of the features"),
    "scale": (("feature",), "standard deviation of the features"),
    "mean": (("param",), "mean of the coordinates of the parameters"),
    "slope": (("param", "feature"), "slope of the regression of the coordinates on the scaled features"),
    "factor": (("param", "param"), "root of the covariance of its residuals"),
}
_OF_TRAINING = {"training": "the training", "validation": "the validation boxes"}


def load_compression(path: str | Path, made_by: Mapping[str, Any], kind: Literal["score", "none"]) -> Compression:
    """The compression that the file of a forecast gives.

    Parameters
    ----------
    path
        File of a forecast.
    made_by
        Settings that must have made it.
    kind
        By the score, or none.

    Raises
    ------
    ValueError
        If the file was made with other settings.
    """
    contents = load(path, ["mean", "covariance", "jacobian"])
    require_made_by(made_by, path, contents)
    mean, covariance, jacobian = (contents.variables[name].values for name in ("mean", "covariance", "jacobian"))
    names = contents.coordinates["bin"]["name"].tolist()
    if kind == "none":
        return Compression.none(names, mean, covariance)
    return Compression.by_score(names, mean, covariance, jacobian)


def load_simulated_boxes(
    paths: Sequence[str],
    seeds: Mapping[str, Sequence[int]],
    made_by: Mapping[str, Mapping[str, Any]],
    compression: Compression,
) -> SimulatedBoxes:
    """Parameters and compressed data of all boxes.

    Parameters
    ----------
    paths, seeds, made_by
        Files of batches, with the seeds and the settings that each must have, see `gathered`.
    compression
        From data to features.

    Raises
    ------
    ValueError
        If a file has other boxes or was made with other settings.
    """
    found, theta, features = [], [], []
    for batch in gathered(paths, seeds, made_by):
        data, names = batch.variables["data"].values, batch.coordinates["bin"]["name"].tolist()
        here = batch.coordinates["box"]["seed"].tolist()
        found += here
        theta.append(batch.variables["theta"].values)
        features.append(compression.features(data.reshape(len(here), -1, data.shape[-1]), names))
    return SimulatedBoxes(np.array(found), np.concatenate(theta), np.concatenate(features))


def save_flow(path: str | Path, trained: TrainedFlow, names: tuple[str, ...], provenance: Mapping[str, str]) -> None:
    """Write a flow.

    Parameters
    ----------
    path
        File to make.
    trained
        Flow and history of its training.
    names
        Parameters.
    provenance
        Provenance of the file.
    """
    flow = trained.flow
    variables = {
        name: Variable(getattr(flow.regression, name), axes, "1", text) for name, (axes, text) in _OF_REGRESSION.items()
    }
    for name, text in _OF_TRAINING.items():
        history = getattr(trained, name)
        variables[name] = Variable(history, ("epoch",), "1", f"mean logarithm of the density of {text}")
    for number, leaf in enumerate(_leaves(flow.flow)):
        axes = tuple(f"size_{size}" for size in leaf.shape)
        variables[f"weights_{number}"] = Variable(np.asarray(leaf), axes, "1", "array of the flow, in the order of JAX")
    shape = {"shape": json.dumps(asdict(flow.shape), sort_keys=True)}
    save(path, variables, {"param": {"name": list(names)}}, {**provenance, **shape})


def load_flow(path: str | Path) -> TrainedFlow:
    """A flow from a file of `save_flow`.

    Parameters
    ----------
    path
        File.

    Raises
    ------
    ValueError
        If the file is damaged, of another kind, or the flow of another version of flowjax.
    ImportError
        If flowjax is not installed.
    """
    contents = load(path)
    if "shape" not in contents.provenance:
        raise ValueError(f"{path} is no flow: give a file of the rule train_posterior")
    arrays = {name: each.values for name, each in contents.variables.items()}
    shape = FlowShape(**json.loads(contents.provenance["shape"]))
    template = untrained_flow(shape, 0)
    dynamic, rest = eqx.partition(template, eqx.is_array)
    leaves, structure = jax.tree.flatten(dynamic)
    found = [arrays[f"weights_{number}"] for number in range(sum(name.startswith("weights_") for name in arrays))]
    if [each.shape for each in found] != [leaf.shape for leaf in leaves]:
        raise ValueError(f"{path}: its flow is of another version of flowjax; remove it and run the same command again")
    weights = [jax.numpy.asarray(each, leaf.dtype) for each, leaf in zip(found, leaves, strict=True)]
    flow = eqx.combine(jax.tree.unflatten(structure, weights), rest)
    regression = Regression(*(arrays[name] for name in Regression._fields))
    return TrainedFlow(ConditionalFlow(shape, regression, flow), *(arrays[name] for name in _OF_TRAINING))


def save_calibration(path: str | Path, found: Calibration, seeds: list[int], provenance: Mapping[str, str]) -> None:
    """Write the ranks of the truth of held-out boxes.

    Parameters
    ----------
    path
        File to make.
    found
        Ranks.
    seeds
        Seeds of the boxes.
    provenance
        Provenance of the file.
    """
    variables = {
        "ranks": Variable(found.ranks, ("box", "param"), "1", "share of the draws below the truth"),
        "joint": Variable(found.joint, ("box",), "1", "share of the draws nearer than the truth to a random point"),
    }
    save(path, variables, {"param": {"name": list(found.names)}, "box": {"seed": seeds}}, provenance)


def load_calibration(path: str | Path) -> Calibration:
    """Ranks of the truth, from a file of `save_calibration`.

    Parameters
    ----------
    path
        File.

    Raises
    ------
    ValueError
        If the file is damaged or of another kind.
    """
    contents = load(path, ["ranks", "joint"])
    ranks, joint = (contents.variables[name].values for name in ("ranks", "joint"))
    return Calibration(tuple(contents.coordinates["param"]["name"]), ranks, joint)


def _leaves(flow: object) -> list[jax.Array]:
    """Arrays of a flow."""
    return jax.tree.leaves(eqx.filter(flow, eqx.is_array))
