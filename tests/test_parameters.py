"""The table of parameters: its rows, and that every other list of parameters follows from it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lenscast.parameters import COSMOLOGICAL, NUISANCE, PARAMETERS, PER_SOURCE, expanded, label, stem

SOURCE = Path(__file__).resolve().parents[1] / "src/lenscast"


def test_the_rows_are_the_parameters_of_a_forecast() -> None:
    assert COSMOLOGICAL == ("Omega_c", "Omega_b", "h", "n_s", "sigma8", "w0", "wa")
    assert NUISANCE == ("A_IA", "eta", "log10_T_AGN", "delta_z", "m")
    assert (*PARAMETERS,) == COSMOLOGICAL + NUISANCE
    assert PER_SOURCE == ("delta_z", "m")


def test_rows_have_what_is_needed_to_describe_them() -> None:
    assert len({row.symbol for row in PARAMETERS.values()}) == len(PARAMETERS)
    for row in PARAMETERS.values():
        assert row.meaning
        assert row.step > 0
        assert {*row.limits} <= {"gt", "ge", "lt", "le"}


def test_expanded_and_stem_are_inverse() -> None:
    assert expanded("delta_z", 2) == ("delta_z_1", "delta_z_2")
    assert expanded("sigma8", 2) == ("sigma8",)
    for name in PARAMETERS:
        assert {stem(each) for each in expanded(name, 12)} == {name}
    assert stem("n_s") == "n_s"  # no source bin is called s
    assert stem("b_1") == "b_1"


def test_label_numbers_the_source_bin() -> None:
    assert label("Omega_c") == r"\Omega_c"
    assert label("delta_z_2") == r"\Delta z_{2}"
    assert label("b_1") is None


NEW_ROW = """
import lenscast.parameters as table

rows = list(table.PARAMETERS.values())
new = table.Parameter("Omega_k", r"\\\\Omega_k", "curvature", {"ge": -0.1, "le": 0.1}, "initial conditions", 0.01)
rows.insert(len(table.COSMOLOGICAL), new)
source = open(table.__file__).read()
namespace = vars(table)
start = source.index("PARAMETERS: Mapping")
namespace["_ROWS"] = tuple(rows)
exec(source[start : source.index("def field")], namespace)
"""

FOLLOWS = {
    "fiducial cosmology": """
from lenscast.sections.cosmology import FiducialCosmology
assert FiducialCosmology.model_fields["Omega_k"].description == "curvature"
""",
    "range": """
from pydantic import ValidationError
from lenscast.sections.cosmology import FiducialCosmology
values = dict(Omega_c=0.25, Omega_b=0.05, h=0.7, n_s=0.96, sigma8=0.8, w0=-1.0, wa=0.0)
assert FiducialCosmology(**values, Omega_k=0.05).Omega_k == 0.05
try:
    FiducialCosmology(**values, Omega_k=0.2)
except ValidationError:
    pass
else:
    raise AssertionError
""",
    "parameters of the physics": """
import jax
jax.config.update("jax_enable_x64", True)
from lenscast.cosmology import Parameters, basis
values = dict(Omega_c=0.25, Omega_b=0.05, h=0.7, n_s=0.96, sigma8=0.8, w0=-1.0, wa=0.0, Omega_k=0.05)
theta = Parameters.of(values)
assert float(theta.Omega_k) == 0.05
assert basis(theta, ["wa", "Omega_k"]).Omega_k.tolist() == [0.0, 1.0]
""",
    "schema": """
from lenscast.experiment import json_schema
sections = json_schema()["$defs"]
assert sections["FiducialCosmology"]["properties"]["Omega_k"]["maximum"] == 0.1
assert "Omega_k" in sections["FiducialCosmology"]["required"]
assert "Omega_k" in sections["ForecastSection"]["properties"]["parameters"]["items"]["enum"]
""",
    "label": """
from lenscast.parameters import label
assert label("Omega_k") == r"\\\\Omega_k"
""",
    "experiment": """
import yaml
from lenscast.experiment import load
values = yaml.safe_load(open("config.yaml"))
values["cosmology"]["Omega_k"] = 0.0
values["forecast"]["parameters"].append("Omega_k")
values["finite_differences"]["steps"]["Omega_k"] = 0.01
experiment = load(values)
assert experiment.tangents[-1] == experiment.parameters[-1] == "Omega_k"
assert experiment.nuisance == ()
assert experiment.cosmologies["Omega_k_plus"]["Omega_k"] == 0.01
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("check", FOLLOWS.values(), ids=FOLLOWS.keys())
def test_a_new_cosmological_row_appears_in(check: str) -> None:
    command = [sys.executable, "-c", (NEW_ROW + check).replace("\\\\", "\\")]
    subprocess.run(command, check=True, cwd=SOURCE.parents[1])


def test_no_other_file_lists_parameters() -> None:
    names = "|".join(map(re.escape, PARAMETERS))
    # two names of parameters one after the other, in quotes: a list that the table should give
    listed = re.compile(rf"""["']({names})["']\s*,\s*["']({names})["']""")
    found = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if listed.search(path.read_text())}
    assert found == {"parameters.py"}
