"""Convergence of the chains of the field level, and the initial field that they find compared with the true one."""

from _job import experiment, start

log = start(snakemake)

import numpy as np

from lenscast import io
from lenscast.gravity import white_noise
from lenscast.inference import FIELDS, Bands, field_table, forecast_of_map, linear_limit, recovery_table
from lenscast.io.chains import load_field_chain, load_field_posterior
from lenscast.streams import INITIAL_FIELD, box_key

p, described = snakemake.params, experiment(snakemake)
chains = [load_field_chain(path) for path in snakemake.input.chains]
bands = Bands(described.simulation.particles, described.simulation.box_size)
forecasts = {
    name: forecast_of_map(io.load_information(path), described)
    for name, path in zip(p.data_vectors, snakemake.input.forecasts, strict=True)
}
table = field_table(chains, described.parameters, bands, forecasts)
seed = described.field_level.seed
truth = white_noise(box_key(seed, INITIAL_FIELD), described.simulation.particles)
posterior = load_field_posterior(snakemake.input.forecasts[0], p.made_by, described)
linear = linear_limit(posterior, range(seed, seed + FIELDS), bands)
io.save_table(snakemake.output.table, table)
io.save_table(snakemake.output.recovery, recovery_table(chains, np.asarray(truth), bands, linear))
if (table["verdict"] != "converged").any():
    log.warning("chains have not converged; raise field_level.draws")
log.info("\n%s", table.to_string(index=False))
