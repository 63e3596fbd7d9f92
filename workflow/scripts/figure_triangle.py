"""Contours of all parameters from each data vector."""

from _job import start

start(snakemake)

import pandas as pd

from _posterior import posterior
from lenscast import plotting

posteriors, notes = {}, []
for name, path, table in zip(
    snakemake.params.data_vectors, snakemake.input.forecasts, snakemake.input.parameters, strict=True
):
    posteriors[name] = posterior(path)
    notes += plotting.verdict_note(name, pd.read_csv(table))
plotting.save(plotting.triangle(posteriors, notes), snakemake.output.figure)
