"""Convergence maps of a batch of boxes."""

from _job import progress, provenance, start

log = start(snakemake)

import jax
import numpy as np

from lenscast import io
from lenscast.config.simulation import LightconeConfig, SimulationConfig
from lenscast.cosmology import Parameters
from lenscast.simulate import Simulation, convergence_maps

settings, seeds = snakemake.params.settings, snakemake.params.seeds
simulation = Simulation.from_config(
    SimulationConfig(**settings["simulation"]), LightconeConfig(**settings["lightcone"]), settings["z_source"]
)
parameters = Parameters.from_config(settings["cosmology"])
maps = jax.jit(lambda seed, parameters: convergence_maps(seed, parameters, simulation))
coordinates = {
    "map": {
        "seed": np.repeat(seeds, simulation.realisations),
        "realisation": np.tile(np.arange(simulation.realisations), len(seeds)),
    },
    "source": {"z": simulation.z_source},
}
what = f"{simulation.lightcone.planes} planes, {simulation.realisations} maps"
with io.writer(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as file:
    for seed in progress(seeds, log, what):
        kappa = io.Variable(maps(seed, parameters), ("map", "source", "y", "x"), "1", "convergence, noise-free")
        file.append({"kappa": kappa})
