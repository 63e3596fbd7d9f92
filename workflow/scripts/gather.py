"""All batches' summaries and Jacobians, each in one file."""

from _job import start

log = start(snakemake)

import _gathered as gathered
from lenscast import io
from lenscast.forecast.boxes import box_means

summaries = [io.load(path, ["measured"]) for path in snakemake.input.summaries]
means = {"jacobian": [], "expected": []}
for path in snakemake.input.derivatives:  # a box is never in two batches; its maps are many more than its mean
    batch = io.load(path)
    for name, pieces in means.items():
        pieces.append(box_means(batch.variables[name].values, batch.coordinates["map"]["seed"].to_numpy()))
maps, boxes = gathered.save(
    snakemake,
    [batch.coordinates["map"] for batch in summaries],
    [batch.variables["measured"].values for batch in summaries],
    means["jacobian"],
    means["expected"],
    {axis: batch.coordinates[axis] for axis in ("param", "bin")},
)
log.info("%d maps of the covariance, %d boxes of derivatives", maps, boxes)
