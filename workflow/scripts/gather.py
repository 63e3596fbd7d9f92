"""Summaries and Jacobians of all batches, each in one file."""

from _job import made_with, provenance, start

log = start(snakemake)

from lenscast import io
from lenscast.fisher.boxes import box_means

seeds, made_by = snakemake.params.seeds, snakemake.params.made_by
summaries, derivatives = (
    io.gathered(snakemake.input[section], seeds[section], made_by[section], names)
    for section, names in (("summaries", ["measured"]), ("derivatives", None))
)
summaries, jacobians, expected = list(summaries), [], []
for batch in derivatives:  # a box is never in two batches; its maps take more memory than their mean
    box = batch.coordinates["map"]["seed"].to_numpy()
    jacobians.append(box_means(batch.variables["jacobian"].values, box))
    expected.append(box_means(batch.variables["expected"].values, box))
    axes = {axis: batch.coordinates[axis] for axis in ("param", "bin")}
maps = [batch.coordinates["map"] for batch in summaries]
measured = [batch.variables["measured"].values for batch in summaries]
kept = {name: [seed for batch in each.values() for seed in batch] for name, each in seeds.items()}
origin = provenance(snakemake, sorted(kept["summaries"])) | made_with(snakemake)
index = io.save_summaries(snakemake.output.summaries, maps, measured, axes["bin"], origin)
origin = provenance(snakemake, sorted(kept["derivatives"])) | made_with(snakemake)
boxes = io.save_jacobians(snakemake.output.jacobians, jacobians, expected, axes, origin)
log.info("%d maps of the covariance, %d boxes of derivatives", len(index), len(boxes))
