"""Spectra and peak counts beside those of a finer simulation of the same boxes."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import plotting

table = pd.read_csv(snakemake.input.table)
plotting.save(plotting.validation_spectra(table), snakemake.output.spectra)
plotting.save(plotting.validation_peaks(table), snakemake.output.peaks)
