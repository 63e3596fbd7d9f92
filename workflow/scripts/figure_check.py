"""Automatic derivatives beside central differences."""

from _job import start

start(snakemake)

from pathlib import Path

import pandas as pd

from lenscast import plotting

tables = {Path(path).stem: pd.read_csv(path) for path in snakemake.input.tables}
plotting.save(plotting.derivatives_check(tables), snakemake.output.figure)
