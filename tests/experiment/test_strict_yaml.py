"""The reader of configs: YAML whose meaning depends on the reader, or on the order of its lines, is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.experiment import ConfigError, read, read_training
from lenscast.experiment.strict_yaml import dumped, parsed


def refusals(text: str | bytes) -> list[str]:
    """Lines of the error of a text, without the first."""
    with pytest.raises(ConfigError) as error:
        parsed(text)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("text", "value"),
    {
        "12": 12,
        "-3": -3,
        "+3": 3,
        "0": 0,
        "0.5": 0.5,
        "007.5": 7.5,
        ".5": 0.5,
        "5.": 5.0,
        "1e-2": 0.01,
        "1E5": 1e5,
        "-1.5e+3": -1500.0,
        ".inf": float("inf"),
        "~": None,
        "": None,
        "null": None,
        "true": True,
        "'010'": "010",
        '"on"': "on",
        "'2024-01-01'": "2024-01-01",
        "!!str 010": "010",
        "n": "n",
        "1.2.3": "1.2.3",
        "nz/2024-01-01.txt": "nz/2024-01-01.txt",
        "[1, 1e2]": [1, 100.0],
    }.items(),
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    found = parsed(f"a: {text}\n")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "advice"),
    {
        "0100000": "is 32768 (octal) to some readers of YAML and 100000 to others; write 100000",
        "-010": "is -8 (octal) to some readers of YAML and -10 to others; write -10",
        "089": "is a number to some readers of YAML and text to others; write 89",
        "0o17": "is a number to some readers of YAML and text to others; write 15",
        "0x1F": "is a number to some readers of YAML and text to others; write 31",
        "1_000": "is a number to some readers of YAML and text to others; write 1000",
        "1_0.5e3": "is a number to some readers of YAML and text to others; write 10.5e3",
        "15:00": "is 900 (base 60) to some readers of YAML; write 900",
        "-1:30.5": "is -90.5 (base 60) to some readers of YAML; write -90.5",
        "2024-01-01": "is a date to some readers of YAML; write a number",
        "2001-12-14t21:59:43.10-05:00": "is a date to some readers of YAML; write a number",
    }.items(),
)
def test_numbers_that_readers_differ_on_are_refused(text: str, advice: str) -> None:
    assert refusals(f"x: 1\na: {{b: {text}}}\n") == [f"a.b: line 2: {text} {advice}, or '{text}' if it is a name"]


@pytest.mark.parametrize("text", ["on", "off", "yes", "No", "ON"])
def test_words_that_are_booleans_to_some_readers_are_refused(text: str) -> None:
    advice = f"{text} is true or false to some readers of YAML; write '{text}' if it is a name"
    assert refusals(f"run: {text}\n") == [f"run: line 1: {advice}"]
    assert refusals(f"{text}: 1\n") == [f"config: line 1: {advice}"]


def test_keys_given_twice_are_all_named_with_both_lines() -> None:
    text = "a: {x: 1, x: 1}\nb:\n  - c: 2\n    d: 3\n    c: 4\na: 5\n"
    assert refusals(text) == [
        "a.x: line 1: given before in line 1; remove one of the two",
        "b[0].c: line 5: given before in line 3; remove one of the two",
        "a: line 6: given before in line 1; remove one of the two",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    {
        "1: x\n": "config: line 1: the key 1 is no text; give a name, or write '1'",
        "? [a]\n: 1\n": "config: line 1: a key that is no name; give a name before the colon",
        "a: &x\n  b: *x\n": "a.b: line 1: an alias of what it is part of; write the values out",
        "a: !!python/name:os.system x\n": "a: line 1: tag tag:yaml.org,2002:python/name:os.system; configs have none, "
        "remove it",
        "a: " + 5000 * "9": "a: line 1: an integer of 5000 characters; give 400 digits at most",
        "a: " + 5000 * "[": "YAML: brackets are nested too deeply; close each of them",
        "a: 1\n<<: 3\n": "config: line 2: << merges sections only; give the alias of one",
    }.items(),
    ids=["number", "list", "circle", "tag", "digits", "brackets", "merge"],
)
def test_what_a_config_has_no_use_for_is_refused(text: str, line: str) -> None:
    assert refusals(text) == [line]


@pytest.mark.slow
def test_aliases_that_multiply_end_early() -> None:
    text = "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [{9 * f'*a{i - 1}, '}]\n" for i in range(1, 30))
    (line,) = refusals(text)
    assert line.endswith("more than 100000 values with those that aliases repeat; write fewer")


def test_aliases_and_merged_sections_are_written_out() -> None:
    values = parsed("one: &one {a: 1, b: [2]}\ntwo: {<<: *one, a: 3}\nthree: *one\n")
    assert values == {"one": {"a": 1, "b": [2]}, "two": {"b": [2], "a": 3}, "three": {"a": 1, "b": [2]}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_other_systems_are_read(encoding: str) -> None:
    assert parsed("run: mine\r\nfile: Ωm.txt\r\n".encode(encoding)) == {"run": "mine", "file": "Ωm.txt"}


@pytest.mark.parametrize("content", [b"a: \xff\n", b"a: \x00\n", b"a: 1\n---\nb: 2\n", b"a:\tb: c\n"])
def test_what_is_not_yaml_is_one_line(content: bytes) -> None:
    (line,) = refusals(content)
    assert line.startswith("YAML: ")


def test_what_is_printed_is_read_back_equal() -> None:
    texts = ["on", "010", "1e-2", "1_000", "12:00", "2024-01-01", "0o7", "~", "", "x y", "<<", "=", "null", ".5", "n"]
    values = {"texts": texts, "numbers": [1e-5, 3, 1e300, -0.5], "none": None, "true": True}
    assert parsed(dumped(values)) == values


def test_a_folder_and_a_name_that_no_file_can_have_are_one_line(tmp_path: Path) -> None:
    for name, reason in (
        (str(tmp_path), "Is a directory"),
        ("a\0b", "embedded null byte"),
        (300 * "a", "name too long"),
    ):
        with pytest.raises(ConfigError, match=rf"file: cannot be read \(.*{reason}.*\); give the path of a YAML file"):
            read(name)


def test_every_file_on_the_way_is_read_strictly(tmp_path: Path, default, repository: Path) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(default) + "run: again\n")
    (tmp_path / "my.yaml").write_text("base: base.yaml\n")
    with pytest.raises(ConfigError, match=r"base\.yaml: 1 error\n  run: line \d+: given before in line \d+"):
        read(tmp_path / "my.yaml")
    text = (repository / "configs/training.yaml").read_text()
    (tmp_path / "training.yaml").write_text(text + "epochs: 3\n")
    with pytest.raises(ConfigError, match=r"training\.yaml: 1 error\n  epochs: line \d+: given before"):
        read_training(tmp_path / "training.yaml")
