"""The configs of an experiment and of a training: read, typed, and checked against ranges and against themselves.

`simulation`, `analysis`, `validation`, `experiment` and `training` hold the sections, `geometry` and `sampling` the
rules between them, `errors` the words for what is wrong. Nothing here imports JAX: the Snakefile reads the configs
while it parses, in a process that must not claim an accelerator.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from pydantic import TypeAdapter, ValidationError

from .analysis import STATISTICS
from .errors import ConfigError, Problem, problems
from .experiment import Config
from .geometry import check_depth, check_field, check_galaxies, check_multipoles, check_planes, check_scales
from .sampling import check_batches, check_covariance, check_left_out_seeds, check_parameters, check_seeds, check_steps
from .section import Section
from .simulation import PARAMETERS
from .survey import of_sources
from .training import TrainingConfig
from .validation import check_validation

__all__ = [
    "PARAMETERS",
    "STATISTICS",
    "Config",
    "ConfigError",
    "TrainingConfig",
    "json_schema",
    "load_config",
    "of_sources",
    "read_config",
    "read_training",
]

CHECKS: tuple[Callable[..., Iterator[Problem]], ...] = (
    check_planes,
    check_field,
    check_scales,
    check_multipoles,
    check_galaxies,
    check_depth,
    check_batches,
    check_seeds,
    check_left_out_seeds,
    check_covariance,
    check_parameters,
    check_steps,
    check_validation,
)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@cache
def json_schema(model: type[Section] = Config) -> dict[str, Any]:
    """JSON schema of a config, for editors; `python -m lenscast.config` prints it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def read_config(path: str | Path) -> Config:
    """The config in a YAML file, checked.

    Raises
    ------
    ConfigError
        with all that is wrong, as `load_config` has it, or where the file is not there or not YAML.
    """
    return load_config(_yaml(path), str(path))


def read_training(path: str | Path) -> TrainingConfig:
    """The config of a training in a YAML file, checked.

    Raises
    ------
    ConfigError
        with all that is wrong, as `load_config` has it, or where the file is not there or not YAML.
    """
    try:
        return TrainingConfig.model_validate(_plain(_yaml(path)))
    except ValidationError as error:
        raise ConfigError(problems(error, json_schema(TrainingConfig)), str(path)) from error


def load_config(mapping: Any, source: str = "config") -> Config:
    """The config in a mapping, checked.

    Rules between sections are checked for all sections that are valid by themselves, so that one call
    reports all that is wrong.

    Parameters
    ----------
    mapping : sections and keys, as read from YAML.
    source : where it comes from, for errors.

    Raises
    ------
    ConfigError
        with all that is wrong: dotted key, what was given, what is allowed, what to change.
    """
    given, found = _plain(mapping), list[Problem]()
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        found += problems(error, json_schema())
    sections = _valid_sections(given)
    for check in CHECKS:
        names = inspect.signature(check).parameters
        if names.keys() <= sections.keys():
            found += check(**{name: sections[name] for name in names})
    if found:
        raise ConfigError(found, source)
    return config


def _yaml(path: str | Path) -> Any:
    """What a YAML file holds."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = Problem("file", f"there is none of this name in {Path.cwd()}; give the path of a YAML file")
        raise ConfigError([problem], str(path)) from None
    except yaml.YAMLError as error:
        raise ConfigError([Problem("YAML", str(error))], str(path)) from error


def _plain(value: Any) -> Any:
    """The value with `1e-2`, a string in YAML 1.1, as a number, and yes and no as what no key takes."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return f"{value} (a boolean)"
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value)
    return value


def _valid_sections(mapping: Any) -> dict[str, Any]:
    """The sections that are valid by themselves."""
    sections: dict[str, Any] = {}
    for name, field in Config.model_fields.items():
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", Annotated[field.annotation, field]))
            sections[name] = adapter.validate_python(mapping[name])
        except (ValidationError, KeyError, TypeError):
            continue
    return sections
