"""Trained corrections as files: JSON with the weights and a card that says what they were trained on.

A file holds `format`, the `card`, and the `weights`: a kind and its numbers, nested lists of float32 that come back bit
for bit (`lenscast.sections.correction_file`).
"""

import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lenscast.io.atomic import appearing
from lenscast.sections.box import Integrator, ParticleMesh, Simulation
from lenscast.sections.correction_file import (
    HPNWeights,
    Layer,
    PGDWeights,
    PublishedHPNWeights,
    checked_correction,
    mismatches,
    read_correction,
)

if TYPE_CHECKING:
    from lenscast.corrections import Correction


class CorrectionFile(NamedTuple):
    """Content of the file of a correction.

    Attributes
    ----------
    correction
        The trained correction.
    card
        Values of the fields of `Card`.
    """

    correction: "Correction"
    card: dict[str, Any]


def save_correction(path: str | os.PathLike[str], correction: object, card: Mapping[str, Any]) -> None:
    """Write a correction as JSON; the file appears whole or not at all.

    Parameters
    ----------
    path
        File to make or replace.
    correction
        `HPN`, `PublishedHPN` or `PGD`.
    card
        Values of all fields of `Card`.

    Raises
    ------
    ConfigError
        If the card lacks a field, or weights are not finite. It is a ValueError.
    ValueError
        If the correction is of another type.
    """
    content = {"format": "lenscast correction 1", "card": dict(card), "weights": _plain(correction)}
    text = json.dumps(checked_correction(content, str(path)).model_dump(mode="json"), indent=1)
    # `indent` gives each number a line of its own: join the innermost lists, so that a row of weights is a line
    rows = re.sub(r"\[[^\[\]{}\"]*\]", lambda row: " ".join(row[0].split()).replace("[ ", "[").replace(" ]", "]"), text)
    with appearing(Path(path)) as temporary:
        temporary.write_text(rows + "\n", encoding="utf-8")


def correction_of(simulation: Simulation) -> "Correction | None":
    """The correction of small scales that a simulation runs with; a warning says where it was not trained.

    Raises
    ------
    ValueError
        As `load_correction`.
    """
    section = simulation.correction
    if section.kind == "none":
        return None
    trained = load_correction(section.weights, section.kind)
    warn_of_mismatch(trained.card, simulation, simulation.integrator, section.weights)
    return trained.correction


def load_correction(weights: str | os.PathLike[str], kind: Literal["hpn", "pgd"] | None = None) -> CorrectionFile:
    """Read a correction.

    Parameters
    ----------
    weights
        Name of weights that come with the package, or path of a file that `save_correction` made.
    kind
        Kind that the correction must have, as in the config; None for any.

    Raises
    ------
    ValueError
        If no weights of this name come with the package (the message lists those that do), if the file does not
        exist, is not JSON or is damaged, or if the correction is of another kind.
    """
    file = read_correction(os.fspath(weights), kind)
    return CorrectionFile(_built(file.weights, str(weights)), file.card.model_dump(mode="json"))


def warn_of_mismatch(
    card: Mapping[str, Any], mesh: ParticleMesh, integrator: Integrator, weights: str = "the correction"
) -> None:
    """Warn of each difference between a simulation and those that a correction was trained on.

    Parameters
    ----------
    card
        Card of the correction.
    mesh, integrator
        Resolution and time integration of the simulation.
    weights
        Name or path of the weights, for the text.
    """
    for text in mismatches(card, mesh, integrator):
        warnings.warn(f"{weights}: {text}", stacklevel=2)


def _plain(correction: object) -> dict[str, Any]:
    """Kind and numbers of a correction."""
    # imported here because it loads JAX, which readers of other files do without
    from lenscast.corrections import HPN, PGD, PublishedHPN

    match correction:
        case HPN():
            layers = _layers(correction.layers)
            return {"kind": "hpn", "ln_sigma_range": correction.ln_sigma_range, "layers": layers}
        case PublishedHPN():
            names = ("hidden", "coefficients", "increments")
            return {"kind": "published_hpn", **{name: _layers(getattr(correction, name)) for name in names}}
        case PGD():
            numbers = {"ln_sigma": correction.ln_sigma, **correction.bands._asdict()}
            return {"kind": "pgd", **{name: np.asarray(each).tolist() for name, each in numbers.items()}}
    raise ValueError(f"a correction of type {type(correction).__name__}: give HPN, PublishedHPN or PGD")


def _layers(layers: Any) -> list[dict[str, Any]]:
    """Layers as lists."""
    return [{"weights": np.asarray(w).tolist(), "biases": np.asarray(b).tolist()} for w, b in layers]


def _built(weights: HPNWeights | PublishedHPNWeights | PGDWeights, source: str) -> "Correction":
    """The correction of a file; the source is for messages."""
    import jax
    import jax.numpy as jnp

    from lenscast.corrections import HPN, PGD, PublishedHPN
    from lenscast.corrections.pgd import Band

    def array(values: Any) -> Any:
        return jnp.asarray(np.asarray(values, np.float32))

    def arrays(layers: tuple[Layer, ...]) -> Any:
        return tuple((array(layer.weights), array(layer.biases)) for layer in layers)

    network: HPN | PublishedHPN
    number = jax.ShapeDtypeStruct((), jnp.float32)  # stands for a, ln_sigma and step, to check shapes without computing
    try:
        match weights:
            case PGDWeights():
                bands = Band(array(weights.alpha), array(weights.large), array(weights.small))
                if {values.shape for values in bands} != {(len(weights.ln_sigma),)}:
                    raise ValueError("ln_sigma, alpha, large and small differ in length")
                return PGD(array(weights.ln_sigma), bands)
            case HPNWeights():
                network = HPN(arrays(weights.layers), weights.ln_sigma_range)
            case PublishedHPNWeights():
                parts = (arrays(part) for part in (weights.hidden, weights.coefficients, weights.increments))
                network = PublishedHPN(*parts)
        jax.eval_shape(network.response, jax.ShapeDtypeStruct((8,), jnp.float32), number, number, number)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"weights {source} have shapes that do not fit each other ({error}): copy the file again or train again"
        ) from error
    return network
