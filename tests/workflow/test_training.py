"""Training by the workflow: what it makes, what goes on after a kill, and what uses the weights."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import pandas as pd
import pytest
import yaml

from _workflow import arguments, killed_once_it_made, snakemake
from lenscast import io, plotting
from lenscast.corrections.reference import Reference
from lenscast.corrections.training import State, initial_state, untrained
from lenscast.io.references import load_reference, make_reference, save_reference
from lenscast.sections.training import Training

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TRAINING = yaml.safe_load((ROOT / "tests/workflow/training.yaml").read_text())
EXPERIMENT = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
WEIGHTS = "results/training/tiny/hpn.json"
MAPS = "results/tiny/maps/fiducial/seeds_100000_100001.h5"


def words(directory: Path, *targets: str, **correction: Any) -> list[str]:
    simulation = {**EXPERIMENT["simulation"], "correction": correction or {"kind": "none"}}
    (directory / "config.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "simulation": simulation}))
    (directory / "training.yaml").write_text(yaml.safe_dump(TRAINING))
    configs = ["--config", "training=training.yaml", "--configfile", str(directory / "config.yaml")]
    return arguments(directory, *targets, *configs)


def run(directory: Path, *targets: str, **correction: Any) -> str:
    """What a run of the workflow says."""
    done = snakemake(*words(directory, *targets, **correction))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(directory, "train_correction")
    return directory


def test_training_makes_weights_history_and_figure(trained: Path) -> None:
    results = trained / "results/training/tiny"
    for kind in ("hpn", "pgd"):
        card = io.load_correction(results / f"{kind}.json", kind).card
        assert card["cell_min"] == card["cell_max"] == 5.0
        assert card["redshift_range"] == [0.0, 6.0]
        assert card["accuracy"].keys() == TRAINING["references"].keys()
    history = pd.read_csv(results / "history.csv")
    assert list(history["epoch"]) == list(range(1, 31))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert (results / "figures/loss.png").stat().st_size > 10_000
    log = (results / "logs/train_hpn.log").read_text()
    assert re.search(r"epoch 1 of 30: loss one [\d.e-]+; \d+ s spent, \d+ s left", log)
    assert not (results / "checkpoint.h5").exists()
    assert "Nothing to be done" in run(trained, "train_correction")


def test_trained_weights_make_maps_with_a_warning_of_their_cells(trained: Path) -> None:
    correction = {"kind": "hpn", "weights": "mine.json"}
    shutil.copy(trained / WEIGHTS, trained / "mine.json")
    run(trained, MAPS, **correction)
    log = (trained / "results/tiny/logs/simulate/fiducial/seeds_100000_100001.log").read_text()
    assert "mine.json: trained on cells of 5 Mpc/h, but this simulation has cells of 12.8125 Mpc/h" in log
    assert "Nothing to be done" in run(trained, "--dry-run", MAPS, **correction)
    content = json.loads((trained / "mine.json").read_text())
    content["weights"]["layers"][0]["biases"][0] = 0.125
    (trained / "mine.json").write_text(json.dumps(content))
    assert "rule simulate" in run(trained, "--dry-run", "-p", MAPS, **correction)


def test_weights_that_training_makes_are_made_first(tmp_path: Path) -> None:
    assert "rule train_hpn" in run(tmp_path, "--dry-run", "-p", MAPS, kind="hpn", weights=WEIGHTS)


def test_weights_and_trainings_that_are_not_there_are_named_before_anything_runs(tmp_path: Path) -> None:
    absent = words(tmp_path, MAPS, kind="hpn", weights="my/absent.json")
    for each, expected in (
        (absent, "simulation.correction.weights: weights my/absent.json: there is no such file; `snakemake"),
        ([word.replace("training.yaml", "nope.yaml") for word in absent], "nope.yaml: 1 error"),
    ):
        done = snakemake(*each)
        assert done.returncode == 1
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


def test_training_killed_in_the_middle_goes_on_to_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "results/training/tiny/references", tmp_path / "results/training/tiny/references")
    killed_once_it_made(tmp_path / "results/training/tiny/checkpoint.h5", *words(tmp_path, WEIGHTS))
    assert not (tmp_path / WEIGHTS).exists(), "nothing was left to do"
    run(tmp_path, "--unlock")
    run(tmp_path, WEIGHTS)
    assert "going on after epoch" in (tmp_path / "results/training/tiny/logs/train_hpn.log").read_text()
    for name in ("hpn.json", "history.csv"):
        expected = (trained / "results/training/tiny" / name).read_bytes()
        assert (tmp_path / "results/training/tiny" / name).read_bytes() == expected


@pytest.fixture(scope="module")
def training() -> Training:
    return Training.model_validate(TRAINING)


@pytest.fixture(scope="module")
def reference(training: Training) -> Reference:
    return make_reference(training.reference("one"))


def test_training_of_other_settings_ignores_a_checkpoint(
    training: Training, reference: Reference, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.h5"
    fresh = initial_state(untrained(training), {"one": reference}, training)
    kept = State(fresh.correction, fresh.optimiser, np.ones((1, 1)))
    io.save_state(checkpoint, kept, "this")
    again = io.load_state(checkpoint, fresh, "this")
    for found, expected in zip(jax.tree.leaves(again), jax.tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert io.load_state(checkpoint, fresh, "another") is fresh


def test_references_come_back_from_their_files(reference: Reference, tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    save_reference(path, "one", reference, {})
    loaded = load_reference(path)
    assert loaded.mesh == reference.mesh
    for found, expected in zip(jax.tree.leaves(loaded), jax.tree.leaves(reference), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_snapshots_become_a_reference_of_their_own_cosmology(reference: Reference, tmp_path: Path) -> None:
    particles = [reference.start, reference.start]
    files = [gadget(tmp_path / f"snap_{n}.hdf5", each, reference) for n, each in enumerate(particles)]
    wanted = {"kind": "snapshots", "files": files, "order": "grid", "subsample": 2, "weight": 1.0}
    described = Training.model_validate({**TRAINING, "references": {"one": wanted}})
    made = make_reference(described.reference("one"))
    assert made.mesh.particles == reference.mesh.particles // 2
    assert made.position.shape == (1, 3, 4**3)
    assert float(made.cosmology.parameters.Omega_m) == pytest.approx(0.2)  # of the file
    assert float(made.cosmology.parameters.Omega_b) == TRAINING["cosmology"]["Omega_b"]
    assert float(made.cosmology.parameters.h) == pytest.approx(0.7)


def test_snapshots_count_by_what_they_hold(reference: Reference, tmp_path: Path) -> None:
    target = "results/training/tiny/references/one.h5"

    def planned(*extra: str, folder: str = "snapshots") -> str:
        files = [f"{folder}/snap_{number}.hdf5" for number in range(2)]
        wanted = {"kind": "snapshots", "files": files, "order": "grid", "subsample": 1, "weight": 1.0}
        command = words(tmp_path, target, *extra)
        (tmp_path / "training.yaml").write_text(yaml.safe_dump({**TRAINING, "references": {"one": wanted}}))
        done = snakemake(*command)
        return done.stdout + done.stderr

    (tmp_path / "snapshots").mkdir()
    said = planned("--dry-run")
    assert re.search(r"Missing input files for rule reference:.*snapshots/snap_0\.hdf5", said, re.DOTALL)
    assert "Traceback" not in said
    for number in range(2):
        gadget(tmp_path / f"snapshots/snap_{number}.hdf5", reference.start, reference)
    said = planned()
    assert (tmp_path / target).exists(), said
    shutil.copytree(tmp_path / "snapshots", tmp_path / "moved", copy_function=shutil.copyfile)
    for folder in ("snapshots", "moved"):
        assert "Nothing to be done" in planned("--dry-run", folder=folder)
    with h5py.File(tmp_path / "moved/snap_1.hdf5", "a") as file:
        file["PartType1/Velocities"][0] *= 1.001
    os.utime(tmp_path / "moved/snap_1.hdf5", (1.5e9, 1.5e9))
    assert "rule reference" in planned("--dry-run", "-p", folder="moved")


def gadget(path: Path, particles: Any, reference: Reference) -> str:
    """The start of a reference as a snapshot."""
    mesh, a = reference.mesh, float(reference.a[0])
    count = mesh.particles**3
    with h5py.File(path, "w") as file:
        attributes = file.create_group("Header").attrs
        attributes.update({"Time": a, "HubbleParam": 0.7, "Omega0": 0.2, "BoxSize": 1e3 * mesh.box_size})
        attributes.update({"NumFilesPerSnapshot": 1, "MassTable": np.zeros(6)})
        attributes["MassTable"] = [0.0, 27.7536627 * 0.2 * mesh.box_size**3 / count, 0.0, 0.0, 0.0, 0.0]
        for name in ("NumPart_Total", "NumPart_ThisFile"):
            attributes[name] = np.array([0, count, 0, 0, 0, 0], np.uint32)
        position = 1e3 * (np.asarray(particles.position(mesh), np.float64) % mesh.box_size)
        file["PartType1/Coordinates"] = position.T.astype(np.float32)
        # early rates of growth go with the square root of the matter density, and the header says another one
        slower = (0.2 / float(reference.cosmology.parameters.Omega_m)) ** 0.5
        velocity = np.asarray(particles.momentum, np.float64) * slower * 100 / a**1.5
        file["PartType1/Velocities"] = velocity.T.astype(np.float32)
        file["PartType1/ParticleIDs"] = np.arange(1, count + 1, dtype=np.uint32)
    return str(path)


def test_loss_curves_show_each_reference_and_their_mean() -> None:
    losses = {"one": [0.1, 0.05, 0.04], "other_one": [0.3, 0.15, 0.1]}
    history = pd.DataFrame(losses).assign(epoch=[1, 2, 3]).melt("epoch", var_name="reference", value_name="loss")
    (panel,) = plotting.loss_curves(history).axes
    drawn = {line.get_label(): line.get_ydata() for line in panel.lines}
    assert list(drawn) == ["one", "other one", "mean of references"]
    np.testing.assert_allclose(drawn["other one"], losses["other_one"])
    np.testing.assert_allclose(drawn["mean of references"], [0.2, 0.1, 0.07])
    assert panel.get_yscale() == "log"
