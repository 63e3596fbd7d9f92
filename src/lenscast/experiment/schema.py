"""JSON schemas: of complete configs, which error texts are made from, and of all configs, for editors."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from lenscast.experiment.base import shipped
from lenscast.experiment.experiment import Experiment
from lenscast.sections.section import Section
from lenscast.statistics.registry import STATISTICS, statistic_class

CHANGES = "Changes"
"""End of the name of a definition for configs on a base."""


@cache
def complete_schema(model: type[Section] = Experiment) -> dict[str, Any]:
    """JSON schema of a complete config: keys without a default are required."""
    schema = model.model_json_schema()
    if model is Experiment:
        classes = {name: statistic_class(name) for name in STATISTICS}
        for statistic in classes.values():
            own = statistic.model_json_schema()
            schema["$defs"] |= own.pop("$defs", {}) | {statistic.__name__: own}
        statistics = schema["properties"]["statistics"]
        (pattern,) = statistics.pop("patternProperties")
        schema["$defs"].pop("Statistic")  # the base of all, which no section is
        # keys of a statistic from elsewhere are known only once its class is loaded
        statistics["properties"] = {name: {"$ref": f"#/$defs/{each.__name__}"} for name, each in classes.items()}
        statistics |= {"propertyNames": {"pattern": pattern}, "additionalProperties": {"type": "object"}}
    return schema


@cache
def json_schema(model: type[Section] = Experiment) -> dict[str, Any]:
    """JSON schema of a config, complete or on a base, for editors; ``lenscast config schema`` prints it."""
    complete = dict(complete_schema(model))
    definitions = {**complete.pop("$defs"), model.__name__: complete}
    changes = {f"{name}{CHANGES}": _changes(node) for name, node in definitions.items()}
    text = f"config that this one changes: a path from its folder, or one of {', '.join(shipped())}"
    changes[f"{model.__name__}{CHANGES}"]["properties"]["base"] = {"type": "string", "description": text}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "if": {"required": ["base"]},
        "then": {"$ref": f"#/$defs/{model.__name__}{CHANGES}"},
        "else": {"$ref": f"#/$defs/{model.__name__}"},
        "$defs": definitions | changes,
    }


def _changes(node: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of a part of a config on a base: nothing is required, and ``~`` removes what can be missing."""
    changed = {key: value for key, value in node.items() if key not in ("required", "minProperties", "discriminator")}
    if "$ref" in changed:
        changed["$ref"] += CHANGES
    if alternatives := changed.pop("oneOf", changed.get("anyOf")):
        # without the kind, which the base may give, more than one of them can fit
        changed["anyOf"] = [_changes(each) for each in alternatives]
    required = node.get("required", ())
    if "properties" in node:
        parts = node["properties"].items()
        changed["properties"] = {key: _changes(each) if key in required else _removable(each) for key, each in parts}
    if isinstance(node.get("additionalProperties"), Mapping):
        changed["additionalProperties"] = _removable(node["additionalProperties"])
    if "patternProperties" in node:
        changed["patternProperties"] = {key: _removable(each) for key, each in node["patternProperties"].items()}
    return changed


def _removable(node: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of a value that ``~`` removes."""
    return {"anyOf": [_changes(node), {"type": "null"}]}
