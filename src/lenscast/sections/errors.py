"""The words for what is wrong with a config: dotted key, what was given, what is allowed, nearest name."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError

WHOLE = "config"
"""Key of a problem that no single key of a section has alone."""


class Problem(NamedTuple):
    """One thing to change in a config: the dotted key and a sentence."""

    key: str
    message: str


class ConfigError(ValueError):
    """All that is wrong with a config, one line each."""

    def __init__(self, problems: Iterable[Problem], source: str = "config") -> None:
        self.problems = tuple(problems)
        self.source = source
        count = f"{len(self.problems)} error{'s' if len(self.problems) > 1 else ''}"
        lines = (f"  {problem.key}: {problem.message}" for problem in self.problems)
        super().__init__("\n".join((f"{source}: {count}", *lines)))


def did_you_mean(given: Any, allowed: Iterable[str]) -> str:
    """The nearest allowed name as a question, or all of them where none is near."""
    names = {name.lower(): name for name in allowed}
    near = get_close_matches(str(given).lower(), names, n=1)
    return f"; did you mean {names[near[0]]}?" if near else f"; allowed: {', '.join(names.values())}"


def problems(error: ValidationError, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """What a pydantic error says, with ranges and meanings from the JSON schema of the config."""
    details = error.errors(include_url=False)
    missing = {detail["loc"] for detail in details if detail["type"] == "missing"}
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *section, given = detail["loc"]
            absent = [str(loc[-1]) for loc in missing if [*loc[:-1]] == section]
            meant = get_close_matches(str(given), absent, n=1)
            missing -= {(*section, name) for name in meant}
            allowed = meant or _node(section, schema).get("properties", {})
            yield Problem(_dotted(detail["loc"], schema), f"unknown key{did_you_mean(given, allowed)}")
    broken = {detail["loc"][:-1] for detail in details}
    for detail in details:
        loc, given = detail["loc"], _shortened(detail["input"])
        key, node = _dotted(loc, schema), _node(loc, schema)
        match detail["type"]:
            case "extra_forbidden":
                continue
            case "missing" if loc in missing:
                yield Problem(key, f"missing; give {_allowed(node)}")
            case "missing":
                continue
            case "value_error" if isinstance(detail["ctx"]["error"], ConfigError):
                for problem in detail["ctx"]["error"].problems:
                    yield Problem(f"{key}{problem.key}", problem.message)
            case "value_error":
                yield Problem(key, str(detail["ctx"]["error"]))
            case "union_tag_invalid":
                tag = node["discriminator"]["propertyName"]
                yield Problem(f"{key}.{tag}", f"{detail['ctx']['tag']!r} given; must be {_allowed(node)}")
            case "too_short" if loc in broken:
                continue
            case _:
                yield Problem(key, f"{given} given; must be {_allowed(node)}")


def _shortened(value: Any) -> str:
    """The value in part of a line."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = f"a number of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _child(node: Mapping[str, Any], key: int | str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of the value at `key`, or for the tag of a union that of its member; empty if none."""
    if key in node.get("properties", {}):
        child = node["properties"][key]
    elif key in _tags(node):
        child = {"$ref": node["discriminator"]["mapping"][key]}
    elif key == "[key]":
        child = node.get("propertyNames", {"pattern": "".join(node.get("patternProperties", {}))})
    elif "patternProperties" in node:
        (child,) = node["patternProperties"].values()
    else:
        child = node.get("items" if isinstance(key, int) else "additionalProperties", {})
    if not isinstance(child, Mapping):
        return {}
    reference = child.get("$ref", "").rsplit("/", 1)[-1]
    return {**schema.get("$defs", {}).get(reference, {}), **child}


def _tags(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values of the discriminator of a union; empty for what is none."""
    return node.get("discriminator", {}).get("mapping", {})


def _node(loc: Iterable[int | str], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of the value at `loc`."""
    node = schema
    for key in loc:
        node = _child(node, key, schema)
    return node


def _dotted(loc: Iterable[int | str], schema: Mapping[str, Any]) -> str:
    """The key as a reader of the file finds it: `simulation.integrator.steps`, `survey.n_gal[1]`."""
    key, node = "", schema
    for step in loc:
        if isinstance(step, int):
            key += f"[{step}]"
        elif step != "[key]" and step not in _tags(node):
            key += f".{step}" if key else str(step)
        node = _child(node, step, schema)
    return key or WHOLE


def _allowed(node: Mapping[str, Any]) -> str:
    """Type, range and meaning of a value, from its JSON schema."""
    meaning = f" ({node['description'].splitlines()[0]})" if "description" in node else ""
    kinds = {"number": "a number", "integer": "an integer", "array": "a list", "object": "a mapping"}
    text = "a name of at most 100 letters, digits and _" if "pattern" in node else "a text"
    kind = kinds.get(node.get("type", ""), text)
    if "enum" in node or "const" in node or _tags(node):
        kind = f"one of {', '.join(map(str, node.get('enum') or _tags(node) or [node['const']]))}"
    elif "properties" in node:
        kind = f"a section with {', '.join(node['properties'])}"
    elif "multipleOf" in node:
        kind += f", a multiple of {node['multipleOf']},"
    elif least := node.get("minItems", node.get("minProperties")):
        kind += f" of {least} or more"
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = " and ".join(f"{sign} {node[word]:.10g}" for word, sign in signs.items() if word in node)
    return f"{kind}{' ' if bounds else ''}{bounds}{meaning}"
