"""From the files of chains to figures, called as those of `lenscast.figures`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lenscast import plotting
from lenscast.experiment import Experiment
from lenscast.figures import Files, with_matter
from lenscast.inference import forecast_of_map, with_derived_draws
from lenscast.io.chains import load_field_chain, load_mock_posteriors, load_summary_chains
from lenscast.io.flows import load_calibration
from lenscast.io.products import load_forecast, load_information
from lenscast.io.reading import load
from lenscast.plotting import calibration


def posteriors(files: Files, experiment: Experiment, data_vectors: Sequence[str]) -> Figure:
    """Contours of sampled posteriors compared with those of Fisher matrices. Files: chains, tables, forecasts.

    Parameters
    ----------
    data_vectors
        Names of the data vectors, in the order of the files.
    """
    sampled, gaussians = {}, {}
    files_of = zip(data_vectors, files["chains"], files["tables"], files["forecasts"], strict=True)
    for name, chains, table, forecast in files_of:
        found = load_summary_chains(chains)
        names, draws = with_derived_draws(found.names, found.draws, experiment.fiducial)
        sampled[name] = plotting.SampledPosterior(names, draws, pd.read_csv(table))
        gaussians[name] = with_matter(load_forecast(forecast), experiment)
    return plotting.posteriors(sampled, gaussians)


def field_posterior(files: Files, experiment: Experiment, data_vectors: Sequence[str]) -> Figure:
    """Contours given one map compared with those of Fisher matrices for its area. Files: chains, table, forecasts.

    Parameters
    ----------
    data_vectors
        Names of the data vectors, in the order of the files of forecasts.
    """
    draws = np.array([load_field_chain(path).draws for path in files["chains"]])
    names, draws = with_derived_draws(experiment.parameters, draws, experiment.fiducial)
    gaussians = {}
    for name, path in zip(data_vectors, files["forecasts"], strict=True):
        gaussians[name] = with_matter(forecast_of_map(load_information(path), experiment), experiment)
    return plotting.field_posterior(plotting.SampledPosterior(names, draws, pd.read_csv(files["table"])), gaussians)


def field_recovery(files: Files, experiment: Experiment) -> Figure:
    """Share of the initial field that the map knows, by scale. Files: table."""
    return plotting.field_recovery(pd.read_csv(files["table"]))


def field_coverage(files: Files, experiment: Experiment) -> Figure:
    """Coverage of posteriors given maps. Files: mocks, table."""
    mocks = [each for path in files["mocks"] for each in load_mock_posteriors(path)]
    return plotting.field_coverage(experiment.parameters, mocks, pd.read_csv(files["table"]))


def sbi_triangle(files: Files, experiment: Experiment, data_vectors: Sequence[str]) -> Figure:
    """Contours of learnt posteriors and of Fisher matrices, and calibration. Files: draws, ranks, forecasts.

    Parameters
    ----------
    data_vectors
        Names of the data vectors, in the order of the files.
    """
    learnt = {}
    files_of = zip(data_vectors, files["draws"], files["ranks"], files["forecasts"], strict=True)
    for name, path, ranks, forecast in files_of:
        contents = load(path, ["draws"])
        parameters = tuple(contents.coordinates["param"]["name"])
        names, draws = with_derived_draws(parameters, contents.variables["draws"].values[None], experiment.fiducial)
        gaussian = with_matter(load_forecast(forecast), experiment)
        learnt[name] = calibration.LearntContours(names, draws[0], gaussian, load_calibration(ranks))
    return calibration.sbi_triangle(learnt)
