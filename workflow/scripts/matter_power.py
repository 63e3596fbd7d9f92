"""Matter power of the simulations today beside theory."""

from _job import progress, start

log = start(snakemake)

import jax
import numpy as np

import _build as build
from lenscast import io, plotting
from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity.matter_power import power_today
from lenscast.simulate import INITIAL_FIELD
from lenscast.theory import matter_power_table

p = snakemake.params
simulation, correction = build.simulation(p.settings), build.correction(p.settings)
mesh, how = simulation.mesh, (simulation.a_start, simulation.lpt_order, simulation.integrator)
parameters = Parameters.from_config(p.settings["cosmology"])
cosmos = jax.jit(cosmology)(parameters)
today = jax.jit(lambda key, cosmos: power_today(key, cosmos, mesh, *how, correction))
keys = (jax.random.fold_in(jax.random.key(seed), INITIAL_FIELD) for seed in progress(p.seeds, log, "to a = 1"))
table = matter_power_table([jax.device_get(today(key, cosmos)) for key in keys], parameters)
io.save_table(snakemake.output.table, table)
plotting.save(plotting.matter_power(table, np.pi / mesh.cell_size, len(p.seeds)), snakemake.output.figure)
