"""Convergence maps of a batch of boxes."""

from _job import progress, provenance, start

log = start(snakemake)

import jax

import _build as build
from lenscast import io
from lenscast.simulate import convergence_maps

settings, seeds = snakemake.params.settings, snakemake.params.seeds
simulation, correction = build.simulation(settings), build.correction(settings)
parameters = build.parameters(settings)
maps = jax.jit(lambda seed, parameters: convergence_maps(seed, *parameters, simulation, correction))
coordinates = {"source": {"z": simulation.sources.mean}}
what = f"{simulation.lightcone.planes} planes, {simulation.realisations} maps"
with build.batch(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as batch:
    for seed in progress(seeds, log, what):
        kappa = io.Variable(maps(seed, parameters), ("map", "source", "y", "x"), "1", "convergence, noise-free")
        batch.append(seed, {"kappa": kappa})
