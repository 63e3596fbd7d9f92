"""The default config with some keys changed, and what an error says about it.

A change is a dictionary of dotted keys; `...` as the value removes the key.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.experiment import ConfigError, Experiment, load

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text())

# sizes that the error texts in the tests name, whatever the default experiment grows to
SIZE = {
    "lightcone.slabs_per_box": 2,
    "lightcone.planes": 22,
    "survey.sources.z": [0.914],
    "survey.n_gal": [20.0],
    "statistics.power_spectrum.ell_edges": [144, 432, 720, 1008, 1296, 1584, 1872, 2160],
    "covariance.boxes": 64,
    "derivatives.boxes": 48,
    "finite_differences.steps.w0": 0.05,
}


def _changed(changes: dict[str, Any], mapping: dict[str, Any] = DEFAULT) -> dict[str, Any]:
    """The mapping with the values at dotted keys replaced or removed."""
    result = copy.deepcopy(mapping)
    for dotted, value in changes.items():
        *path, key = dotted.split(".")
        section = result
        for name in path:
            section = section[name]
        if value is ...:
            del section[key]
        else:
            section[key] = value
    return result


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def default() -> dict[str, Any]:
    """Contents of config.yaml."""
    return DEFAULT


@pytest.fixture(scope="session")
def changed() -> Callable[..., dict[str, Any]]:
    """Function that changes the default config, or another mapping."""
    return _changed


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    """The default experiment."""
    return load(DEFAULT)


@pytest.fixture(scope="session")
def refusal() -> Callable[[dict[str, Any]], list[str]]:
    """Function that loads a changed config and returns the lines of the error, one for each problem."""

    def lines(changes: dict[str, Any]) -> list[str]:
        with pytest.raises(ConfigError) as error:
            load(_changed(SIZE | changes))
        header, *found = str(error.value).splitlines()
        assert header == f"config: {len(found)} error{'s' if len(found) > 1 else ''}"
        return [line.strip() for line in found]

    return lines
