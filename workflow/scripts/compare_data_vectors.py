"""Errors of all data vectors of a run in one table."""

from _job import start

log = start(snakemake)

import pandas as pd

from lenscast import io
from lenscast.fisher.shown_tables import vectors_table

paths = zip(snakemake.params.data_vectors, snakemake.input.estimators, strict=True)
table = vectors_table({vector: pd.read_csv(path) for vector, path in paths})
io.save_table(snakemake.output.table, table)
errors = table[["data_vector", "data", *(name for name in table if name.startswith(("sigma_", "conditional_")))]]
log.info("Marginal and conditional errors with priors:\n%s", errors.to_string(index=False, float_format="%.3g"))
