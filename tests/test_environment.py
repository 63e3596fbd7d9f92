"""The ways to install the package agree: pyproject.toml, lock file, environment.yml and Makefile."""

import re
import tomllib
from importlib import import_module
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import lenscast

REPOSITORY = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.fixture(scope="module")
def locked() -> dict[str, Requirement]:
    """Lines of requirements.lock by the name of their package."""
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def _version(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"{pin} is not pinned"
    return specifier.version


def test_lock_pins_one_version_of_every_package(locked):
    for pin in locked.values():
        assert pin.url is None
        assert "*" not in _version(pin)


def test_lock_satisfies_pyproject(locked):
    for text in [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]:
        wanted = Requirement(text)
        assert wanted.name in locked, f"{wanted.name} is not in requirements.lock: run `make lock`"
        pin = locked[wanted.name]
        assert _version(pin) in wanted.specifier, f"{pin} does not satisfy {wanted}: run `make lock`"


def test_lock_is_closed_under_dependencies(locked):
    for name, pin in locked.items():
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        for text in requires(name) or []:
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                assert canonicalize_name(wanted.name) in locked, f"{name} needs {wanted}, which is not locked"


def test_conda_environment_equals_pyproject():
    dependencies = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    python, pip, by_pip = dependencies
    assert (python, pip) == (f"python {PROJECT['requires-python']}", "pip")
    assert by_pip == {"pip": ["-r requirements.lock", f"-e .[{','.join(EXTRAS)}]"]}


def test_makefile_accepts_the_pythons_of_pyproject():
    makefile = (REPOSITORY / "Makefile").read_text()
    (bounds,) = re.findall(r"\(3, (\d+)\) <= sys\.version_info\[:2\] <= \(3, (\d+)\)", makefile)
    accepted = [f"3.{minor}" for minor in range(int(bounds[0]), int(bounds[1]) + 1)]
    supported = SpecifierSet(PROJECT["requires-python"])
    assert accepted == [version for version in (f"3.{minor}" for minor in range(40)) if version in supported]
    assert f"--python-version {accepted[0]} " in makefile, "the lock starts from the oldest Python"
    named = [text.rsplit(" ", 1)[1] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert named == accepted


def test_citation_states_the_version_of_the_package():
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == lenscast.__version__


def test_package_holds_all_files_that_it_reads():
    package = REPOSITORY / "src/lenscast"
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["lenscast"]
    carried = {path for pattern in patterns for path in package.glob(pattern)}
    folders = {path.parent for path in package.rglob("*.py")} | {path.parent for path in carried}
    data = {
        path for folder in folders for path in folder.iterdir() if path.suffix in (".html", ".json", ".yaml", ".typed")
    }
    assert data == carried
    # a folder of modules without __init__.py is not found by setuptools
    assert {path.parent for path in package.rglob("*.py")} == {path.parent for path in package.rglob("__init__.py")}


def test_shipped_configs_are_those_of_the_repository():
    for link in (REPOSITORY / "src/lenscast/experiment/shipped").iterdir():
        source = REPOSITORY / ("config.yaml" if link.name == "default.yaml" else f"configs/{link.name}")
        assert link.resolve() == source


def test_command_is_that_of_the_module():
    module, function = PROJECT["scripts"]["lenscast"].split(":")
    assert module == f"{lenscast.__name__}.__main__"
    assert callable(getattr(import_module(module), function))
