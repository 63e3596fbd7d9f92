"""The Python interface: the numbers of the workflow, without it."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import lenscast
from lenscast import io
from lenscast.experiment import Experiment

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """The small experiment of the workflow's tests, with two maps of a box."""
    read = lenscast.read(REPOSITORY / "tests/workflow/config.yaml")
    lightcone = read.lightcone.model_copy(update={"realisations_per_box": 4})
    forecast = read.forecast.model_copy(
        update={"parameters": ("Omega_c", "sigma8"), "priors": {}, "data_vectors": {"C_ell": ("power_spectrum",)}}
    )
    return read.model_copy(update={"lightcone": lightcone, "forecast": forecast})


@pytest.fixture(scope="module")
def tangents(experiment):
    return lenscast.tangents(experiment, range(4))


def test_importing_the_package_does_not_load_jax():
    code = "import sys, lenscast; lenscast.__version__; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'mapz'"):
        lenscast.mapz  # noqa: B018


def test_maps_are_those_with_tangents(experiment, tangents):
    maps = lenscast.maps(experiment, [1])
    assert maps.kappa.shape == (1, 4, 1, 64, 64)
    # two programs, in float32
    np.testing.assert_allclose(maps.kappa[0], tangents.kappa[1], rtol=0, atol=1e-5 * np.abs(maps.kappa).max())


def test_the_five_steps_give_a_forecast_that_a_file_gives_back(experiment, tangents, tmp_path):
    summaries = lenscast.measure(tangents, experiment)
    jacobians = lenscast.measure_tangents(tangents, experiment)
    assert summaries.measured.shape == (16, len(summaries.bins))
    assert jacobians.parameters == ("Omega_c", "sigma8")
    (made,) = lenscast.forecast(summaries, jacobians, experiment).values()
    assert list(made.parameters["parameter"].unique()) == ["Omega_c", "sigma8", "S8"]
    io.save_forecast(tmp_path / "C_ell.h5", made, {"sigma8": 0.1}, {})
    posterior = lenscast.load_forecast(tmp_path / "C_ell.h5")
    expected = made.estimate.fisher("cross", {"sigma8": 0.1}).with_priors({"sigma8": 0.1}).inverse()
    np.testing.assert_allclose(posterior.matrix, expected.matrix, rtol=1e-9)
    fixed = lenscast.load_forecast(tmp_path / "C_ell.h5", fixed=["Omega_c"])
    assert fixed.names == ("sigma8",)


def test_the_interface_works_in_single_precision_and_leaves_the_setting(experiment, tangents):
    with jax.enable_x64(False):
        summaries = lenscast.measure(tangents, experiment)
        assert not jax.config.jax_enable_x64
    assert summaries.measured.dtype == np.float64


def test_seeds_give_a_forecast_with_controlled_jacobians(experiment, tangents):
    summaries, jacobians = lenscast.summaries(experiment, range(10, 22)), lenscast.jacobians(experiment, range(8))
    np.testing.assert_array_equal(jacobians.box, range(8))
    alone = lenscast.measure(lenscast.maps(experiment, range(10, 22)), experiment)
    np.testing.assert_allclose(summaries.measured, alone.measured, rtol=1e-4)
    assert summaries.expected.shape == (12, len(summaries.bins))
    # averages over all views, and over four of them: boxes of two sets scatter by the rest of the noise of views
    spectra = (jacobians.bins["statistic"] == "power_spectrum").to_numpy()
    of_maps = lenscast.measure_tangents(tangents, experiment)
    few, every = of_maps.expected[:, spectra], np.concatenate([jacobians.expected, summaries.expected])[:, spectra]
    assert np.all(np.abs(few.mean(axis=0) - every.mean(axis=0)) < 5 * np.std(few, axis=0, ddof=1) / 2 + 1e-30)
    (made,) = lenscast.forecast(summaries, jacobians, experiment).values()
    assert len(made.estimate.outside) > 0  # the noise of the other boxes, which control the Jacobian
