"""Which statistics there are: those of lenscast, of installed packages, and of files that a config names.

A new statistic of lenscast is its file and one line of `STATISTICS`. Another package brings one by an entry point of
the group ``lenscast.statistics``, and a config by the key ``file``: a Python file with one class of `Statistic`.
Statistics are loaded by name when a config asks for them, so that reading a config reaches the code of no other one.
"""

import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from lenscast.sections.errors import WHOLE, ConfigError, Problem, did_you_mean, problems
from lenscast.sections.input_file import NamedFile
from lenscast.sections.section import Section
from lenscast.statistics.statistic import Statistic

__all__ = ["STATISTICS", "code_object", "statistic_class", "statistics_from_config"]

STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "power_spectrum": "lenscast.statistics.power_spectrum:PowerSpectrum",
        "starlet_power_spectrum": "lenscast.statistics.power_spectrum:StarletPowerSpectrum",
        "peaks": "lenscast.statistics.peaks:Peaks",
        "minima": "lenscast.statistics.minima:Minima",
        "moments": "lenscast.statistics.moments:Moments",
        "l1_norm": "lenscast.statistics.l1_norm:L1Norm",
        "pdf": "lenscast.statistics.pdf:PixelPDF",
        "minkowski": "lenscast.statistics.minkowski:Minkowski",
        "scattering": "lenscast.statistics.scattering:Scattering",
    }
)
"""Statistics of lenscast by the name of their section in a config, in the notation of entry points."""

ENTRY_POINTS = "lenscast.statistics"


def statistic_class(kind: str, file: str | None = None) -> type[Statistic]:
    """Class of a statistic.

    Parameters
    ----------
    kind
        Name of a statistic of lenscast or of an entry point.
    file
        Python file that holds the class; `kind` is then of no account.

    Raises
    ------
    ValueError
        If there is no such statistic, or the file does not hold one class of `Statistic`.
    """
    if file is not None:
        path = Path(file).absolute()
        return _of_file(str(path), NamedFile(path).content)
    found = STATISTICS
    if kind not in found:  # to look through the installed packages takes longer than to check a config
        found = {**{each.name: each.value for each in entry_points(group=ENTRY_POINTS)}, **STATISTICS}
    if kind not in found:
        raise ValueError(
            f"{kind} is not a statistic{did_you_mean(kind, found)}; a section of another name says which one it "
            "measures by kind, or by file, the path of a Python file"
        )
    try:
        loaded = EntryPoint(kind, found[kind], ENTRY_POINTS).load()
    except Exception as error:
        message = f"the entry point {kind} of {ENTRY_POINTS} cannot be imported: {type(error).__name__}: {error}"
        raise ValueError(message) from error
    if not (inspect.isclass(loaded) and issubclass(loaded, Statistic)):
        raise ValueError(f"the entry point {kind} of {ENTRY_POINTS} is no class of lenscast.statistics.Statistic")
    return loaded


def code_object(statistic: Section) -> str | None:
    """Where the code of a statistic is: a file, or a class of lenscast in the notation of entry points.

    None for a class of another installed package, whose version stands for its code.
    """
    module = type(statistic).__module__
    if file := getattr(statistic, "file", None):
        return str(file)
    return f"{module}:{type(statistic).__qualname__}" if module.split(".")[0] == "lenscast" else None


def statistics_from_config(sections: Any) -> dict[str, Statistic]:
    """Statistics of a config by name.

    Parameters
    ----------
    sections
        The config's section ``statistics``: a mapping of each name to the keys of its statistic.

    Raises
    ------
    ConfigError
        With all that is wrong, by dotted key.
    """
    if not isinstance(sections, Mapping) or not sections:
        raise ValueError(f"{sections!r} given; must be a section with one or more of {', '.join(STATISTICS)}")
    made, found = dict[str, Statistic](), list[Problem]()
    for name, section in sections.items():
        if isinstance(section, Statistic):
            made[name] = section
            continue
        if not isinstance(section, Mapping):
            found.append(Problem(f".{name}", f"{section!r} given; must be a section with the keys of the statistic"))
            continue
        if "name" in section:
            found.append(Problem(f".{name}.name", "unknown key; the key of the section is the name of the statistic"))
            continue
        wrong = [key for key in ("kind", "file") if not isinstance(section.get(key), str | None)]
        if wrong:
            found += [Problem(f".{name}.{key}", f"{section[key]!r} given; must be a text") for key in wrong]
            continue
        try:
            statistic = statistic_class(section.get("kind") or name, section.get("file"))
            made[name] = statistic.model_validate({**section, "name": name})
        except ValidationError as error:
            for key, text in problems(error, statistic.model_json_schema()):
                found.append(Problem(f".{name}" if key == WHOLE else f".{name}.{key}", text))
        except ValueError as error:
            found.append(Problem(f".{name}", str(error)))
    if found:
        raise ConfigError(found)
    return made


@cache
def _of_file(path: str, _content: object) -> type[Statistic]:
    """The one statistic that a Python file defines; it is imported again when its content has changed."""
    # files of the same name in different folders are different modules
    module_name = f"lenscast_statistic_{Path(path).stem}_{hashlib.sha1(path.encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise ValueError(f"file {path}: there is no such Python file; give the path of one that defines a statistic")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"file {path} cannot be imported: {type(error).__name__}: {error}") from error
    own = [
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Statistic) and each.__module__ == module_name
    ]
    if len(own) != 1:
        raise ValueError(
            f"file {path} defines {len(own)} classes of lenscast.statistics.Statistic; give a file that defines one"
        )
    return own[0]
