"""Configs on a base: the complete config of a file that names the config it changes."""

import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from lenscast.experiment.strict_yaml import read_yaml
from lenscast.sections.errors import ConfigError, Problem

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def complete(mapping: Any, source: str = "config", folder: Path = Path()) -> Any:
    """Sections and keys of a config with those of its base, and of the base of that one.

    A section of the config changes the keys that it names in the section of the base; a section with another ``kind``
    replaces it, since its keys are others; a key without a value (``~``) removes the key of the base. A key that is not
    in the base comes after the key that is before it in the config, or last.

    Raises
    ------
    ConfigError
        If there is no such base, it is not YAML, or bases go round in a circle.
    """
    return _plain(_on_base(mapping, source, folder, ()))


def shipped() -> tuple[str, ...]:
    """Names of the configs that come with the package."""
    return tuple(sorted(each.name.removesuffix(".yaml") for each in _shipped_folder().iterdir()))


def _shipped_folder() -> Traversable:
    """Folder of the configs that come with the package."""
    return resources.files("lenscast.experiment").joinpath("shipped")


def _on_base(mapping: Any, source: str, folder: Path, opened: tuple[str, ...]) -> Any:
    """The mapping over its base; `opened` are the bases on the way here."""
    if not isinstance(mapping, Mapping) or "base" not in mapping:
        return mapping
    path = _base_path(mapping["base"], source, folder)
    name = str(path.resolve())
    if name in opened:
        circle = " -> ".join((*opened[opened.index(name) :], name))
        raise ConfigError([Problem("base", f"the bases {circle} form a circle; remove one of them")], source)
    base = _on_base(read_yaml(path), str(path), path.parent, (*opened, name))
    if not isinstance(base, Mapping):
        raise ConfigError([Problem("base", f"{path} has no sections; give the file of a config")], source)
    return _merged(base, {key: value for key, value in mapping.items() if key != "base"})


def _base_path(base: Any, source: str, folder: Path) -> Path:
    """File of a base: a path from the folder of the config, or a shipped name."""
    names = ", ".join(shipped())
    if not isinstance(base, str):
        raise ConfigError([Problem("base", f"{base!r} given; must be a path or one of {names}")], source)
    path = folder / base
    if path.is_file():
        return path
    if base in shipped():
        return Path(str(_shipped_folder().joinpath(f"{base}.yaml")))
    message = f"there is no file {path}; give a path from the folder of {source}, or one of {names}"
    raise ConfigError([Problem("base", message)], source)


def _merged(base: Any, changes: Any) -> Any:
    """A section of the base with the changes of the config."""
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    if "kind" in changes and changes["kind"] != base.get("kind"):
        return {key: value for key, value in changes.items() if value is not None}
    keys, before = [*base], None
    for key in changes:
        if key not in base:
            keys.insert(keys.index(before) + 1 if before is not None else len(keys), key)
        before = key
    return {
        key: _merged(base.get(key), changes[key]) if key in changes else base[key]
        for key in keys
        if not (key in changes and changes[key] is None)
    }


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
