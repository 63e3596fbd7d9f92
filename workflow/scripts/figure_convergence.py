"""Errors of the parameters against the number of boxes."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import plotting

curves = map(pd.read_csv, snakemake.input.curves)
figure = plotting.convergence(dict(zip(snakemake.params.data_vectors, curves, strict=True)))
plotting.save(figure, snakemake.output.figure)
