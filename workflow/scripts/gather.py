"""Summaries and Jacobians of all batches, each in one file."""

from _job import made_with, provenance, start

log = start(snakemake)

from lenscast import io
from lenscast.fisher.boxes import BoxMeans

seeds, made_by = snakemake.params.seeds, snakemake.params.made_by
summaries, derivatives = (
    list(io.gathered(snakemake.input[section], seeds[section], made_by[section], names))
    for section, names in (("summaries", ["measured", "box_mean"]), ("derivatives", None))
)


def by_box(files, name):
    return [BoxMeans(each.coordinates["box"]["seed"].to_numpy(), each.variables[name].values) for each in files]


axes = {axis: derivatives[0].coordinates[axis] for axis in ("param", "bin")}
maps = [batch.coordinates["map"] for batch in summaries]
measured = [batch.variables["measured"].values for batch in summaries]
kept = {name: [seed for batch in each.values() for seed in batch] for name, each in seeds.items()}
origin = provenance(snakemake, sorted(kept["summaries"])) | made_with(snakemake)
means = by_box(summaries, "box_mean")
index = io.save_summaries(snakemake.output.summaries, maps, measured, means, axes["bin"], origin)
origin = provenance(snakemake, sorted(kept["derivatives"])) | made_with(snakemake)
jacobians, expected = (by_box(derivatives, name) for name in ("jacobian", "expected"))
boxes = io.save_jacobians(snakemake.output.jacobians, jacobians, expected, axes, origin)
log.info("%d maps of the covariance, %d boxes of derivatives", len(index), len(boxes))
