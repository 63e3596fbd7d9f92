"""Contours of all parameters that sources share, from each data vector."""

from _job import start

start(snakemake)

import pandas as pd

from _posterior import posterior
from lenscast import plotting

posteriors, notes = {}, []
for name, path, table in zip(
    snakemake.params.data_vectors, snakemake.input.forecasts, snakemake.input.parameters, strict=True
):
    every = posterior(path)
    posteriors[name] = every.select([each for each in every.names if plotting.shared_name(each) == each])
    notes += plotting.verdict_note(name, pd.read_csv(table))
plotting.save(plotting.triangle(posteriors, notes), snakemake.output.figure)
