"""The code of the manual's pages runs, in their order, and the site shows what the code and the repository say."""

import ast
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.experiment import Experiment, Training, read, read_training

DOCS = Path(__file__).resolve().parents[1] / "docs"
ROOT = DOCS.parent


@pytest.fixture
def site(monkeypatch):
    """The modules of docs/_site, and the files of the repository that its pages are made of."""
    monkeypatch.syspath_prepend(str(DOCS / "_site"))
    import config_reference
    import pages

    yield config_reference.config_reference, pages.shown
    for name in ("config_reference", "pages"):
        del sys.modules[name]


def keys(mapping, path=()):
    """Paths of all values of a config."""
    for key, value in mapping.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from keys(value, (*path, key))


@pytest.mark.parametrize(("model", "config"), [(Experiment, "config.yaml"), (Training, "configs/training.yaml")])
def test_reference_has_the_keys_of_a_config(site, model, config):
    page = site[0](model, "Keys", "")
    # tables by the path of their section, which may say for which kinds it is
    parts = re.split(r"^## `([^` ]+).*`$", page, flags=re.MULTILINE)
    tables = {"": parts[0]}
    for path, table in zip(parts[1::2], parts[2::2], strict=True):
        tables[path] = tables.get(path, "") + table
    free = {
        "statistics",
        "priors",
        "data_vectors",
        "steps",
        "simulations",
        "references",
    }  # names that a config chooses
    for path in keys(yaml.safe_load((ROOT / config).read_text())):
        if ".".join(path[:-1]) in tables and path[-1] != "base":
            assert f"| `{path[-1]}` |" in tables[".".join(path[:-1])], path
        else:
            assert free & {*path[:-1]}, path


def test_reference_says_what_a_key_takes(site):
    page = site[0](Experiment, "Keys", "")
    assert "| `particles` | integer >= 8, <= 16384, a multiple of 2 |  | particles per side of the box |" in page
    assert "| `projection` | `born`, `ray_tracing` | `born` | how light travels" in page
    assert "| `ell_edges` | list: number" in page
    assert "outputs go to results/&lt;run>/ |" in page  # which is no HTML element


def test_site_links_lead_to_pages_and_files(site, tmp_path):
    text = "[a](../CHANGELOG.md#x) [b](forecasts.md) [c](../config.yaml) [d](https://e.org/f.md) [e](benchmarks)\n"
    shown = site[1](text, DOCS / "survey.md")
    assert (
        shown
        == "[a](changelog.md#x) [b](forecasts.md) [c](../config.yaml) [d](https://e.org/f.md) [e](performance.md)\n"
    )
    readme = site[1]("```{include} ../README.md\n```\n", DOCS / "index.md")
    assert "](installation.md)" in readme
    assert "](docs/" not in readme


def test_every_page_is_in_the_site():
    listed = {"index"}
    for page in DOCS.rglob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            names = [line for line in block.split() if not line.startswith(":")]
            listed |= {
                str(each.relative_to(DOCS).with_suffix("")) for name in names for each in DOCS.glob(f"{name}.md")
            }
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md") if "_build" not in page.parts}
    assert pages <= listed | {"reference/config", "reference/training"}


def test_configs_and_code_of_tutorials_are_valid(monkeypatch):
    monkeypatch.chdir(DOCS / "tutorials")
    assert read("small.yaml").run == "small"
    assert [*read("variance.yaml").statistics] == ["power_spectrum", "variance"]
    assert read("one_map.yaml").parameters == ("Omega_c", "sigma8")
    assert len(read("learnt.yaml").simulation_based.seeds) == 500
    assert [*read_training("training.yaml").simulations] == ["first", "second", "held_out"]


@pytest.mark.parametrize("page", sorted((DOCS / "tutorials").glob("*.md")), ids=lambda page: page.stem)
def test_code_of_tutorials_calls_what_is_there(page, monkeypatch):
    monkeypatch.syspath_prepend(str(page.parent))
    cells = re.findall(r"```\{code-cell\} python\n(.*?)```", page.read_text(), re.DOTALL)
    nodes = [*ast.walk(ast.parse("".join(re.sub(r"^[:%].*\n", "", cell) for cell in cells)))]
    imported: dict[str, Any] = {}
    for node in nodes:
        match node:
            case ast.Import(names):
                for each in names:
                    module, top = import_module(each.name), each.name.split(".")[0]
                    imported[each.asname or top] = module if each.asname else sys.modules[top]
            case ast.ImportFrom(source, names):
                for each in names:
                    found = getattr(import_module(source), each.name, None) or import_module(f"{source}.{each.name}")
                    imported[each.asname or each.name] = found
    assert imported

    def called(function: ast.expr) -> Any:
        """The object of a dotted name that begins with what was imported."""
        match function:
            case ast.Name(name):
                return imported.get(name)
            case ast.Attribute(value, attribute):
                owner = called(value)
                return None if owner is None else getattr(owner, attribute)

    for node in nodes:
        match node:
            case ast.Attribute():
                called(node)
            case ast.Call(function, given, named) if str(getattr(called(function), "__module__", "")).startswith(
                "lenscast"
            ):
                starred = any(isinstance(each, ast.Starred) for each in given) or any(
                    each.arg is None for each in named
                )
                if not starred:
                    keywords = {each.arg: None for each in named}
                    inspect.signature(called(function)).bind(*(None for _ in given), **keywords)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["arrays", "maps"])
def test_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    text = (DOCS / f"{page}.md").read_text()
    monkeypatch.chdir(tmp_path)
    for content in re.findall(r"```yaml\n# (?P<name>\S+\.yaml)\n(.*?)```", text, re.DOTALL):
        Path(content[0]).write_text(content[1])
    scope: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, f"{page}.md", "exec"), scope)
    assert "sigma" in capsys.readouterr().out
