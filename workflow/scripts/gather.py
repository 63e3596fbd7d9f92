"""All batches' summaries and Jacobians, each in one file."""

from _job import start

log = start(snakemake)

import _gathered
from _build import gathered
from lenscast.forecast.boxes import box_means

seeds, made_by = snakemake.params.seeds, snakemake.params.made_by
summaries, derivatives = (
    gathered(snakemake.input[section], seeds[section], made_by[section], names)
    for section, names in (("summaries", ["measured"]), ("derivatives", None))
)
summaries = list(summaries)
means = {"jacobian": [], "expected": []}
for batch in derivatives:  # a box is never in two batches; its maps are many more than its mean
    for name, pieces in means.items():
        pieces.append(box_means(batch.variables[name].values, batch.coordinates["map"]["seed"].to_numpy()))
maps, boxes = _gathered.save(
    snakemake,
    [batch.coordinates["map"] for batch in summaries],
    [batch.variables["measured"].values for batch in summaries],
    means["jacobian"],
    means["expected"],
    {axis: batch.coordinates[axis] for axis in ("param", "bin")},
)
log.info("%d maps of the covariance, %d boxes of derivatives", maps, boxes)
