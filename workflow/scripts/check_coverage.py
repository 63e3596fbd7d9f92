"""Coverage of the posteriors of the field level over mocks."""

from _job import start

log = start(snakemake)

import numpy as np

from lenscast import io
from lenscast.inference import coverage_table

files = [io.load(path) for path in snakemake.input.ranks]
names = files[0].coordinates["param"]["name"]
ranks = np.concatenate([each.variables["ranks"].values for each in files])
table = coverage_table(dict(zip(names, ranks.T, strict=True)))
io.save_table(snakemake.output.table, table)
log.info("\n%s", table.to_string(index=False))
