"""What the Born approximation leaves out: maps, spectra, one-point distributions and peak counts."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import io, plotting

first = {"map": slice(0, 1), "source": slice(-1, None)}
born, traced = (io.load(path, ["kappa"], first).variables["kappa"].values[0, 0] for path in snakemake.input.maps)
table = pd.read_csv(snakemake.input.table)
figure = plotting.validation_projection(table, born, traced, snakemake.params.field_deg)
plotting.save(figure, snakemake.output.figure)
