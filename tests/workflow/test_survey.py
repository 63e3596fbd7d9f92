"""The campaigns of LSST: they plan, and run when made small."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from _workflow import arguments, snakemake
from lenscast.experiment import read

ROOT = Path(__file__).resolve().parents[2]
EDGES = [144, 432, 1152]
SMALL = {
    "simulation": {"particles": 16, "correction": {"kind": "none"}, "integrator": {"kind": "bullfrog", "steps": 4}},
    "lightcone": {"slabs_per_box": 2, "planes": 23, "plane_mesh": 64, "pixels": 64, "realisations_per_box": 16},
    "covariance": {"boxes": 8},
    "derivatives": {"boxes": 4, "views": 16},
    "statistics": {
        "power_spectrum": {"ell_edges": EDGES},
        "peaks": {"scales_arcmin": [9.4], "snr_edges": [0.5, 1.5, 2.5]},
    },
    "forecast": {"data_vectors": {"C_ell": ["power_spectrum"], "peaks": ["peaks"]}},
    "resolution": {"levels": ["steps"]},  # the small experiment of the other tests has the other level
}


def small() -> dict:
    """Year 1 with 16^3 particles and maps of 64^2 pixels."""
    config = yaml.safe_load((ROOT / "configs/lsst_y1.yaml").read_text())
    del config["statistics"]["starlet_power_spectrum"]  # which is in no data vector here
    for section, changes in SMALL.items():
        for key, value in changes.items():
            config[section][key] = config[section][key] | value if section == "statistics" else value
    return config


def run(directory: Path, config: Path, *targets: str) -> str:
    done = snakemake(*arguments(directory, *targets, "--configfile", str(config)))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("year", ["y1", "y10"])
def test_campaigns_plan_all_their_batches(tmp_path: Path, year: str) -> None:
    path = ROOT / f"configs/lsst_{year}.yaml"
    described = read(path)
    text = run(tmp_path, path, "--dry-run", "-p")
    jobs = Counter(re.findall(r"^(?:localrule|rule) (\w+):", text, re.MULTILINE))
    assert jobs["simulate"] == described.covariance.boxes / described.boxes_per_batch
    assert jobs["differentiate"] == described.derivatives.boxes / described.boxes_per_batch
    assert jobs["forecast"] == len(described.forecast.data_vectors)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of the small campaign."""
    directory = tmp_path_factory.mktemp("survey")
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump(small()))
    made = [f"results/lsst_y1/fisher/{name}_parameters.csv" for name in SMALL["forecast"]["data_vectors"]]
    run(directory, config, *made, "results/lsst_y1/figures/systematics.png")
    return directory / "results/lsst_y1"


@pytest.mark.slow
def test_a_small_campaign_has_all_parameters_of_its_five_bins(results: Path) -> None:
    table = pd.read_csv(results / "fisher/C_ell_estimators.csv")
    of_source = [f"{name}_{source}" for name in ("delta_z", "m") for source in range(1, 6)]
    shared = ["Omega_c", "Omega_b", "h", "n_s", "sigma8", "w0", "wa", "A_IA", "eta", "log10_T_AGN"]
    free = table[(table["systematics"] == "marginalised") & (table["estimator"] == "standard")]
    assert list(free[~free["with_priors"]]["parameter"]) == [*shared, *of_source, "S8"]
    priors = free[free["with_priors"]].set_index("parameter")
    assert (priors["sigma"] > 0).all()
    assert (priors["sigma"][of_source] <= priors["prior"][of_source]).all()
    assert (results / "figures/systematics.png").stat().st_size > 10_000


@pytest.mark.slow
def test_tomography_measures_alignments(results: Path) -> None:
    table = pd.read_csv(results / "fisher/C_ell_estimators.csv")
    rows = table[(table["parameter"] == "A_IA") & table["with_priors"] & (table["systematics"] == "marginalised")]
    row = rows[rows["estimator"] == "standard"].iloc[0]
    assert row["verdict"] != "set by the prior"
    assert row["sigma"] < 0.1 * row["prior"]
