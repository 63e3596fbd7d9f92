"""Checkpoints: states from which a killed job goes on, each with the fingerprint of what the end depends on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from lenscast.io.reading import load
from lenscast.io.variables import Variable
from lenscast.io.writing import save

State = TypeVar("State")


def fingerprint(settings: Mapping[str, Any], files: Sequence[str | Path]) -> str:
    """Hash of what the end of a job depends on.

    Parameters
    ----------
    settings
        Settings and hash of the code, as plain values.
    files
        Files that the job reads.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def is_checkpoint(path: Path, identity: str) -> bool:
    """Whether there is a checkpoint of the very job that has this fingerprint."""
    return path.exists() and load(path, []).provenance.get("identity") == identity


def save_state(path: Path, state: object, identity: str) -> None:
    """Write the arrays of a state, whole or not at all.

    Parameters
    ----------
    path
        File to make or replace.
    state
        Tree of arrays.
    identity
        Fingerprint of the job.
    """
    leaves = {f"leaf_{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
    variables = {
        name: Variable(leaf, tuple(f"{name}_{axis}" for axis in range(leaf.ndim)), "1", "array of a state")
        for name, leaf in leaves.items()
    }
    save(path, variables, {}, {"identity": identity})


def load_state(path: Path, fresh: State, identity: str) -> State:
    """The state that was kept of the very job that has this fingerprint, else the fresh one.

    Parameters
    ----------
    path
        File that `save_state` may have written.
    fresh
        State of a job that has not begun, a tree of the same structure.
    identity
        Fingerprint of the job.
    """
    if not is_checkpoint(path, identity):
        return fresh
    kept = load(path).variables
    return jax.tree.unflatten(jax.tree.structure(fresh), [kept[f"leaf_{number}"].values for number in range(len(kept))])
