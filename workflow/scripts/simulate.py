"""Convergence maps of a batch of boxes, and their correlation functions averaged over all views."""

from functools import partial

from _job import experiment, progress, provenance, start, values

log = start(snakemake)

from lenscast import io
from lenscast.batches import each_box
from lenscast.halo import beyond_halo
from lenscast.lensing import redshift_distributions
from lenscast.pipeline import fiducial, maps_and_correlations

described, seeds = experiment(snakemake), snakemake.params.seeds
correction = io.correction_of(described.simulation)
theta = fiducial(described, values(snakemake, described))
boxes = each_box(
    lambda seed, theta: maps_and_correlations(seed, theta, described, correction),
    seeds,
    theta,
    devices=described.distribution.devices,
)
sources = redshift_distributions(described.survey.sources)
coordinates = {"source": {"z": sources.mean, "width": sources.width}}
what = f"{described.lightcone.planes} planes, {described.lightcone.realisations_per_box} maps"
with io.batch_writer(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as batch:
    for seed, (kappa, correlation) in zip(progress(seeds, log, what), boxes, strict=True):
        variables = {"kappa": io.Variable(kappa, ("map", "source", "y", "x"), "1", "convergence, noise-free")}
        if correlation is not None:
            axes, text = ("box", "pair", "lag_y", "lag_x"), "correlation of kappa over all views, by lag in pixels"
            variables["correlation"] = io.Variable(correlation[None], axes, "1", text)
        batch.append(seed, variables, partial(beyond_halo, seed, theta.cosmology, described))
