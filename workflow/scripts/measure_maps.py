"""Statistics of convergence maps that another code made, as arrays for `reanalyse`."""

from _job import start

log = start(snakemake)

from pathlib import Path

import numpy as np

from lenscast.experiment import read_map_campaign
from lenscast.foreign_maps import measure_campaign
from lenscast.io.atomic import appearing

try:
    arrays = measure_campaign(read_map_campaign(snakemake.input.description), log.info)
except ValueError as error:  # of the maps, not of the program: without a trace
    log.critical("%s", error)
    raise SystemExit(1) from None
path = Path(snakemake.output.arrays)
with appearing(path) as temporary, open(temporary, "wb") as file:
    np.savez(file, **arrays)
if "plus" in arrays:
    log.info("for a forecast: snakemake reanalyse --config arrays=%s", path)
