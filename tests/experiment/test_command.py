"""The command ``lenscast config``: the complete config behind a file, and JSON schemas for editors."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.__main__ import main
from lenscast.experiment import Experiment, Training, json_schema, load, read, read_training, shipped
from lenscast.parameters import COSMOLOGICAL, PARAMETERS
from lenscast.statistics.registry import STATISTICS

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENTS = ["config.yaml", *(f"configs/{p.name}" for p in REPOSITORY.glob("configs/[!t]*.yaml"))]

# keys that a complete config may leave out, by section
OPTIONAL = {
    "AdaptiveSteps": {"max_steps"},
    "Simulation": {"noise_size"},
    "TabulatedSources": {"interpretation", "redshifts"},
    "Distribution": {"devices", "layout", "halo_mpc"},
    "Experiment": {"distribution", "field_level", "simulation_based"},
    "Resolution": {"coarse_only"},
    "Training": {"steps"},
    "ParticleMeshReference": {"trained_steps", "sharpening"},
    "SnapshotsReference": {"trained_steps"},
    "ForecastSection": {"samples", "scale_cuts", "gaussian_bins", "drop_bins"},
    "GaussianBinsSection": {"min_count", "max_skewness"},
    "Lightcone": {"realisations_per_box", "projection"},
    "FieldLevel": {"seed", "sampler", "chains", "warmup", "draws", "mocks"},
    "SimulationBased": {
        "first_seed",
        "boxes",
        "held_out",
        "noise_realisations",
        "ranges",
        "compression",
        "flow",
        "flows",
        "seed",
    },
    "Peaks": {"kind", "file", "softness", "cross_maps"},
    "Minima": {"kind", "file", "softness", "cross_maps"},
    **{name: {"kind", "file"} for name in ("Moments", "L1Norm", "PixelPDF", "Minkowski", "Scattering")},
    "PowerSpectrum": {"kind", "file"},
    "StarletPowerSpectrum": {"kind", "file"},
}


@pytest.mark.parametrize("name", ["config", "training"])
def test_schema_file_is_in_sync(name: str) -> None:
    stored = (REPOSITORY / "workflow" / "schemas" / f"{name}.schema.json").read_text()
    command = [sys.executable, "-m", "lenscast", "config", "schema", *(["training"] if name == "training" else [])]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert stored == made.stdout, f"run: {' '.join(command[1:])} > workflow/schemas/{name}.schema.json"


@pytest.mark.parametrize("model", [Experiment, Training])
def test_schema_describes_every_key_and_says_which_have_a_default(model: type[Experiment | Training]) -> None:
    sections = json_schema(model)["$defs"]
    complete = [name for name in sections if not name.endswith("Changes")]
    assert {*sections} == {*complete} | {f"{name}Changes" for name in complete}
    for name in complete:
        section = sections[name]
        for key, value in section["properties"].items():
            assert "description" in value or "$ref" in value, key
        assert section["properties"].keys() - {*section.get("required", ())} == OPTIONAL.get(name, set()), name
        on_base = sections[f"{name}Changes"]
        assert "required" not in on_base
        assert on_base["properties"].keys() - {"base"} == section["properties"].keys()
    assert "base" in sections[f"{model.__name__}Changes"]["properties"]


def test_schema_has_the_rows_of_the_table_and_the_statistics() -> None:
    sections = json_schema()["$defs"]
    assert list(sections["FiducialCosmology"]["properties"]) == [*COSMOLOGICAL]
    assert list(sections["Experiment"]["properties"]["statistics"]["properties"]) == [*STATISTICS]
    assert sections["ForecastSection"]["properties"]["parameters"]["items"]["enum"] == [*PARAMETERS]


def _validator(model: type[Experiment | Training]) -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with snakemake")
    return jsonschema.Draft202012Validator(json_schema(model))


@pytest.mark.parametrize("path", EXPERIMENTS)
def test_schema_accepts_the_configs_of_the_repository(path: str) -> None:
    validator = _validator(Experiment)
    validator.validate(yaml.safe_load((REPOSITORY / path).read_text()))
    validator.validate(read(REPOSITORY / path).model_dump(mode="json", exclude_none=True))


@pytest.mark.parametrize("name", ["training", "training_shipped", "training_more_boxes", "training_fine_mesh"])
def test_schema_accepts_the_trainings_of_the_repository(name: str) -> None:
    _validator(Training).validate(yaml.safe_load((REPOSITORY / f"configs/{name}.yaml").read_text()))


ON_BASE = {
    "nothing else": ({}, True),
    "part of a section": ({"survey": {"area_deg2": 100.0}}, True),
    "another kind": ({"simulation": {"integrator": {"kind": "tsit5", "rtol": 1e-3, "atol": 1e-3}}}, True),
    "key without a value": ({"statistics": {"peaks": None}, "forecast": {"priors": {"w0": None}}}, True),
    "statistic of a file": ({"statistics": {"bispectrum": {"file": "bispectrum.py", "orders": [2, 3]}}}, True),
    "unknown key": ({"survey": {"area": 100.0}}, False),
    "out of range": ({"survey": {"area_deg2": -1.0}}, False),
    "unknown section": ({"surveys": {}}, False),
}


@pytest.mark.parametrize(("changes", "valid"), ON_BASE.values(), ids=ON_BASE.keys())
def test_schema_of_a_config_on_a_base(changes: dict[str, Any], valid: bool) -> None:
    assert _validator(Experiment).is_valid({"base": "default", **changes}) == valid


def test_schema_of_a_complete_config_misses_a_key(default, changed) -> None:
    validator = _validator(Experiment)
    assert validator.is_valid(default)
    for key in ("survey", "survey.area_deg2", "simulation.integrator.steps", "cosmology.h"):
        assert not validator.is_valid(changed({key: ...})), key


@pytest.mark.parametrize("path", EXPERIMENTS)
def test_show_prints_the_complete_config(path: str, capsys) -> None:
    assert main(["config", "show", str(REPOSITORY / path)]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert "base" not in shown
    assert shown.keys() == Experiment.model_fields.keys()
    assert load(shown) == read(REPOSITORY / path)


def test_show_takes_a_shipped_name(capsys) -> None:
    for name in shipped():
        assert main(["config", "show", name]) == 0
        assert load(yaml.safe_load(capsys.readouterr().out)) == load({"base": name})


def test_show_prints_a_training(capsys) -> None:
    path = REPOSITORY / "configs/training_shipped.yaml"
    assert main(["config", "show", str(path), "training"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert Training.model_validate(shown) == read_training(path)


def test_show_prints_the_errors_of_a_config(tmp_path: Path, capsys) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("{base: default, survey: {sigma_e: -1}}")
    assert main(["config", "show", str(path)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        f"{path}: 1 error\n  survey.sigma_e: -1 given; must be a number >= 0.0001 and <= 1 "
        "(shape noise per ellipticity component, which is below 1)\n"
    )


def test_command_prints_json(capsys) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
