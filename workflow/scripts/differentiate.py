"""Lens planes of a batch of boxes with their derivatives with respect to cosmological parameters."""

from functools import partial

from _job import experiment, progress, provenance, start, values

log = start(snakemake)

from lenscast import io
from lenscast.batches import each_box
from lenscast.halo import beyond_halo
from lenscast.io.plane_files import plane_variables
from lenscast.lens_tangents import cosmological_tangents
from lenscast.pipeline import fiducial, planes_and_tangents

described, seeds = experiment(snakemake), snakemake.params.seeds
correction, names = io.correction_of(described.simulation), cosmological_tangents(described)
parameters = fiducial(described, values(snakemake, described)).cosmology
boxes = each_box(
    lambda seed, p: planes_and_tangents(seed, p, described, correction),
    seeds,
    parameters,
    devices=described.distribution.devices,
)
coordinates = {"plane": {"chi": described.lightcone.chi}} | ({"param": {"name": list(names)}} if names else {})
what = f"{described.lightcone.planes} planes, {len(names)} tangents"
with io.batch_writer(snakemake.output.planes, coordinates, provenance(snakemake, seeds)) as batch:
    for seed, made in zip(progress(seeds, log, what), boxes, strict=True):
        cause = partial(beyond_halo, seed, parameters, described)
        batch.append(seed, plane_variables(made), cause)
