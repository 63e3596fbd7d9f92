"""A statistic from a file outside of the package, named in a config, through the whole workflow to contours."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from _workflow import arguments, snakemake
from lenscast import io

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ["minima", "derivatives", "triangle"]


def run(directory: Path, *targets: str) -> str:
    done = snakemake(*arguments(directory, *targets, "--configfile", str(directory / "my.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def config() -> dict[str, Any]:
    """What differs from the small experiment of the tests."""
    return {
        "base": str(ROOT / "tests/workflow/config.yaml"),
        "covariance": {"boxes": 4},
        "derivatives": {"boxes": 2},
        "statistics": {
            "peaks": None,
            "starlet_power_spectrum": None,
            "minima": {"file": "minima.py", "scales_arcmin": [9.4], "depth_edges": [0.5, 1.5, 2.5]},
        },
        "forecast": {
            "parameters": ["Omega_c", "sigma8"],
            "priors": dict.fromkeys(["A_IA", "m"]),
            "data_vectors": {"peaks": None, "combined": None, "C_ell": ["power_spectrum"], "minima": ["minima"]},
        },
        "finite_differences": {"boxes": 2},
    }


@pytest.fixture(scope="module")
def finished(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the statistic, in the folder of one without it, whose maps it measures."""
    directory = Path(shutil.copytree(shared_run, tmp_path_factory.mktemp("extension") / "run"))
    shutil.copy(ROOT / "tests/workflow/minima.py", directory)
    (directory / "my.yaml").write_text(yaml.safe_dump(config()))
    tables = [f"results/tiny/fisher/{name}_parameters.csv" for name in ("C_ell", "minima")]
    run(directory, *tables, *(f"results/tiny/figures/{name}.png" for name in FIGURES))
    return directory


def test_a_statistic_from_a_file_goes_to_contours(finished: Path) -> None:
    results = finished / "results/tiny"
    table = pd.read_csv(results / "fisher/minima_estimators.csv")
    assert {"Omega_c", "sigma8", "S8"} == set(table["parameter"])
    assert (table.loc[table["estimator"] == "standard", "sigma"] > 0).all()
    for name in FIGURES:
        assert (results / f"figures/{name}.png").stat().st_size > 10_000


def test_only_statistics_of_the_config_are_measured(finished: Path) -> None:
    bins = io.load(finished / "results/tiny/covariance/summaries.h5", []).coordinates["bin"]
    assert list(bins["statistic"].unique()) == ["power_spectrum", "minima"]


def test_an_edit_of_the_file_measures_again_and_simulates_nothing(finished: Path) -> None:
    path = finished / "minima.py"
    original = path.read_text()
    try:
        path.write_text(original.replace("Minima of the noisy maps.", "Another docstring."))
        assert "Nothing to be done" in run(finished, "--dry-run", "results/tiny/fisher/minima_parameters.csv")
        path.write_text(original.replace("measured(-kappa, -noise", "measured(-kappa, -2 * noise"))
        planned = run(finished, "--dry-run", "-p", "results/tiny/fisher/minima_parameters.csv")
        assert "rule measure:" in planned
        assert "rule simulate:" not in planned
    finally:
        path.write_text(original)


def test_a_wrong_key_of_the_statistic_is_an_error_before_anything_runs(finished: Path) -> None:
    wrong = config()
    wrong["statistics"]["minima"]["depth_edges"] = [2.5, 0.5]
    (finished / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    done = snakemake(*arguments(finished, "--dry-run", "--configfile", str(finished / "wrong.yaml")))
    assert done.returncode == 1
    expected = "statistics.minima.depth_edges: values must increase, but 0.5 follows 2.5; sort them, each once"
    assert expected in done.stdout + done.stderr
