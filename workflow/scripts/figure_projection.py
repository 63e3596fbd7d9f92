"""What the Born approximation leaves out: maps, spectra, one-point distributions and peak counts."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import io, plotting
from lenscast.statistics.one_point import smoothed
from lenscast.statistics.region import Region

table = pd.read_csv(snakemake.input.table)
sigma_arcmin = table.loc[table["statistic"] == "density", "scale_arcmin"].iloc[0]
whole = Region(snakemake.params.pixels, snakemake.params.field_deg, border=0)
first = {"map": slice(0, 1), "source": slice(-1, None)}
kappas = (io.load(path, ["kappa"], first).variables["kappa"].values[0, 0] for path in snakemake.input.maps)
born, traced = (smoothed(kappa, whole, sigma_arcmin) for kappa in kappas)
figure = plotting.validation_projection(table, born, traced, whole.pixel_arcmin)
plotting.save(figure, snakemake.output.figure)
