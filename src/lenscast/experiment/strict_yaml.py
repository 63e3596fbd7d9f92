"""YAML that means what it says: the one reader of all configs.

YAML 1.1, which most readers speak, takes 0100 for 64, 15:00 for 900 and `on` for true, and YAML 1.2 does not; where the
two differ, the text is refused with what to write in its place. Of a key that is given twice most readers keep the last
one without a word; here it is an error.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from lenscast.experiment.ambiguous_yaml import ambiguous
from lenscast.sections.errors import WHOLE, ConfigError, Problem

__all__ = ["dumped", "parsed", "read_yaml"]

MOST_VALUES = 100_000
"""Values of a file with those that aliases repeat; complete configs have about 200."""

MOST_DIGITS = 400
"""Digits of an integer; doubles end at 10^308."""

CORE = "tag:yaml.org,2002:"
AMBIGUOUS = "!ambiguous-"


class _Loader(yaml.SafeLoader):
    """Scalars of the core schema of YAML 1.2, and with a tag of their own those that YAML 1.1 reads otherwise."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


class _Dumper(yaml.SafeDumper):
    """Writes in quotes all text that a reader of either version takes for something else."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


DIGITS = "0123456789"
SIGNED = f"+-{DIGITS}"
# tag, pattern and first characters; the first pattern that fits decides
RESOLVERS = (
    (f"{AMBIGUOUS}boolean", r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "yYnNoO"),
    (f"{AMBIGUOUS}date", r"\d{4}-\d\d?-\d\d?(([Tt]|[ \t]+).*)?", DIGITS),
    (f"{AMBIGUOUS}base_60", r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?", SIGNED),
    (f"{AMBIGUOUS}integer", r"[-+]?(0[\d_]+|0o[0-7_]+|0b[01_]+|0x[\da-fA-F_]+)", SIGNED),
    (f"{AMBIGUOUS}underscores", r"[-+]?(\d+_[\d_]*(\.[\d_]*)?|\d*\.\d+_[\d_]*)([eE][-+]?\d+)?", f"{SIGNED}."),
    (f"{CORE}null", r"~|null|Null|NULL|", "~nN\0"),
    (f"{CORE}bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (f"{CORE}int", r"[-+]?\d+", SIGNED),
    (f"{CORE}float", r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", f"{SIGNED}."),
    (f"{CORE}merge", "<<", "<"),
)
for _tag, _pattern, _first in RESOLVERS:
    for _each in (_Loader, _Dumper):
        _starts = ["" if start == "\0" else start for start in _first]
        _each.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z", re.ASCII), _starts)
for _start, _found in yaml.SafeDumper.yaml_implicit_resolvers.items():
    _Dumper.yaml_implicit_resolvers.setdefault(_start, []).extend(_found)


def read_yaml(path: str | Path) -> Any:
    """Contents of a YAML file.

    Raises
    ------
    ConfigError
        If there is no such file, it is not YAML, a key comes twice, or readers of YAML differ on a value.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        problem = Problem("file", f"there is none of this name in {Path.cwd()}; give the path of a YAML file")
        raise ConfigError([problem], str(path)) from None
    except (OSError, ValueError) as error:  # a folder, no permission, a name that no file can have
        reason = getattr(error, "strerror", None) or error
        problem = Problem("file", f"cannot be read ({reason}); give the path of a YAML file")
        raise ConfigError([problem], str(path)) from error
    return parsed(content, str(path))


def parsed(content: str | bytes, source: str = "config") -> Any:
    """Values of a text in YAML.

    Parameters
    ----------
    content
        The text; bytes are UTF-8, or UTF-16 with a byte order mark.
    source
        Where it comes from, for errors.

    Raises
    ------
    ConfigError
        As `read_yaml`.
    """
    try:
        loader = _Loader(content)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConfigError([Problem("YAML", _one_line(error))], source) from error
    except RecursionError:
        raise ConfigError([Problem("YAML", "brackets are nested too deeply; close each of them")], source) from None
    if node is None:
        return None
    values = _Values()
    value = values.of(node, "")
    if values.problems:
        raise ConfigError(values.problems, source)
    return value


def dumped(values: Any) -> str:
    """Text in YAML of which `parsed` makes the same values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)


def _one_line(error: Exception) -> str:
    """What PyYAML says, with the line of the file, in one line."""
    return "; ".join(" ".join(line.split()) for line in str(error).splitlines() if line.strip(" ^"))


class _Values:
    """Makes values of nodes, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._open: list[yaml.Node] = []
        self._number = 0

    def of(self, node: yaml.Node, key: str) -> Any:
        """Value of a node at a dotted key."""
        self._number += 1
        if any(node is each for each in self._open):
            self._say(node, key, "an alias of what it is part of; write the values out")
            return None
        if self._number > MOST_VALUES:
            if self._number == MOST_VALUES + 1:
                self._say(node, key, f"more than {MOST_VALUES} values with those that aliases repeat; write fewer")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        if not node.tag.startswith(CORE):
            self._say(node, key, f"tag {node.tag}; configs have none, remove it")
            return None
        self._open.append(node)
        if isinstance(node, yaml.SequenceNode):
            value: Any = [self.of(item, f"{key}[{index}]") for index, item in enumerate(node.value)]
        else:
            value = self._mapping(node, key)
        self._open.pop()
        return value

    def _mapping(self, node: yaml.MappingNode, key: str) -> dict[str, Any]:
        """Keys and values; those that `<<` merges give way to the node's own."""
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name_node, item in node.value:
            if name_node.tag == f"{CORE}merge":
                for each in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                    found = self.of(each, key)
                    if isinstance(found, dict):
                        merged = {**found, **merged}
                    else:
                        self._say(each, key, "<< merges sections only; give the alias of one")
                continue
            name = self._name(name_node, key)
            if name is None:
                continue
            dotted = f"{key}.{name}" if key else name
            value = self.of(item, dotted)
            if name in own:
                self._say(name_node, dotted, f"given before in line {lines[name]}; remove one of the two")
            else:
                own[name], lines[name] = value, name_node.start_mark.line + 1
        return {**{name: value for name, value in merged.items() if name not in own}, **own}

    def _name(self, node: yaml.Node, key: str) -> str | None:
        """A key of a section, which is text."""
        if not isinstance(node, yaml.ScalarNode):
            self._say(node, key or WHOLE, "a key that is no name; give a name before the colon")
            return None
        name = self._scalar(node, key)
        if name is not None and not isinstance(name, str):
            self._say(node, key or WHOLE, f"the key {node.value} is no text; give a name, or write '{node.value}'")
            return None
        return name if isinstance(name, str) else None

    def _scalar(self, node: yaml.ScalarNode, key: str) -> Any:
        """A text, number, boolean or nothing."""
        text, tag = node.value, node.tag
        if tag.startswith(AMBIGUOUS):
            self._say(node, key, ambiguous(text, tag.removeprefix(AMBIGUOUS)))
        elif tag == f"{CORE}int" and _fits(text, rf"[-+]?\d{{1,{MOST_DIGITS}}}"):
            return int(text)
        elif tag == f"{CORE}int":
            self._say(node, key, f"an integer of {len(text)} characters; give {MOST_DIGITS} digits at most")
        elif tag == f"{CORE}float":
            return self._float(node, key)
        elif tag == f"{CORE}bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        elif tag == f"{CORE}str":
            return text
        elif tag != f"{CORE}null":
            self._say(node, key, f"tag {tag}; configs have none, remove it")
        return None

    def _float(self, node: yaml.ScalarNode, key: str) -> float | None:
        """A number with a point or an exponent."""
        text = node.value.lower()
        if text.lstrip("+-") in (".inf", ".nan"):
            return float(text.replace(".", ""))
        try:
            return float(text)
        except ValueError:
            self._say(node, key, f"{node.value} is no number; give digits")
            return None

    def _say(self, node: yaml.Node, key: str, message: str) -> None:
        """Keep a problem with the line of its node."""
        self.problems.append(Problem(key or WHOLE, f"line {node.start_mark.line + 1}: {message}"))


def _fits(text: str, pattern: str) -> bool:
    """Whether a text is what an ASCII pattern describes."""
    return re.fullmatch(pattern, text, re.ASCII) is not None
