"""Expected statistics of the maps of a batch and their Jacobian, from the maps' tangents, for checks of derivatives."""

from _job import boxes_of, experiment, provenance, start

log = start(snakemake)

import jax
import numpy as np

from lenscast import io
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.measurement import MapAndTangents, expected_and_jacobian, joined

p = snakemake.params
described = experiment(snakemake).measuring(*p.statistics)
derive = jax.jit(
    lambda given: joined(expected_and_jacobian(given, described, None, p.draws, p.quantity), described.statistics)
)
maps = io.load(snakemake.input.maps, names=[])
coordinates = {"param": {"name": list(jacobian_parameters(described))}, "bin": bin_table(described)}
origin = provenance(snakemake, io.requested_seeds(maps.provenance), maps.provenance)
with io.batch_writer(snakemake.output.summaries, coordinates, origin) as batch:
    for seed, realisations, box in boxes_of(snakemake.input.maps, maps, None, log, p.statistics):
        shifts = box["shifts"].values if "shifts" in box else len(realisations) * [None]
        each_map = zip(box["kappa"].values, box["tangents"].values, shifts, realisations, strict=True)
        derived = [derive(MapAndTangents(k, t, s, seed, r)) for k, t, s, r in each_map]
        expected, jacobian = (np.stack(column) for column in zip(*derived, strict=True))
        unit = "see bins, per unit of the parameter"
        batch.append(
            seed,
            {
                "expected": io.Variable(expected, ("map", "bin"), "see bins", "mean statistics over the noise"),
                "jacobian": io.Variable(jacobian, ("map", "param", "bin"), unit, "their derivative"),
            },
        )
