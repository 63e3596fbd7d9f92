"""Data vectors that simulation-based inference learns from are those of the pipeline, at the parameters of each box."""

from pathlib import Path

import jax
import numpy as np
import pytest

from lenscast import pipeline
from lenscast.experiment import Experiment, complete
from lenscast.inference.simulated_data import simulated_data
from lenscast.measurement import summarise

REPOSITORY = Path(__file__).resolve().parents[2]
CHANGES = {
    "base": str(REPOSITORY / "tests/workflow/config.yaml"),
}


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    found = Experiment.model_validate(complete(CHANGES))
    return found.measuring("power_spectrum")


@pytest.mark.slow
def test_data_are_those_of_noisy_biased_maps(experiment: Experiment) -> None:
    values = {**experiment.fiducial, "sigma8": 0.9, "m_1": 0.1}
    thetas = [pipeline.fiducial(experiment, each) for each in (experiment.fiducial, values)]
    program = jax.jit(lambda seed, theta: simulated_data(seed, theta, experiment, draws=2))
    for theta, bias in zip(thetas, (0.0, 0.1), strict=True):
        found = program(5, theta)
        kappa = jax.jit(lambda theta: pipeline.maps(5, theta, experiment))(theta)
        assert found.shape[:2] == (len(kappa), 2)
        for number, each in enumerate(kappa):
            expected = summarise((1 + bias) * each, 5, number, experiment, draws=2).measured
            np.testing.assert_allclose(found[number].mean(axis=0), expected, rtol=1e-5)
        assert np.abs(found[0, 0] - found[0, 1]).max() > 0.01 * np.abs(found[0, 0]).max()
    assert program._cache_size() == 1
