"""Configs on a base: what is merged, replaced and removed, where a base is looked for, and what the errors say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.experiment import ConfigError, complete, load, read, read_training, shipped

WEIGHTS = "results/training/mine/hpn.json"  # which the workflow makes
SHIPPED = ("default", "dll", "lsst_y1", "lsst_y10", "lsst_y1_small")


def write(path: Path, **values: Any) -> Path:
    """A YAML file with these values."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def problem(path: Path) -> str:
    """The one line of the error of a file."""
    with pytest.raises(ConfigError) as error:
        read(path)
    header, line = str(error.value).splitlines()
    assert header == f"{path}: 1 error"
    return line.strip()


def test_shipped_experiments_are_bases_by_name(experiment) -> None:
    assert shipped() == SHIPPED
    assert load({"base": "default"}) == experiment
    assert [load({"base": name}).run for name in SHIPPED] == [*SHIPPED]


def test_a_change_touches_the_keys_that_it_names(default, changed) -> None:
    changes = {"survey": {"area_deg2": 100.0}, "forecast": {"priors": {"w0": 0.01}}, "covariance": {"boxes": 64}}
    dotted = {"survey.area_deg2": 100.0, "forecast.priors.w0": 0.01, "covariance.boxes": 64}
    assert complete({"base": "default", **changes}) == changed(dotted)
    assert load({"base": "default", **changes}) == load(changed(dotted))


def test_lists_are_replaced(default) -> None:
    edges = [144, 432, 720, 1008, 1296, 1584, 1872]
    on_base = load({"base": "default", "statistics": {"power_spectrum": {"ell_edges": edges}}})
    assert on_base.statistics["power_spectrum"].ell_edges == tuple(edges)
    assert on_base.statistics["peaks"] == load(default).statistics["peaks"]


def test_a_section_of_another_kind_replaces_that_of_the_base() -> None:
    adaptive = {"kind": "tsit5", "rtol": 1e-3, "atol": 1e-3}
    on_base = load({"base": "default", "simulation": {"integrator": adaptive, "correction": {"kind": "none"}}})
    assert on_base.simulation.integrator.model_dump() == adaptive | {"max_steps": 512}
    assert on_base.simulation.correction.model_dump() == {"kind": "none"}


def test_a_section_of_the_same_kind_keeps_the_other_keys_of_the_base() -> None:
    on_base = load({"base": "default", "simulation": {"correction": {"kind": "hpn", "weights": WEIGHTS}}})
    assert on_base.simulation.correction.weights == WEIGHTS
    fewer = load({"base": "default", "simulation": {"integrator": {"kind": "bullfrog", "steps": 4}}})
    same = load({"base": "default", "simulation": {"integrator": {"kind": "fastpm", "steps": 4}}})
    assert (fewer.simulation.integrator.steps, same.simulation.integrator.kind) == (4, "fastpm")


def test_a_key_without_a_value_removes_that_of_the_base() -> None:
    text = "{base: default, statistics: {starlet_power_spectrum: ~}, forecast: {priors: {w0: ~}}}"
    on_base = load(yaml.safe_load(text))
    assert list(on_base.statistics) == ["power_spectrum", "peaks"]
    assert list(on_base.forecast.priors) == ["Omega_c", "sigma8"]


def test_a_new_key_comes_after_the_one_before_it_or_last() -> None:
    vectors = {"peaks": ["peaks"], "starlet": ["starlet_power_spectrum"]}
    placed = load({"base": "default", "forecast": {"data_vectors": vectors}})
    assert list(placed.forecast.data_vectors) == ["C_ell", "peaks", "starlet", "combined"]
    last = load({"base": "default", "forecast": {"data_vectors": {"starlet": ["starlet_power_spectrum"]}}})
    assert list(last.forecast.data_vectors) == ["C_ell", "peaks", "combined", "starlet"]


def test_a_base_is_looked_for_from_the_folder_of_its_file(tmp_path: Path, default, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own.yaml", **{**default, "run": "own"})
    write(tmp_path / "on_it" / "second.yaml", base="../own.yaml", run="second", covariance={"boxes": 64})
    third = write(tmp_path / "third.yaml", base="on_it/second.yaml", derivatives={"boxes": 64})
    experiment = read(third)
    assert (experiment.run, experiment.covariance.boxes, experiment.derivatives.boxes) == ("second", 64, 64)


def test_a_file_comes_before_a_shipped_name(tmp_path: Path, default) -> None:
    write(tmp_path / "dll", **{**default, "run": "mine"})
    assert read(write(tmp_path / "my.yaml", base="dll")).run == "mine"


def test_the_complete_config_has_no_base(tmp_path: Path) -> None:
    values = complete({"base": "dll", "run": "mine"})
    assert "base" not in values
    assert values["run"] == "mine"
    assert load(values) == load({"base": "dll", "run": "mine"})


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "my.yaml", base="lsst", run="my")
    assert problem(path) == (
        f"base: there is no file {tmp_path / 'lsst'}; give a path from the folder of {path}, or one of "
        f"{', '.join(SHIPPED)}"
    )


def test_a_base_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "my.yaml", base=["default"])
    assert problem(path) == f"base: ['default'] given; must be a path or one of {', '.join(SHIPPED)}"


def test_a_circle_of_bases_is_named(tmp_path: Path) -> None:
    first = write(tmp_path / "first.yaml", base="second.yaml")
    second = write(tmp_path / "second.yaml", base="first.yaml")
    with pytest.raises(ConfigError) as error:
        read(first)
    assert str(error.value).endswith(
        f"base: the bases {second} -> {first} -> {second} form a circle; remove one of them"
    )


def test_a_config_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "my.yaml", base="my.yaml")
    with pytest.raises(ConfigError, match="form a circle; remove one"):
        read(path)


def test_errors_of_a_config_on_a_base_name_the_key(tmp_path: Path) -> None:
    path = write(tmp_path / "my.yaml", base="default", survey={"sigma_e": -1, "area": 3})
    with pytest.raises(ConfigError) as error:
        read(path)
    keys = [each.key for each in error.value.problems]
    assert keys == ["survey.area", "survey.sigma_e"]


def test_a_base_without_sections_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    path = write(tmp_path / "my.yaml", base="empty.yaml", run="my")
    assert problem(path) == f"base: {tmp_path / 'empty.yaml'} has no sections; give the file of a config"


def test_a_training_has_a_base_too(tmp_path: Path, repository: Path) -> None:
    training = read_training(repository / "configs/training.yaml")
    path = write(tmp_path / "my.yaml", base=str(repository / "configs/training.yaml"), run="my", epochs=3)
    assert read_training(path) == training.model_copy(update={"run": "my", "epochs": 3})


def test_the_example_of_the_readme_loads(tmp_path: Path, repository: Path) -> None:
    (text,) = re.findall(r"```yaml\n# my\.yaml\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    experiment = load(yaml.safe_load(text), folder=repository)
    assert (experiment.run, experiment.survey.area_deg2, experiment.simulation.correction.kind) == (
        "mine",
        5000,
        "none",
    )
    assert list(experiment.statistics) == ["power_spectrum", "peaks"]
