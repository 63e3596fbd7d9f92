"""Summaries and Jacobians of several runs of one experiment, each in one file."""

from _job import start

log = start(snakemake)

import _gathered as gathered
from lenscast import io
from lenscast.forecast.boxes import BoxMeans

summaries, jacobians = (
    [io.load(path) for path in paths] for paths in (snakemake.input.summaries, snakemake.input.jacobians)
)
boxes = [run.coordinates["box"]["seed"].to_numpy() for run in jacobians]
jacobian, expected = (
    [BoxMeans(box, run.variables[name].values) for box, run in zip(boxes, jacobians, strict=True)]
    for name in ("jacobian", "expected")
)
maps, number = gathered.save(
    snakemake,
    [run.coordinates["map"] for run in summaries],
    [run.variables["measured"].values for run in summaries],
    jacobian,
    expected,
    {axis: jacobians[0].coordinates[axis] for axis in ("param", "bin")},
)
log.info("%d maps of the covariance, %d boxes of derivatives, of %d runs", maps, number, len(summaries))
