"""Matter power of the simulations today, compared with theory."""

from _job import experiment, progress, start

log = start(snakemake)

import jax

from lenscast import io
from lenscast.cosmology import cosmology
from lenscast.pipeline import fiducial
from lenscast.streams import INITIAL_FIELD, box_key
from lenscast.validation.matter import matter_power_table, power_today

p, simulation = snakemake.params, experiment(snakemake).simulation
parameters, correction = fiducial(experiment(snakemake)).cosmology, io.correction_of(simulation)
cosmos = cosmology(parameters)
today = jax.jit(lambda key, cosmos: power_today(key, cosmos, simulation, correction))
keys = (box_key(seed, INITIAL_FIELD) for seed in progress(p.seeds, log, "to a = 1"))
table = matter_power_table([jax.device_get(today(key, cosmos)) for key in keys], parameters)
io.save_table(snakemake.output.table, table)
