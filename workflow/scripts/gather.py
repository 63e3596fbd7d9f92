"""All batches' summaries and Jacobians, each in one file."""

from _job import start

log = start(snakemake)

import _gathered
from _build import gathered
from lenscast.forecast.boxes import box_means

seeds, made_by = snakemake.params.seeds, snakemake.params.made_by
summaries, derivatives = (
    gathered(snakemake.input[name], seeds[name], made_by[name]) for name in ("summaries", "derivatives")
)
jacobian, expected = (
    [box_means(batch.variables[name].values, batch.coordinates["map"]["seed"].to_numpy()) for batch in derivatives]
    for name in ("jacobian", "expected")
)
maps, boxes = _gathered.save(
    snakemake,
    [batch.coordinates["map"] for batch in summaries],
    [batch.variables["measured"].values for batch in summaries],
    jacobian,
    expected,
    {axis: derivatives[0].coordinates[axis] for axis in ("param", "bin")},
)
log.info("%d maps of the covariance, %d boxes of derivatives", maps, boxes)
