"""Reading: from YAML, on a base if the file names one, to a checked experiment or training."""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from lenscast.experiment import (
    distribution_checks,
    file_checks,
    map_checks,
    memory,
    plane_checks,
    prior_checks,
    resolution_checks,
    sampling_checks,
)
from lenscast.experiment.base import complete
from lenscast.experiment.experiment import Experiment, share_the_box
from lenscast.experiment.map_campaign import MapCampaign
from lenscast.experiment.remarks import remarks
from lenscast.experiment.schema import complete_schema
from lenscast.experiment.strict_yaml import read_yaml
from lenscast.sections.errors import ConfigError, Problem, problems
from lenscast.sections.section import Section
from lenscast.sections.training import Training

S = TypeVar("S", bound=Section)

CHECKS: tuple[Callable[..., Iterator[Problem]], ...] = (
    *map_checks.CHECKS,
    *distribution_checks.CHECKS,
    *plane_checks.CHECKS,
    *file_checks.CHECKS,
    *sampling_checks.CHECKS,
    *resolution_checks.CHECKS,
    *prior_checks.CHECKS,
)


def read(path: str | Path) -> Experiment:
    """The experiment of a YAML file, checked; what should be known of it goes to the log of lenscast.

    Raises
    ------
    ConfigError
        With all that is wrong, as `load` says it, or where there is no such file or it is not YAML.
    """
    experiment = load(read_yaml(path), str(path), Path(path).parent)
    for remark in remarks(experiment):
        logging.getLogger("lenscast").warning("%s: %s", path, remark)
    return experiment


def read_training(path: str | Path) -> Training:
    """The training of a YAML file, checked.

    Raises
    ------
    ConfigError
        With all that is wrong, as `load` says it, or where there is no such file or it is not YAML.
    """
    return _validated(Training, complete(read_yaml(path), str(path), Path(path).parent), path)


def read_map_campaign(path: str | Path) -> MapCampaign:
    """The description of maps of another code, from a YAML file, checked.

    Raises
    ------
    ConfigError
        With all that is wrong, as `load` says it, or where there is no such file or it is not YAML.
    """
    return _validated(MapCampaign, read_yaml(path), path)


def _validated(model: type[S], values: Any, path: str | Path) -> S:
    """A section of plain values; the error lists all that is wrong with them."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(problems(error, complete_schema(model)), str(path)) from error


def load(mapping: Any, source: str = "config", folder: Path = Path()) -> Experiment:
    """The experiment of a mapping, checked.

    Rules between sections are checked for all sections that are valid by themselves, so that one call reports all that
    is wrong.

    Parameters
    ----------
    mapping
        Sections and keys, as read from YAML, or the base and the keys that differ.
    source
        Where the mapping comes from, for errors.
    folder
        Folder from which the path of a base starts.

    Raises
    ------
    ConfigError
        With all that is wrong: dotted key, what was given, what is allowed, what to change.
    """
    given, found = complete(mapping, source, folder), list[Problem]()
    try:
        experiment = Experiment.model_validate(given)
    except ValidationError as error:
        # the side of the box is a key of the simulation, which reports it
        found += (each for each in problems(error, complete_schema()) if each.key != "lightcone.box_size")
    lightcone = given.get("lightcone") if isinstance(given, Mapping) else None
    if isinstance(lightcone, Mapping) and "box_size" in lightcone:
        found.append(Problem("lightcone.box_size", "unknown key; simulation.box_size gives the side of the box"))
    sections = _valid_sections(given)
    if {"lightcone", "survey", "statistics"} <= sections.keys():
        sections["lengths"] = sampling_checks.data_lengths(
            sections["lightcone"], sections["survey"], sections["statistics"]
        )
    # sizes first: other checks make arrays of them
    too_large = _problems(memory.check_memory, sections)
    found += too_large or [problem for check in CHECKS for problem in _problems(check, sections)]
    if found:
        raise ConfigError(found, source)
    return experiment


def _problems(check: Callable[..., Iterator[Problem]], sections: Mapping[str, Any]) -> list[Problem]:
    """What a check finds; nothing where a section that it takes is wrong by itself."""
    names = _arguments(check)
    return [*check(**{name: sections[name] for name in names})] if names <= sections.keys() else []


@cache
def _arguments(check: Callable[..., Iterator[Problem]]) -> Set[str]:
    """Names of the sections that a check takes."""
    return inspect.signature(check).parameters.keys()


def _valid_sections(mapping: Any) -> dict[str, Any]:
    """The sections that are valid by themselves."""
    sections: dict[str, Any] = {}
    shared = share_the_box(mapping)
    for name, field in Experiment.model_fields.items():
        try:
            given = shared[name] if name in shared or field.is_required() else field.default
            sections[name] = _validator(name).validate_python(given)
        except (ValidationError, KeyError, TypeError):
            continue
    return sections


@cache
def _validator(name: str) -> TypeAdapter:
    """Validates one section by itself."""
    field = Experiment.model_fields[name]
    return TypeAdapter(cast("Any", Annotated[field.annotation, *field.metadata, field]))
