"""Tomographic spectra and their derivatives beside those of CCL."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import plotting

components, derivatives = (pd.read_csv(path) for path in snakemake.input)
plotting.save(plotting.tomography(components), snakemake.output.components)
plotting.save(plotting.tomography_derivatives(derivatives), snakemake.output.derivatives)
