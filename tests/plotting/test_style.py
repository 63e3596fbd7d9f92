"""Files of figures, symbols of parameters, and that statistics are not known by name."""

import ast
from pathlib import Path

import numpy as np
from matplotlib import pyplot, rcParams
from matplotlib.image import imread

import lenscast
from lenscast import plotting
from lenscast.fisher.matrices import ParameterCovariance
from lenscast.plotting.style import label
from lenscast.statistics.registry import STATISTICS

NAMES = ("Omega_c", "sigma8")
FIDUCIAL = np.array([0.2589, 0.8159])


def test_save_writes_the_whole_file_with_equal_bytes_for_equal_figures(statistics, make_bins, tmp_path):
    for name in ("a", "b"):
        figure = plotting.correlation(np.eye(9), make_bins(), statistics)
        plotting.save(figure, tmp_path / "figures" / f"{name}.png")
    first, second = ((tmp_path / "figures" / f"{name}.png").read_bytes() for name in ("a", "b"))
    assert first == second
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"a.png", "b.png"}
    assert imread(tmp_path / "figures" / "a.png").shape[0] > 500


def test_figures_leave_no_global_state(statistics, make_bins):
    before = dict(rcParams)
    posterior = ParameterCovariance(NAMES, FIDUCIAL, np.diag([0.01, 0.02]) ** 2)
    plotting.triangle({"C_ell": posterior})
    plotting.correlation(np.eye(9), make_bins(), statistics)
    assert dict(rcParams) == before
    assert pyplot.get_fignums() == []


def test_symbols_are_those_of_the_table_of_parameters():
    assert [label(name) for name in ("Omega_c", "delta_z_2", "m", "S8", "unheard")] == [
        r"$\Omega_c$",
        r"$\Delta z_{2}$",
        "$m$",
        "$S_8$",
        "unheard",
    ]


def test_no_figure_selects_a_statistic_by_its_name():
    package = Path(lenscast.__file__).parent
    for path in (*(package / "plotting").glob("*.py"), package / "figures.py"):
        tree = ast.parse(path.read_text())
        documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
        docstrings = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)]
        strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        names = [text for text in strings if isinstance(text, str) and text not in docstrings]
        assert not {*names} & {*STATISTICS}, path
        assert not [text for text in names if "power_spectrum" in text], path
