"""Files that a config names are opened while it is read: what is refused, and what the errors say."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenscast import trained
from lenscast.experiment import load, remarks

SHIPPED: dict[str, Any] = json.loads(trained.content("hpn"))


def weights(path: Path, **changes: Any) -> str:
    """A file of weights with changed entries at the top."""
    path.write_text(json.dumps(SHIPPED | changes))
    return str(path)


def torch_like(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), weights=np.ones(3))
    path.with_suffix(".npz").rename(path)


BAD = {
    "empty": (lambda path: path.write_text(""), "are not JSON"),
    "cut": (lambda path: path.write_text(json.dumps(SHIPPED)[:500]), "are not JSON"),
    "a list": (lambda path: path.write_text("[]"), "1 error config: [] given; must be a section with format, card"),
    "other JSON": (
        lambda path: path.write_text('{"layers": []}'),
        "format: missing; give one of lenscast correction",
    ),
    "nested": (lambda path: path.write_text(100_000 * "["), "are not JSON"),
    "a key twice": (lambda path: path.write_text('{"format": 1, "format": 2}'), "key format is given twice"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe\xfd"), "are not JSON"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(SHIPPED)), "are a pickle, an archive or an array, which"),
    "an archive": (torch_like, "are a pickle, an archive or an array, which are never loaded"),
    "a folder": (lambda path: path.mkdir(), "are a folder or a device; give the path of a JSON file"),
    "nothing": (lambda path: None, "there is no such file; `snakemake train_correction` makes"),
    "another format": (
        lambda path: weights(path, format="lenscast correction 9"),
        "9' given; must be one of",
    ),
    "another shape": (
        lambda path: weights(path, weights=SHIPPED["weights"] | {"layers": SHIPPED["weights"]["layers"][1:]}),
        "weights have shapes that do not fit each other",
    ),
    "no layers": (
        lambda path: weights(path, weights=SHIPPED["weights"] | {"layers": []}),
        "weights.layers: [] given; must be a list of 1 or more",
    ),
    "no card": (lambda path: weights(path, card={}), "card.cell_min: missing; give a number > 0"),
}


@pytest.mark.parametrize(("write", "text"), BAD.values(), ids=BAD.keys())
def test_weights_that_cannot_be_used_are_refused_with_the_config(write, text: str, tmp_path: Path, refusal) -> None:
    path = tmp_path / "w.json"
    write(path)
    (line,) = refusal({"simulation.correction": {"kind": "hpn", "weights": str(path)}})
    assert line.startswith("simulation.correction.weights: ")
    assert str(path) in line
    assert text in line


@pytest.mark.parametrize(("kind", "name"), [("pgd", "hpn"), ("hpn", "pgd")])
def test_weights_of_another_kind_are_refused_with_the_config(kind: str, name: str, refusal) -> None:
    (line,) = refusal({"simulation.correction": {"kind": kind, "weights": name}})
    assert line == (
        f"simulation.correction.weights: weights {name} are of kind {name}, but the config says kind: {kind}; change "
        "one of the two"
    )


def test_weights_that_training_makes_need_not_be_there_yet(changed, tmp_path: Path, monkeypatch, refusal) -> None:
    monkeypatch.chdir(tmp_path)
    correction = {"kind": "hpn", "weights": "results/training/mine/hpn.json"}
    experiment = load(changed({"simulation.correction": correction}))
    assert [*remarks(experiment)] == []
    made = tmp_path / "results/training/mine/hpn.json"
    made.parent.mkdir(parents=True)
    made.write_text("[]")
    (line,) = refusal({"simulation.correction": correction})
    assert "config: [] given" in line


def test_simulations_unlike_the_trained_ones_are_remarked_on(changed) -> None:
    shipped = {"kind": "hpn", "weights": "hpn"}
    unlike = {"simulation.correction": shipped, "simulation.particles": 32, "simulation.gradient": "finite_difference"}
    cells, gradient = remarks(load(changed(unlike)))
    assert cells.startswith(
        "simulation.correction.weights: hpn trained on cells from 0.390625 to 3.28125 Mpc/h, but this simulation has "
        "cells of 6.40625 Mpc/h"
    )
    assert gradient.endswith(
        "hpn trained with gradient = spectral, but this simulation has finite_difference; change one"
    )
    assert [*remarks(load(changed({"simulation.correction": shipped})))] == []
    assert [*remarks(load(changed({"simulation.correction": {"kind": "none"}})))] == []


def test_few_steps_for_a_correction_are_remarked_on_with_the_number_that_it_takes(changed) -> None:
    # as in the table of docs/corrections.md: 8 and 12 steps are harmful in cells of .78 Mpc/h, 40 are not
    few = {"simulation.particles": 256, "simulation.correction": {"kind": "hpn", "weights": "hpn"}}

    def said(steps: int) -> list[str]:
        lines = remarks(load(changed(few | {"simulation.integrator": {"kind": "bullfrog", "steps": steps}})))
        return [line for line in lines if line.startswith("simulation.integrator.steps")]

    assert not said(40)
    assert said(8)
    (line,) = said(12)
    needed = int(line.rsplit("raise to ", 1)[1].split()[0])
    assert "12 steps are few" in line
    assert 20 < needed < 26  # six times the variance of the linear density in a cell
    assert said(needed - 1)
    assert not said(needed)
