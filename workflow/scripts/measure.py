"""Statistics of the maps of a batch, seen through shape noise, and their means over views and noise."""

from _job import boxes_of, experiment, provenance, start, values

log = start(snakemake)

import jax
import numpy as np

from lenscast import io
from lenscast.bins import bin_table
from lenscast.measurement import calibrated, mean_over_views
from lenscast.pipeline import fiducial, summarise

described, draws = experiment(snakemake).measuring(*snakemake.params.statistics), snakemake.params.draws
m = fiducial(described, values(snakemake, described)).systematics.m
measured = jax.jit(lambda k, seed, number: summarise(calibrated(k, m), seed, number, described, draws))
averaged = jax.jit(lambda of_maps, correlation: mean_over_views(of_maps, correlation, m, described))
maps = io.load(snakemake.input.maps, names=[])
origin = provenance(snakemake, io.requested_seeds(maps.provenance), maps.provenance)
with io.batch_writer(snakemake.output.summaries, {"bin": bin_table(described)}, origin) as batch:
    for seed, realisations, box in boxes_of(snakemake.input.maps, maps, None, log, snakemake.params.statistics):
        summaries = [measured(k, seed, r) for k, r in zip(box["kappa"].values, realisations, strict=True)]
        measured_values, expected_values = (np.stack(column) for column in zip(*summaries, strict=True))
        mean = averaged(expected_values, box["correlation"].values[0] if "correlation" in box else None)
        axes, unit = ("map", "bin"), "see bins"
        batch.append(
            seed,
            {
                "measured": io.Variable(measured_values, axes, unit, "statistics of the noisy map"),
                "expected": io.Variable(expected_values, axes, unit, "their mean over the noise"),
                "box_mean": io.Variable(mean[None], ("box", "bin"), unit, "their mean over views and noise"),
            },
        )
