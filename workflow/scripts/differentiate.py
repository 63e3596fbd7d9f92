"""Convergence maps of a batch of boxes with their derivatives with respect to the parameters of the forecast."""

from _job import progress, provenance, start

log = start(snakemake)

import jax

import _build as build
from lenscast import io
from lenscast.cosmology import Parameters
from lenscast.simulate import maps_and_tangents

settings, seeds, names = snakemake.params.settings, snakemake.params.seeds, tuple(snakemake.params.parameters)
simulation, correction = build.simulation(settings), build.correction(settings)
parameters = Parameters.from_config(settings["cosmology"])
maps = jax.jit(lambda seed, parameters: maps_and_tangents(seed, parameters, simulation, names, correction))
coordinates = {**build.map_coordinates(simulation, seeds), "param": {"name": names}}
what = f"{simulation.lightcone.planes} planes, {simulation.realisations} maps, {len(names)} tangents"
with io.writer(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as file:
    for seed in progress(seeds, log, what):
        kappa, tangents = maps(seed, parameters)
        axes = ("map", "param", "source", "y", "x")
        kappa = io.Variable(kappa, ("map", "source", "y", "x"), "1", "convergence, noise-free")
        tangents = io.Variable(tangents, axes, "1 per unit of the parameter", "derivative of the convergence")
        file.append({"kappa": kappa, "tangents": tangents})
