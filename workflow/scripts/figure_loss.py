"""Loss of a training against the epoch."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import plotting

plotting.save(plotting.loss_curves(pd.read_csv(snakemake.input.history)), snakemake.output.figure)
