"""Convergence maps of a batch of boxes."""

from _job import progress, provenance, start

log = start(snakemake)

import _build as build
from lenscast import io
from lenscast.batches import each_box
from lenscast.simulate import convergence_maps

settings, seeds = snakemake.params.settings, snakemake.params.seeds
simulation, correction = build.simulation(settings), build.correction(settings)
parameters = build.parameters(settings)
boxes = each_box(lambda seed, *given: convergence_maps(seed, *given, simulation, correction), seeds, *parameters)
coordinates = {"source": {"z": simulation.sources.mean}}
what = f"{simulation.lightcone.planes} planes, {simulation.realisations} maps"
with build.batch(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as batch:
    for seed, maps in zip(progress(seeds, log, what), boxes, strict=True):
        kappa = io.Variable(maps, ("map", "source", "y", "x"), "1", "convergence, noise-free")
        batch.append(seed, {"kappa": kappa})
