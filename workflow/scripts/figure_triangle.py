"""Contours of all parameters from each data vector."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import io, plotting
from lenscast.forecast.fisher import FisherMatrix

posteriors, notes = {}, []
for name, path, table in zip(
    snakemake.params.data_vectors, snakemake.input.forecasts, snakemake.input.parameters, strict=True
):
    forecast = io.load(path, ["standard", "priors"])
    parameters, matrices = forecast.coordinates["param"], forecast.variables
    information = matrices["standard"].values + matrices["priors"].values
    fisher = FisherMatrix(tuple(parameters["name"]), parameters["fiducial"].to_numpy(), information)
    posteriors[name] = fisher.inverse()
    notes += plotting.verdict_note(name, pd.read_csv(table))
plotting.save(plotting.triangle(posteriors, notes), snakemake.output.figure)
