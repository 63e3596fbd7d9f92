"""A synthetic campaign whose Jacobians have noise, and the files of its forecasts."""

from pathlib import Path

import numpy as np
import pytest

from lenscast import experiment, exports, io, pipeline
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.exports.dataset import Samples
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.measurement import noise_alone

CONFIG = Path(__file__).parents[1] / "workflow" / "config.yaml"


@pytest.fixture(scope="session")
def described():
    """The small experiment of the workflow's tests, with two source bins."""
    read = experiment.read(CONFIG)
    sources = read.survey.sources.model_copy(update={"z": (0.5, 0.914)})
    survey = read.survey.model_copy(update={"sources": sources, "n_gal": (10.0, 20.0)})
    section = {"parameters": ("Omega_c", "sigma8", "delta_z"), "priors": {"Omega_c": 0.2, "delta_z": 0.01}}
    forecast = read.forecast.model_copy(update=section)
    return read.model_copy(update={"survey": survey, "forecast": forecast})


@pytest.fixture(scope="session")
def samples(described):
    """Three hundred boxes of one map, and twelve with Jacobians."""
    rng, bins = np.random.default_rng(0), bin_table(described)
    names = jacobian_parameters(described)
    signal = np.where(bins["unit"] == "sr", 1e-9, 40.0)
    mean = signal + noise_alone(described)
    measured = mean + 0.1 * signal * rng.standard_normal((300, len(bins)))
    slopes = signal * rng.standard_normal((len(names), len(bins)))
    jacobian = slopes + 0.5 * signal * rng.standard_normal((12, len(names), len(bins)))
    expected = mean + 0.02 * signal * rng.standard_normal((12, len(bins)))
    summaries = SummarySample(measured, np.arange(100, 400), bins)
    return Samples(summaries, Jacobians(jacobian, expected, np.arange(12), names, bins))


@pytest.fixture(scope="session")
def forecasts(described, samples):
    """Forecasts by data vector."""
    return pipeline.forecast(*samples, described)


@pytest.fixture(scope="session")
def files(described, forecasts, tmp_path_factory):
    """Forecasts as their files have them."""
    folder = tmp_path_factory.mktemp("fisher")
    found = {}
    for name, forecast in forecasts.items():
        io.save_forecast(folder / f"{name}.h5", forecast, described.priors, {})
        io.save_table(folder / f"{name}.csv", forecast.parameters)
        found[name] = exports.load_forecast_files(folder / f"{name}.h5", folder / f"{name}.csv")
    return found


@pytest.fixture(scope="session")
def sigma(files):
    """Errors with priors by data vector and estimator, as the tables have them."""

    def of(name, estimator="cross", with_priors=True):
        table = files[name].table
        chosen = (table["estimator"] == estimator) & (table["with_priors"] == with_priors)
        rows = table[chosen & (table["systematics"] == "marginalised")].set_index("parameter")
        return rows.loc[list(files[name].names), "sigma"].to_numpy()

    return of
