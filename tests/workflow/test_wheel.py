"""The package as users install it: a wheel, with the workflow in it, in a folder that has nothing else."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TINY = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
SMALLEST = {  # one batch of each kind, and no nuisance parameters, which have a figure of their own
    **TINY,
    "covariance": TINY["covariance"] | {"boxes": 4},
    "boxes_per_batch": 4,
    "statistics": {"starlet_power_spectrum": TINY["statistics"]["starlet_power_spectrum"]},
    "forecast": {
        "parameters": ["Omega_c", "sigma8"],
        "priors": {"sigma8": TINY["forecast"]["priors"]["sigma8"]},
        "data_vectors": {"C_ell": ["starlet_power_spectrum"]},
    },
    "resolution": {"boxes": 4, "levels": []},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the contents of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder / "installed")
    return folder / "installed"


def lenscast(installed: Path, folder: Path, *words: str) -> str:
    """Output of a command of the wheel."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "120"}
    command = [sys.executable, "-m", "lenscast", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_wheel_holds_the_package_and_the_workflow(installed: Path) -> None:
    package = ROOT / "src/lenscast"
    expected = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    for folder in ("configs", "profiles", "workflow"):
        paths = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
        expected |= {Path("share") / path for path in paths}
    held = {path.relative_to(installed / "lenscast") for path in (installed / "lenscast").rglob("*") if path.is_file()}
    assert held == {path for path in expected if path.suffix != ".pyc"}


@pytest.mark.slow
def test_init_and_run_end_in_the_report_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    said = lenscast(installed, tmp_path, "init")
    assert said == "config.yaml, profiles, Snakefile written; next: lenscast run\n"
    first = (tmp_path / "config.yaml").read_text().splitlines()[0]
    assert first.endswith(str(schema := installed / "lenscast/share/workflow/schemas/config.schema.json"))
    assert schema.exists()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SMALLEST, sort_keys=False))
    said = lenscast(installed, tmp_path, "run")
    page = tmp_path / "results/tiny/report.html"
    assert f"Report: {page}" in said
    assert page.exists()
    assert "Error" not in said.replace("Errors with priors", "")
    # what a log file of the terminal gets: no shell commands, no reasons, no lines of each job's files
    assert len(said.splitlines()) < 60
    assert max(map(len, said.splitlines())) < 300
    assert not [line for line in said.splitlines() if "python" in line or "output:" in line or "Shell command" in line]
    # snakemake itself, with the Snakefile of the folder, agrees that all is made
    command = [sys.executable, "-m", "snakemake", "--dry-run"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "Nothing to be done" in done.stdout + done.stderr
