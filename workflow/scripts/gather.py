"""All batches' summaries and Jacobians, each in one file."""

from _job import provenance, start

log = start(snakemake)

import numpy as np
import pandas as pd

from _build import gathered
from lenscast import io
from lenscast.forecast.boxes import box_means

seeds, made_by = snakemake.params.seeds, snakemake.params.made_by
summaries, derivatives = (
    gathered(snakemake.input[name], seeds[name], made_by[name]) for name in ("summaries", "derivatives")
)


def joined(files, name):
    return np.concatenate([file.variables[name].values for file in files])


first = summaries[0].coordinates
index = pd.concat([file.coordinates["map"] for file in summaries], ignore_index=True)
origin = provenance(snakemake, index["seed"].unique())
measured = io.Variable(joined(summaries, "measured"), ("map", "bin"), "see bins", "statistics of the noisy maps")
io.save(snakemake.output.summaries, {"measured": measured}, {"map": index, "bin": first["bin"]}, origin)

seeds = np.concatenate([file.coordinates["map"]["seed"] for file in derivatives])
jacobian, expected = (box_means(joined(derivatives, name), seeds) for name in ("jacobian", "expected"))
variables = {
    "jacobian": io.Variable(jacobian.mean, ("box", "param", "bin"), "see bins", "mean Jacobian of a box's maps"),
    "expected": io.Variable(expected.mean, ("box", "bin"), "see bins", "mean data vector of a box's maps"),
}
coordinates = {"box": {"seed": jacobian.box}, **{a: derivatives[0].coordinates[a] for a in ("param", "bin")}}
io.save(snakemake.output.jacobians, variables, coordinates, provenance(snakemake, jacobian.box))
log.info("%d maps of the covariance, %d boxes of derivatives", len(index), len(jacobian.box))
