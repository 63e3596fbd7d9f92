"""Provenance: how a file says what it takes to make it again, free of time, host and path."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from lenscast import __version__


def provenance(config: Mapping[str, Any], seeds: Sequence[int], command: str) -> dict[str, str]:
    """What it takes to make a file again.

    Parameters
    ----------
    config
        The whole config of the run, as plain values.
    seeds
        The seeds that went in.
    command
        Shell command that makes the file in the repository, the config being in config.yaml.

    Returns
    -------
    provenance
        ``config, seeds, versions`` as JSON, ``command``, and ``git_commit``: the commit of the source, with ``-dirty``
        if tracked files differ from it, or ``unknown`` outside a repository.
    """
    libraries = ("diffrax", "h5py", "jax", "jaxlib", "numpy")
    versions = {"lenscast": __version__, "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in libraries}
    return {
        "config": json.dumps(config, sort_keys=True, allow_nan=False),
        "seeds": json.dumps([int(seed) for seed in seeds]),
        "command": command,
        "versions": json.dumps(versions, sort_keys=True),
        "git_commit": git_commit(Path(__file__)),
    }


def disagreement(provenance: Mapping[str, str], settings: Mapping[str, Mapping[str, Any]]) -> str:
    """The first setting in which a file differs from what is asked for, as part of a sentence; empty if none.

    Parameters
    ----------
    provenance
        Provenance of the file; its ``settings`` are JSON.
    settings
        Settings by the name of their rule.
    """
    found = _leaves(json.loads(provenance.get("settings", "{}")))
    asked = _leaves(json.loads(json.dumps(settings)))
    for key in [*asked, *found]:
        if found.get(key, "nothing") != asked.get(key, "nothing"):
            rule, _, name = key.partition(".")
            was, wanted = (values.get(key, "nothing") for values in (found, asked))
            return f"made by {rule} with {name.removeprefix('settings.')} = {was}, but the config asks for {wanted}"
    return ""


def _leaves(value: Any, key: str = "") -> dict[str, Any]:
    """Values of nested mappings by dotted key."""
    if not isinstance(value, Mapping):
        return {key: value}
    return {
        name: leaf
        for part, item in value.items()
        for name, leaf in _leaves(item, f"{key}.{part}" if key else str(part)).items()
    }


def git_commit(source: Path) -> str:
    """Commit of the repository that tracks a source file; ``-dirty`` and ``unknown`` as in `provenance`."""
    git = ["git", "-C", str(source.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", source.name], check=True, capture_output=True)
        describe = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(describe, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
