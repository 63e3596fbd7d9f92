"""Summaries and Jacobians of several runs of one experiment, each in one file."""

from _job import made_with, provenance, start

log = start(snakemake)

from lenscast import io
from lenscast.fisher.boxes import BoxMeans

summaries, jacobians = (
    [io.load(path) for path in paths] for paths in (snakemake.input.summaries, snakemake.input.jacobians)
)
boxes = [run.coordinates["box"]["seed"].to_numpy() for run in jacobians]
jacobian, expected = (
    [BoxMeans(box, run.variables[name].values) for box, run in zip(boxes, jacobians, strict=True)]
    for name in ("jacobian", "expected")
)
maps = [run.coordinates["map"] for run in summaries]
measured = [run.variables["measured"].values for run in summaries]
means = [BoxMeans(run.coordinates["box"]["seed"].to_numpy(), run.variables["expected"].values) for run in summaries]
axes = {axis: jacobians[0].coordinates[axis] for axis in ("param", "bin")}
seeds = sorted({int(seed) for each in maps for seed in each["seed"]})
origin = provenance(snakemake, seeds) | made_with(snakemake)
index = io.save_summaries(snakemake.output.summaries, maps, measured, means, axes["bin"], origin)
origin = provenance(snakemake, sorted(int(seed) for each in boxes for seed in each)) | made_with(snakemake)
number = io.save_jacobians(snakemake.output.jacobians, jacobian, expected, axes, origin)
log.info("%d maps of the covariance and %d boxes of derivatives from %d runs", len(index), len(number), len(maps))
