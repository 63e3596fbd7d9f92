"""Convergence maps of a batch of boxes with their derivatives with respect to the parameters of the forecast."""

from _job import progress, provenance, start

log = start(snakemake)

import _build as build
from lenscast import io
from lenscast.batches import each_box
from lenscast.tangents import maps_and_tangents

settings, seeds, names = snakemake.params.settings, snakemake.params.seeds, tuple(snakemake.params.parameters)
simulation, correction = build.simulation(settings), build.correction(settings)
parameters = build.parameters(settings)
boxes = each_box(
    lambda seed, *given: maps_and_tangents(seed, *given, simulation, names, correction), seeds, *parameters
)
shared = [name for name in names if name != "delta_z"]
coordinates = {"source": {"z": simulation.sources.mean}, "param": {"name": shared}}
what = f"{simulation.lightcone.planes} planes, {simulation.realisations} maps, {len(names)} tangents"
with build.batch(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as batch:
    for seed, (kappa, tangents, shifts) in zip(progress(seeds, log, what), boxes, strict=True):
        axes, unit = ("map", "source", "y", "x"), "1 per unit of the parameter"
        variables = {
            "kappa": io.Variable(kappa, axes, "1", "convergence, noise-free"),
            "tangents": io.Variable(tangents, (axes[0], "param", *axes[1:]), unit, "derivative of the convergence"),
        }
        if shifts is not None:
            variables["shifts"] = io.Variable(shifts, axes, "1", "derivative of each source's map by its own delta_z")
        batch.append(seed, variables)
