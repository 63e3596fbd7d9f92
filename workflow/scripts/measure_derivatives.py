"""Mean statistics of the boxes of a batch and their Jacobians, averaged over views and shape noise."""

from _job import experiment, planes_of, provenance, start, values

log = start(snakemake)

import jax
import numpy as np

from lenscast import io
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.pipeline import fiducial, measure

described = experiment(snakemake)
theta = fiducial(described, values(snakemake, described))
derive = jax.jit(lambda planes, seed, theta: measure(planes, seed, theta, described))
coordinates = {"param": {"name": list(jacobian_parameters(described))}, "bin": bin_table(described)}
made_from = io.load(snakemake.input.planes, names=[]).provenance
origin = provenance(snakemake, io.requested_seeds(made_from), made_from)
with io.batch_writer(snakemake.output.summaries, coordinates, origin) as batch:
    for seed, planes in planes_of(snakemake.input.planes, log, ", ".join(described.statistics)):
        expected, jacobian = (np.asarray(each)[None] for each in derive(planes, seed, theta))
        unit = "see bins, per unit of the parameter"
        batch.append(
            seed,
            {
                "expected": io.Variable(expected, ("box", "bin"), "see bins", "mean over views and noise"),
                "jacobian": io.Variable(jacobian, ("box", "param", "bin"), unit, "its derivative"),
            },
        )
