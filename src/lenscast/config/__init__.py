"""The config of an experiment: read, checked against ranges and against itself, and typed. Free of JAX.

`models` holds the sections, `checks` the rules between them, `errors` the text of what is wrong.
"""

import inspect
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import TypeAdapter, ValidationError

from .checks import CHECKS
from .errors import ConfigError, Problem, problems
from .models import PARAMETERS, STATISTICS, Config

__all__ = ["PARAMETERS", "STATISTICS", "Config", "ConfigError", "json_schema", "load_config", "read_config"]


@cache
def json_schema() -> dict[str, Any]:
    """JSON schema of the config, for editors; `python -m lenscast.config` prints it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def read_config(path: str | Path) -> Config:
    """The config in a YAML file, checked.

    Raises
    ------
    ConfigError
        with everything that is wrong, as in `load_config`, or where the YAML cannot be read.
    """
    try:
        mapping = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError([Problem("YAML", str(error))], str(path)) from error
    return load_config(mapping, str(path))


def load_config(mapping: Mapping[str, Any], source: str = "config") -> Config:
    """The config in a mapping, checked.

    Rules between sections are checked for all sections that are valid by themselves, so that one call reports
    everything.

    Parameters
    ----------
    mapping : sections and keys, as read from YAML.
    source : name of the file, for errors.

    Raises
    ------
    ConfigError
        with everything that is wrong: dotted key, value, allowed range, what to change.
    """
    found: list[Problem] = []
    try:
        config = Config.model_validate(mapping)
    except ValidationError as error:
        found += problems(error, json_schema())
    sections = _valid_sections(mapping)
    for check in CHECKS:
        needed = inspect.signature(check).parameters
        if needed.keys() <= sections.keys():
            found += check(**{name: sections[name] for name in needed})
    if found:
        raise ConfigError(found, source)
    return config


def _valid_sections(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of `mapping` that are valid by themselves."""
    sections = {}
    for name, field in Config.model_fields.items():
        try:
            sections[name] = TypeAdapter(Annotated[field.annotation, field]).validate_python(mapping[name])
        except (ValidationError, KeyError, TypeError):
            continue
    return sections
