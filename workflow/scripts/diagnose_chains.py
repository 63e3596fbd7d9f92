"""Convergence of the chains of the field level, and the initial field that they find compared with the true one."""

from _job import experiment, start

log = start(snakemake)

import numpy as np

from lenscast import io
from lenscast.gravity import white_noise
from lenscast.inference import Bands, field_table, recovery_table
from lenscast.streams import INITIAL_FIELD, box_key

described = experiment(snakemake)
chains = [io.load_field_chain(path) for path in snakemake.input.chains]
bands = Bands(described.simulation.particles, described.simulation.box_size)
table = field_table(chains, described.parameters, bands)
truth = white_noise(box_key(described.field_level.seed, INITIAL_FIELD), described.simulation.particles)
io.save_table(snakemake.output.table, table)
io.save_table(snakemake.output.recovery, recovery_table(chains, np.asarray(truth), bands))
if (table["verdict"] != "converged").any():
    log.warning("chains have not converged; raise field_level.draws")
log.info("\n%s", table.to_string(index=False))
