"""Configs that nobody wrote: drawn from the schema, and with wrong values at every key of the shipped configs."""

import copy
import datetime
import math
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.experiment import ConfigError, Experiment, json_schema, load, shipped
from lenscast.experiment.base import complete
from lenscast.experiment.strict_yaml import dumped, parsed
from lenscast.sections.errors import Problem

hypothesis = pytest.importorskip("hypothesis", reason="the extra `dev` is not installed")
st = hypothesis.strategies

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json_schema()
# the first call of a process reads tables that later ones share
PATIENT = hypothesis.settings(
    deadline=None, max_examples=60, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)

TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029\x85"), max_size=12
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3), max_leaves=8
)


def configs() -> dict[str, dict[str, Any]]:
    """All shipped configs, and the small one of the workflow's tests."""
    small = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
    others = {path.stem: path for path in sorted((ROOT / "configs").glob("*.yaml")) if "training" not in path.stem}
    read = {name: complete(yaml.safe_load(path.read_text()), name, path.parent) for name, path in others.items()}
    return {"small": small, **{name: complete({"base": name}) for name in shipped()}, **read}


CONFIGS = configs()


def keys(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all values of a config, sections and elements of lists included."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from keys(value, (*path, key))


def changed(config: dict[str, Any], path: tuple[Any, ...], value: Any) -> Any:
    """The config with another value at a path; `...` removes it."""
    if not path:
        return value
    made = copy.deepcopy(config)
    node: Any = made
    for key in path[:-1]:
        node = node[key]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return made


def loaded(config: Any) -> Experiment | None:
    """The experiment; None where it is refused by key within a second. Valid ones come back from what they print."""
    begin, problems = time.process_time(), tuple[Problem, ...]()
    try:
        experiment = load(config)
    except ConfigError as error:
        problems, experiment = error.problems, None
    assert time.process_time() - begin < 1
    assert all(problem.key and "\n" not in problem.message for problem in problems)
    assert (experiment is None) == bool(problems)
    if experiment is not None:
        values = experiment.model_dump(mode="json", exclude_none=True)
        assert load(parsed(dumped(values))) == experiment
    return experiment


@st.composite
def allowed(draw: Any, node: dict[str, Any]) -> Any:
    """A value that the schema of a key allows, within its range."""
    while "$ref" in node or "anyOf" in node:
        if "anyOf" in node:
            node = draw(st.sampled_from([each for each in node["anyOf"] if each.get("type") != "null"]))
        else:
            node = SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    low = node.get("minimum", node.get("exclusiveMinimum"))
    high = node.get("maximum", node.get("exclusiveMaximum"))
    if node.get("type") == "integer":
        step = node.get("multipleOf", 1)
        return step * draw(st.integers(math.ceil((low or 0) / step), min(high or 1000, 1000) // step))
    if node.get("type") == "number":
        ends = {"exclude_min": "exclusiveMinimum" in node, "exclude_max": "exclusiveMaximum" in node}
        return draw(st.floats(low if low is not None else -10.0, high if high is not None else 10.0, **ends))
    return draw(st.sampled_from(node["enum"])) if "enum" in node else node.get("const", draw(VALUES))


def node_of(path: tuple[Any, ...]) -> dict[str, Any] | None:
    """The schema of a key, where it is a plain number or word of a section that is no union."""
    node: dict[str, Any] = SCHEMA["else"]
    for key in path:
        while "$ref" in node:
            node = SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        node = node.get("properties", {}).get(key, {}) if not isinstance(key, int) else node.get("items", {})
    return node if node.get("type") in ("number", "integer") or "enum" in node else None


PLAIN = {path: node for path in keys(CONFIGS["small"]) if (node := node_of(path)) is not None}


@pytest.mark.slow
@PATIENT
@hypothesis.given(st.data())
def test_values_in_the_ranges_of_the_schema_load_and_come_back_or_are_refused_by_key(data: Any) -> None:
    config = CONFIGS["small"]
    for path in data.draw(st.lists(st.sampled_from(sorted(PLAIN)), min_size=1, max_size=4, unique=True)):
        config = changed(config, path, data.draw(allowed(PLAIN[path])))
    loaded(config)


BY_NAME = [path for path in PLAIN if all(isinstance(key, str) for key in path)]


@PATIENT
@hypothesis.given(st.sampled_from(BY_NAME), st.integers() | st.floats(allow_nan=True) | TEXTS)
def test_values_outside_of_the_ranges_are_refused_by_their_key(path: tuple[str, ...], value: Any) -> None:
    node = PLAIN[path]
    try:
        number = float(value)  # texts of numbers are numbers
    except (OverflowError, ValueError):
        number = math.nan
    inside = node.get("minimum", -math.inf) <= number <= node.get("maximum", math.inf)
    hypothesis.assume(not inside and value not in node.get("enum", ()))
    with pytest.raises(ConfigError) as error:
        load(changed(CONFIGS["small"], path, value))
    assert any(problem.key == ".".join(map(str, path)) for problem in error.value.problems)


@PATIENT
@hypothesis.given(st.sampled_from([(), *keys(CONFIGS["small"])]), VALUES)
def test_any_value_at_any_key_loads_or_is_refused_in_a_second(path: tuple[Any, ...], value: Any) -> None:
    loaded(changed(CONFIGS["small"], path, value))


@PATIENT
@hypothesis.given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_values_come_back_from_the_yaml_that_is_printed(values: dict[str, Any]) -> None:
    assert parsed(dumped(values)) == values


# what public configs have had in place of a number, a name, a list or a section
WRONG: dict[str, Any] = {
    "nothing": None,
    "text": "abc",
    "no text": "",
    "true": True,
    "below 0": -1,
    "zero": 0,
    "negative": -1.5,
    "half": 0.5,
    "NaN": math.nan,
    "infinite": math.inf,
    "-infinite": -math.inf,
    "1e300": 1e300,
    "1e-300": 1e-300,
    "10^12": 10**12,
    "10^400": 10**400,
    "list": [1, 2],
    "empty list": [],
    "list of lists": [[1]],
    "mapping": {"a": 1},
    "empty mapping": {},
    "number as text": "5",
    "exponent as text": "1e-2",
    "space": " 5",
    "underscore": "1_000",
    "letters": "Ωm",
    "bytes": b"x",
    "date": datetime.date(2024, 1, 1),
    "set": {1, 2},
    "missing": ...,
}


def late(*_: Any) -> None:
    raise TimeoutError("a config took 10 s")


def attempts(stride: int) -> Iterator[tuple[str, tuple[Any, ...], str, Any]]:
    """Config, key and one in `stride` of the wrong values, which take turns; each key of all configs comes once."""
    seen = set[tuple[Any, ...]]()
    for name, config in CONFIGS.items():
        for path in [(), *keys(config)]:
            if path in seen:
                continue
            turn = len(seen) % stride
            seen.add(path)
            for kind, value in [*WRONG.items()][turn::stride]:
                if path or value is not ...:
                    yield name, path, kind, value


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_wrong_values_at_the_keys_of_all_shipped_configs_are_errors_or_experiments() -> None:
    before, tried = signal.signal(signal.SIGALRM, late), Counter[str]()
    try:
        for name, path, kind, value in attempts(stride=6):
            signal.alarm(10)
            try:
                load(changed(CONFIGS[name], path, value))
                tried["valid"] += 1
            except ConfigError:
                tried["refused"] += 1
            except BaseException as error:
                raise AssertionError(f"{name}: {'.'.join(map(str, path))} = {kind}: {error!r}") from error
            finally:
                signal.alarm(0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert tried["refused"] > 700
    assert 0 < tried["valid"] < 0.15 * tried.total()
