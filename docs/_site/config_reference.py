"""The reference of configs, written from their JSON schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from lenscast.experiment.schema import complete_schema
from lenscast.sections.section import Section

Node = Mapping[str, Any]


def config_reference(model: type[Section], title: str, introduction: str) -> str:
    """A page in Markdown with a table of keys for each section.

    Parameters
    ----------
    model
        What the config describes.
    title
        Heading of the page.
    introduction
        Paragraph before the first table.
    """
    schema = complete_schema(model)
    parts = [f"# {title}", introduction]
    for path, section in _sections(schema, schema["$defs"], ()):
        # one line of what a class says of itself; the rest is for those who write code
        about = section.get("description", "").partition("\n\n")[0].replace("\n", " ")
        heading = [f"## `{path}`", about] if path else []
        keys = [_row(key, value, key in section.get("required", ())) for key, value in section["properties"].items()]
        parts += [*heading, "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *keys])]
    return "\n\n".join(parts) + "\n"


def _sections(node: Node, defined: Mapping[str, Node], path: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
    """Path and schema of a section and of all sections below it, in the order of their keys."""
    yield ".".join(path), node
    for key, value in node["properties"].items():
        for name, each in value.get("properties", {}).items():
            yield from _sections(defined[_name(each)], defined, (*path, key, name))
        alternatives = _referenced(value)
        for section in (defined[each] for each in alternatives):
            kind = section["properties"].get("kind", {})
            which = kind.get("enum", [kind["const"]] if "const" in kind else [])
            choice = f" ({', '.join(which)})" if len(alternatives) > 1 else ""
            if section["properties"].keys() - {"kind"}:
                yield from _sections(section, defined, (*path, f"{key}{choice}"))


def _referenced(node: Node) -> list[str]:
    """Names of the sections that a key may hold."""
    nodes = [node, *node.get("oneOf", ()), *node.get("anyOf", ())]
    more = node.get("additionalProperties")
    nodes += [more] if isinstance(more, Mapping) else []
    return [_name(each) for each in nodes if "$ref" in each]


def _name(node: Node) -> str:
    return node["$ref"].rpartition("/")[2]


def _row(key: str, node: Node, required: bool) -> str:
    """The line of a key."""
    default = "" if required or node.get("default") is None else f"`{node['default']}`"
    cells = [f"`{key}`", _values(node), default if required or default else "none", node.get("description", "")]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<run>", "&lt;run>") for cell in cells) + " |"


def _values(node: Node) -> str:
    """What a key takes, in words."""
    options = [each for each in node.get("anyOf", ()) if each != {"type": "null"}]
    if options and not _referenced(node):
        return " or ".join(_values(each) for each in options)
    if "enum" in node:
        return ", ".join(f"`{each}`" for each in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if _referenced(node) or "properties" in node or node.get("type") == "object":
        return "section"
    if node.get("type") == "array":
        return f"list: {_values(node['items'])}" if isinstance(node.get("items"), Mapping) else "list"
    words = {"number": "number", "integer": "integer", "string": "text", "boolean": "true or false"}
    limits = [("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")]
    # as they are written in a config; 1e12 is no limit that a reader has to know
    found = [f"{sign} {node[name]}" for name, sign in limits if name in node and abs(node[name]) < 1e11]
    even = [f"a multiple of {node['multipleOf']}"] if "multipleOf" in node else []
    return ", ".join([" ".join([words[node["type"]], *found[:1]]), *found[1:], *even])
