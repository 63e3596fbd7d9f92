"""Forecasts of several runs compared: errors in a table, contours of the parameters that they share."""

from _job import start

start(snakemake)

from itertools import product

import pandas as pd

from lenscast import io, plotting
from lenscast.fisher.shown_tables import runs_table
from lenscast.parameters import stem

p, pairs = snakemake.params, list(product(snakemake.params.data_vectors, snakemake.params.runs))
forecasts = dict(zip(pairs, snakemake.input.forecasts, strict=True))
tables = {pair: pd.read_csv(path) for pair, path in zip(pairs, snakemake.input.estimators, strict=True)}
errors = {vector: runs_table({run: tables[vector, run] for run in p.runs}) for vector in p.data_vectors}
io.save_table(snakemake.output.table, pd.concat(errors, names=["data_vector"]).reset_index("data_vector"))
for vector, figure in zip(p.data_vectors, snakemake.output.figures, strict=True):
    posteriors = {run: io.load_forecast(forecasts[vector, run]) for run in p.runs}
    common = [name for name in posteriors[p.runs[0]].names if all(name in each.names for each in posteriors.values())]
    shared = [name for name in common if stem(name) == name]  # sources of runs may differ
    notes = [note for run in p.runs for note in plotting.verdict_note(run, tables[vector, run])]
    plotting.save(plotting.triangle({run: each.select(shared) for run, each in posteriors.items()}, notes), figure)
