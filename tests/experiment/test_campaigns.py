"""Large campaigns: what they take on disk, and which of them merge."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lenscast.experiment import load
from lenscast.experiment.campaigns import Run, check_merge, made_with
from lenscast.experiment.disk import batch_bytes, disk_use, gathered_bytes, level_bytes

ROOT = Path(__file__).resolve().parents[2]
YEAR_1 = yaml.safe_load((ROOT / "configs/lsst_y1.yaml").read_text())
CODE = {"maps": "1a", "statistics": "2b"}
HERE = made_with(load(YEAR_1), CODE)


def changed(**values: Any) -> dict[str, Any]:
    """What Year 1 with other values at dotted keys is made with."""
    config = copy.deepcopy(YEAR_1)
    for key, value in values.items():
        *sections, last = key.split("__")
        section = config
        for name in sections:
            section = section[name]
        section[last] = value
    return made_with(load(config), CODE)


def seeds(first: int, number: int) -> dict[str, range]:
    """Seeds of a run with as many boxes of either kind."""
    return {"covariance": range(10**5 + first, 10**5 + first + number), "derivatives": range(first, first + number)}


def problems(**runs: Run) -> list[str]:
    return [f"{key}: {message}" for key, message in check_merge(HERE, runs)]


def test_runs_are_compared_by_the_complete_config(tmp_path: Path) -> None:
    (tmp_path / "year_1.yaml").write_text(yaml.safe_dump(YEAR_1))
    on_base = load({"base": "year_1.yaml", "run": "other", "survey": {"area_deg2": 1.0}}, folder=tmp_path)
    assert made_with(on_base, CODE) == HERE


def test_runs_of_one_experiment_and_other_seeds_merge() -> None:
    grown = changed(run="b", boxes_per_batch=2, simulated="temporary", survey__area_deg2=10.0)
    assert problems(a=Run(HERE, seeds(0, 4)), b=Run(grown, seeds(4, 400))) == []


@pytest.mark.parametrize(
    ("key", "value", "given"),
    [
        ("cosmology.sigma8", 0.8, 0.8159),
        ("simulation.integrator.steps", 7, YEAR_1["simulation"]["integrator"]["steps"]),
        ("lightcone.pixels", 128, YEAR_1["lightcone"]["pixels"]),
        ("survey.sigma_e", 0.3, YEAR_1["survey"]["sigma_e"]),
        ("systematics.A_IA", 0.5, YEAR_1["systematics"]["A_IA"]),
        ("statistics.peaks.stencil", "pixel", YEAR_1["statistics"]["peaks"]["stencil"]),
        ("derivatives.noise_realisations", 3, YEAR_1["derivatives"]["noise_realisations"]),
        ("code.statistics", "3c", "2b"),
    ],
)
def test_a_run_of_another_experiment_is_named_with_key_and_both_values(key: str, value: Any, given: Any) -> None:
    assert HERE[key] == given
    (problem,) = problems(a=Run(HERE, seeds(0, 4)), b=Run(HERE | {key: value}, seeds(4, 4)))
    assert problem.startswith(f"{key}: {value} in run b, but {given} here; ")


def test_a_run_with_keys_of_its_own_does_not_merge() -> None:
    fewer = {key: value for key, value in HERE.items() if key != "code.maps"} | {"simulation.more": 1}
    assert problems(b=Run(fewer, seeds(4, 4))) == [
        "code.maps: missing in run b, but 1a here; finish it with this code",
        "simulation.more: 1 in run b, but missing here; only runs of one experiment merge",
    ]


def test_a_run_that_does_not_say_what_it_was_made_with_does_not_merge() -> None:
    assert problems(a=Run(HERE, seeds(0, 4)), b=Run({}, seeds(4, 4))) == [
        "merge: run b does not say what it was made with; finish it with this code"
    ]


def test_seeds_that_come_twice_are_named_also_between_covariance_and_derivatives() -> None:
    shared, crossed = seeds(3, 4), seeds(50, 4) | {"derivatives": range(10**5, 10**5 + 2)}
    assert problems(a=Run(HERE, seeds(0, 4)), b=Run(HERE, shared)) == [
        "covariance.first_seed: 1 seeds (100003 to 100003) are of the covariance in run a and of the covariance in "
        "run b; give one of them other seeds",
        "derivatives.first_seed: 1 seeds (3 to 3) are of the derivatives in run a and of the derivatives in run b; "
        "give one of them other seeds",
    ]
    (problem,) = problems(a=Run(HERE, seeds(0, 4)), b=Run(HERE, crossed))
    assert problem.startswith("derivatives.first_seed: 2 seeds (100000 to 100001) are of the covariance in run a")


def test_files_count_by_what_is_in_them(tmp_path: Path) -> None:
    table = np.array([[0.0, *5 * [1.0]], [0.5, *5 * [2.0]], [1.0, *5 * [0.0]]])
    for name, n in (("one.txt", 1.0), ("same.txt", 1.0), ("other.txt", 2.0)):
        np.savetxt(tmp_path / name, table * [1.0, *4 * [1.0], n])

    def of(name: str) -> dict[str, Any]:
        return changed(survey__sources={"kind": "table", "file": str(tmp_path / name), "interpretation": "points"})

    one, other = of("one.txt"), of("other.txt")
    assert one == of("same.txt")
    different = [key for key, value in other.items() if value != one[key]]
    assert different == ["survey.sources.file"]
    mine = tmp_path / "mine.json"
    mine.write_bytes((ROOT / "src/lenscast/trained/hpn.json").read_bytes())
    assert changed(simulation__correction={"kind": "hpn", "weights": str(mine)}) == HERE


def test_files_of_statistics_count_by_what_is_in_them(tmp_path: Path) -> None:
    text = (ROOT / "tests/workflow/minima.py").read_text()
    section = {"scales_arcmin": [9.4], "depth_edges": [0.0, 1.0, 2.0]}

    def of(name: str) -> dict[str, Any]:
        (tmp_path / name).write_text(text + ("# another comment" if name == "other.py" else ""))
        return changed(statistics__minima={"file": str(tmp_path / name), **section})

    one, other = of("one.py"), of("other.py")
    assert one == of("same.py")
    different = [key for key, value in other.items() if value != one[key]]
    assert different == ["statistics.minima.file"]


def test_disk_use_follows_the_shapes_of_the_files() -> None:
    experiment = load(YEAR_1)
    kappa, data, boxes = 5 * 512**2 * 4, 15 * 9 + 2 * 15 * 7 + 2 * 5 * 8, experiment.boxes_per_batch
    batch, lightcone = boxes * experiment.lightcone.realisations_per_box, experiment.lightcone
    size, head, row = batch_bytes(experiment), 13_200, 160
    more = head + 1_000
    # maps of five sources, and correlation functions of their fifteen pairs for each box
    assert size["maps"] == more + (batch + 3 * boxes) * kappa
    planes = 3 * lightcone.planes * lightcone.slabs_per_box * lightcone.plane_mesh**2 * 2
    # tangents of seven cosmological parameters; what comes after the planes has none
    assert size["planes"] == more + boxes * 8 * planes
    assert size["summaries"] == more + data * (row + 8 * (2 * batch + boxes))
    assert size["derivatives"] == head + data * (row + 8 * boxes * (1 + 20))


def test_disk_use_grows_with_batches_and_temporary_maps_do_not() -> None:
    experiment = load(YEAR_1).model_copy(update={"simulated": "kept"})
    batches = {"maps": 1000, "summaries": 1000, "planes": 500, "derivatives": 500}
    size, kept = batch_bytes(experiment), disk_use(experiment, batches, at_once=8)
    assert kept == {name: number * size[name] for name, number in batches.items()} | {
        "gathered": gathered_bytes(experiment)
    }
    gone = disk_use(experiment.model_copy(update={"simulated": "temporary"}), batches | {"planes": 3}, at_once=8)
    assert gone == kept | {"maps": 8 * size["maps"], "planes": 3 * size["planes"]}


def test_levels_of_resolution_take_room_too() -> None:
    experiment = load(YEAR_1).model_copy(update={"simulated": "kept"})
    size, batches = batch_bytes(experiment), {"particles": 10, "steps": 2}
    planes, derivatives = size["planes"], size["derivatives"]
    # planes of half the mesh points per side
    expected = 10 * (planes / 4 + derivatives) + 2 * (planes + derivatives)
    assert level_bytes(experiment, batches, at_once=3) == pytest.approx(expected, rel=1e-3)
    gone = level_bytes(experiment.model_copy(update={"simulated": "temporary"}), batches, at_once=3)
    assert gone == pytest.approx(expected - 7 * planes / 4, rel=1e-3)
    assert level_bytes(experiment, {}, at_once=3) == 0
