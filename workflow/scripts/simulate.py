"""Convergence maps of a batch of boxes."""

from _job import experiment, progress, provenance, start, values

log = start(snakemake)

from lenscast import io
from lenscast.batches import each_box
from lenscast.lensing import redshift_distributions
from lenscast.pipeline import fiducial, maps

described, seeds = experiment(snakemake), snakemake.params.seeds
correction = io.correction_of(described.simulation)
theta = fiducial(described, values(snakemake, described))
boxes = each_box(lambda seed, theta: maps(seed, theta, described, correction), seeds, theta)
coordinates = {"source": {"z": redshift_distributions(described.survey.sources).mean}}
what = f"{described.lightcone.planes} planes, {described.lightcone.realisations_per_box} maps"
with io.batch_writer(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as batch:
    for seed, kappa in zip(progress(seeds, log, what), boxes, strict=True):
        axes = ("map", "source", "y", "x")
        batch.append(seed, {"kappa": io.Variable(kappa, axes, "1", "convergence, noise-free")})
