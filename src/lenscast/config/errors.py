"""Errors of the config as text: dotted key, what was given, what is allowed, and the nearest key of a misspelling."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError


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
    """`; did you mean X?` for the nearest allowed name, or the allowed names where none is near."""
    names = list(allowed)
    near = get_close_matches(str(given), names, n=1)
    if not near:
        near = [name for name in names if name.lower() == str(given).lower()][:1]
    return f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(names)}"


def problems(error: ValidationError, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """What `error` says in this package's words, with ranges and meanings from the JSON schema of the config."""
    details = error.errors(include_url=False)
    missing = {detail["loc"] for detail in details if detail["type"] == "missing"}
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *section, given = detail["loc"]
            absent = [str(loc[-1]) for loc in missing if list(loc[:-1]) == section]
            near = get_close_matches(str(given), absent, n=1)
            if near:
                missing.discard((*section, near[0]))
            allowed = near or list(_node(section, schema).get("properties", {}))
            yield Problem(_dotted(detail["loc"], schema), f"unknown key{did_you_mean(given, allowed)}")
    for detail in details:
        key, node = _dotted(detail["loc"], schema), _node(detail["loc"], schema)
        if detail["type"] == "missing" and detail["loc"] in missing:
            yield Problem(key, f"missing; give {_allowed(node)}")
        elif detail["type"] == "value_error":
            yield Problem(key, str(detail["ctx"]["error"]))
        elif detail["type"] not in ("missing", "extra_forbidden"):
            yield Problem(key, f"{_given(detail['input'])} given; must be {_allowed(node)}")


def _given(value: Any) -> str:
    """The value in a line of text."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _node(loc: Iterable[int | str], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of the JSON schema that describes the value at `loc`; empty where none does."""
    node: Mapping[str, Any] = schema
    for key in loc:
        if key in node.get("properties", {}):
            child = node["properties"][key]
        elif key in node.get("discriminator", {}).get("mapping", {}):
            child = {"$ref": node["discriminator"]["mapping"][key]}
        else:
            child = node.get("items" if isinstance(key, int) else "additionalProperties", {})
        if not isinstance(child, Mapping):
            return {}
        if "$ref" in child:
            child = {**schema["$defs"][child["$ref"].rsplit("/", 1)[-1]], **child}
        node = child
    return node


def _dotted(loc: Iterable[int | str], schema: Mapping[str, Any]) -> str:
    """The key as it is written in the file: `simulation.integrator.steps`, `survey.z_source[1]`."""
    key, walked = "", []
    for step in loc:
        is_tag = step in _node(walked, schema).get("discriminator", {}).get("mapping", {})
        walked.append(step)
        if isinstance(step, int):
            key += f"[{step}]"
        elif step == "[key]":
            key += " (the name)"
        elif not is_tag:
            key += f".{step}" if key else step
    return key or "config"


def _allowed(node: Mapping[str, Any]) -> str:
    """Type, range and meaning of a value, from its JSON schema."""
    meaning = f" ({node['description']})" if "description" in node else ""
    if "const" in node or "enum" in node:
        choices = node.get("enum") or [node["const"]]
        return f"one of {', '.join(str(choice) for choice in choices)}{meaning}"
    if "discriminator" in node:
        return f"a mapping with kind, one of {', '.join(node['discriminator']['mapping'])}{meaning}"
    kind = {
        "number": "a number", "integer": "an integer", "string": "a name of letters, digits and _",
        "array": "a list", "object": "a mapping",
    }.get(node.get("type", ""), "a value")  # fmt: skip
    if node.get("type") == "object" and "properties" in node:
        kind = f"a section with {', '.join(node['properties'])}"
    if "multipleOf" in node:
        kind = "an even integer" if node["multipleOf"] == 2 else f"a multiple of {node['multipleOf']}"
    if "minItems" in node:
        kind += f" of at least {node['minItems']}"
    return f"{kind}{_range(node)}{meaning}"


def _range(node: Mapping[str, Any]) -> str:
    """The bounds of a number: ` > 0 and < 1`."""
    words = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = [f"{sign} {node[word]:g}" for word, sign in words.items() if word in node]
    return f" {' and '.join(bounds)}" if bounds else ""
