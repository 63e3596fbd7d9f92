"""Weights of corrections: files that come back bit for bit, and texts that say what is wrong with others."""

import json
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import io
from lenscast.corrections import HPN, PGD, PublishedHPN
from lenscast.corrections.pgd import Band
from lenscast.sections.box import AdaptiveSteps, FixedSteps, ParticleMesh
from lenscast.sections.errors import ConfigError
from lenscast.trained import shipped

CARD: dict[str, Any] = {
    "data": {"one": "25 Mpc/h, 64^3"},
    "loss": "P and r",
    "box_sizes": [25.0, 100.0],
    "cell_min": 0.39,
    "cell_max": 1.6,
    "ln_sigma_range": [-2.0, 1.0],
    "redshift_range": [0.0, 6.0],
    "mesh_factor": 1,
    "gradient": "spectral",
    "integrator": {"kind": "bullfrog", "steps": 8},
    "steps": [8, 40],
    "accuracy": "5 % to k = 5 h/Mpc",
    "not_tested_on": "the sky",
}
KEY = jax.random.key(3)


def pgd(*ln_sigma: float) -> PGD:
    alpha, *rest = (jnp.asarray(np.random.default_rng(i).uniform(size=len(ln_sigma)), jnp.float32) for i in range(3))
    return PGD(jnp.asarray(ln_sigma, jnp.float32), Band(-alpha, *rest))


CORRECTIONS = {
    "hpn": HPN.initial(KEY, (-2.3, 0.1), width=5),
    "published_hpn": PublishedHPN.initial(KEY),
    "pgd": pgd(-1.1, 0.3),
}


def written(path: Path, changes: dict[str, Any]) -> Path:
    """A file with changed entries at dotted keys."""
    io.save_correction(path, CORRECTIONS["hpn"], CARD)
    content = json.loads(path.read_text())
    for dotted, value in changes.items():
        *keys, last = dotted.split(".")
        entry = content
        for key in keys:
            entry = entry[int(key) if key.isdigit() else key]
        entry[last] = value
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_weights_come_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    correction = CORRECTIONS[kind]
    io.save_correction(tmp_path / "w.json", correction, CARD)
    loaded = io.load_correction(tmp_path / "w.json")
    assert jax.tree.structure(loaded.correction) == jax.tree.structure(correction)
    for found, expected in zip(jax.tree.leaves(loaded.correction), jax.tree.leaves(correction), strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, expected)
    assert loaded.card == CARD
    assert json.loads((tmp_path / "w.json").read_text())["weights"]["kind"] == kind


def test_weights_are_written_a_row_a_line(tmp_path: Path) -> None:
    io.save_correction(tmp_path / "w.json", CORRECTIONS["pgd"], CARD)
    lines = (tmp_path / "w.json").read_text().splitlines()
    assert '  "ln_sigma": [-1.100000023841858, 0.30000001192092896],' in lines


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_load_and_tell_where_they_are_from(name: str) -> None:
    card = io.load_correction(name).card
    assert 0 < card["cell_min"] <= card["cell_max"]
    assert card["not_tested_on"]


def test_weights_of_an_unknown_name_list_those_that_are_shipped() -> None:
    with pytest.raises(ValueError, match=rf"no weights hpm come with the package, but {', '.join(shipped())};"):
        io.load_correction("hpm")


def test_weights_that_are_not_there_say_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nn\.json: there is no such file; `snakemake train_correction` makes"):
        io.load_correction(tmp_path / "nn.json")


def test_weights_that_are_not_json_say_so(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text('{"format": "lenscast corr')
    with pytest.raises(ValueError, match=r"w\.json are not JSON \(.*\): train again"):
        io.load_correction(tmp_path / "w.json")


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "w.json", {})
    with pytest.raises(ValueError, match="are of kind hpn, but the config says kind: pgd; change one"):
        io.load_correction(path, "pgd")
    io.save_correction(path, CORRECTIONS["published_hpn"], CARD)
    assert isinstance(io.load_correction(path, "hpn").correction, PublishedHPN)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"weights.kind": "net"}, r"weights.kind: 'net' given; must be one of hpn, pgd, published_hpn"),
        ({"weights.layers.1.biases": None}, r"weights.layers\[1\].biases: None given; must be a list"),
        (
            {"weights.layers.0.biases": [0.0, float("nan")]},
            r"weights.layers\[0\].biases\[1\]: nan given; must be a n",
        ),
        ({"card.cell_min": -1}, r"card.cell_min: -1 given; must be a number > 0 \(smallest cell of the force mesh"),
        ({"format": "other"}, r"format: 'other' given; must be one of lenscast correction 1"),
        ({"weights.layers.1.biases": [1.0, 2.0]}, "do not fit each other"),
    ],
)
def test_damaged_weights_name_the_place(changes: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=line):
        io.load_correction(written(tmp_path / "w.json", changes))


def test_weights_without_a_card_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"card.cell_max: missing; give a number > 0"):
        io.save_correction(tmp_path / "w.json", CORRECTIONS["hpn"], {k: v for k, v in CARD.items() if k != "cell_max"})
    assert not list(tmp_path.iterdir())


def test_a_simulation_unlike_the_trained_ones_is_warned_of_with_both_numbers() -> None:
    expected = [
        r"w: trained on cells from 0.39 to 1.6 Mpc/h, but this simulation has cells of 3.2 Mpc/h",
        r"w: trained with 8 time steps and more, but this simulation has 7",
        r"w: trained with mesh_factor = 1, but this simulation has 2",
        r"w: trained with gradient = spectral, but this simulation has finite_difference",
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh = ParticleMesh(box_size=204.8, particles=32, mesh_factor=2, gradient="finite_difference")
        io.warn_of_mismatch(CARD | {"steps": (8, 40)}, mesh, FixedSteps(kind="bullfrog", steps=7), "w")
    assert [str(each.message).split(";")[0] for each in caught] == expected
    # cells of 1.602: within a per cent of the range
    inside = ParticleMesh(box_size=205.0, particles=128)
    for integrator in (FixedSteps(kind="bullfrog", steps=8), AdaptiveSteps(kind="tsit5", rtol=1e-3, atol=1e-3)):
        io.warn_of_mismatch(CARD | {"steps": (8, 40)}, inside, integrator)
