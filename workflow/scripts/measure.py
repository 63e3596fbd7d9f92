"""Statistics of the maps of a batch, seen through shape noise."""

from _job import boxes_of, experiment, provenance, start, values

log = start(snakemake)

import jax
import numpy as np

from lenscast import io
from lenscast.measurement import bin_table, calibrated
from lenscast.pipeline import fiducial, summarise

described, draws = experiment(snakemake).measuring(*snakemake.params.statistics), snakemake.params.draws
m = fiducial(described, values(snakemake, described)).systematics.m
measured = jax.jit(lambda k, seed, number: summarise(calibrated(k, m), seed, number, described, draws))
maps = io.load(snakemake.input.maps, names=[])
origin = provenance(snakemake, io.requested_seeds(maps.provenance), maps.provenance)
with io.batch_writer(snakemake.output.summaries, {"bin": bin_table(described)}, origin) as batch:
    for seed, realisations, box in boxes_of(snakemake.input.maps, maps, ["kappa"], log, snakemake.params.statistics):
        summaries = [measured(k, seed, r) for k, r in zip(box["kappa"].values, realisations, strict=True)]
        measured_values, expected_values = (np.stack(column) for column in zip(*summaries, strict=True))
        axes, unit = ("map", "bin"), "see bins"
        batch.append(
            seed,
            {
                "measured": io.Variable(measured_values, axes, unit, "statistics of the noisy map"),
                "expected": io.Variable(expected_values, axes, unit, "their mean over the noise"),
            },
        )
