"""The ways to install the package agree: pyproject.toml, lock file, environment.yml and Makefile."""

import re
import subprocess
import sys
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
LOCKED = [extra for extra in EXTRAS if not extra.startswith("cuda")]  # one of JAX's two plugins, where there is a GPU


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
    for text in [*PROJECT["dependencies"], *(text for extra in LOCKED for text in EXTRAS[extra])]:
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


def _conda_dependencies(path):
    python, pip, by_pip = yaml.safe_load((REPOSITORY / path).read_text())["dependencies"]
    assert (python, pip) == (f"python {PROJECT['requires-python']}", "pip")
    return by_pip["pip"]


def test_conda_environment_equals_pyproject():
    by_pip = _conda_dependencies("environment.yml")
    assert by_pip[0] == "-r requirements.lock"
    extras = re.fullmatch(r"-e \.\[(.*)\]", by_pip[1])[1].split(",")
    assert sorted(extras) == sorted(LOCKED)


def test_makefile_locks_all_extras_but_those_of_gpus():
    (named,) = re.findall(r"^LOCKED := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert sorted(named.split()) == sorted(LOCKED)


def test_environment_of_jobs_names_packages_alone():
    extras = [text for extra in ("theory", "fits", "export", "inference", "sbi") for text in EXTRAS[extra]]
    # snakemake copies the file: a path in it would lead nowhere
    assert _conda_dependencies("workflow/envs/job.yaml") == [*PROJECT["dependencies"], *extras]
    rules = [*(REPOSITORY / "workflow/rules").rglob("*.smk")]
    named = {
        (rule.parent / name).resolve() for rule in rules for name in re.findall(r'"(\S+envs/\S+)"', rule.read_text())
    }
    assert named == {REPOSITORY / "workflow/envs/job.yaml"}


def test_a_job_finds_lenscast_where_the_workflow_is():
    scripts, packages = REPOSITORY / "workflow/scripts", Path(yaml.__file__).parents[1]
    # isolated, so that no .pth file names the clone, as in an environment that snakemake makes
    paths = [str(scripts), str(packages)]
    code = f"import sys; sys.path += {paths}; import _job, lenscast; print(lenscast.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(REPOSITORY / "src/lenscast/__init__.py")


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


def test_shipped_configs_are_those_of_the_repository():
    for link in (REPOSITORY / "src/lenscast/experiment/shipped").iterdir():
        source = REPOSITORY / ("config.yaml" if link.name == "default.yaml" else f"configs/{link.name}")
        assert link.resolve() == source


def test_command_is_that_of_the_module():
    module, function = PROJECT["scripts"]["lenscast"].split(":")
    assert module == f"{lenscast.__name__}.__main__"
    assert callable(getattr(import_module(module), function))
