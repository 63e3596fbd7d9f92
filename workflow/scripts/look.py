"""Convergence maps of a batch of boxes, with their derivatives with respect to the parameters of the forecast."""

from _job import experiment, planes_of, provenance, start, values

log = start(snakemake)

import jax

from lenscast import io
from lenscast.lensing import redshift_distributions
from lenscast.parameters import PARAMETERS
from lenscast.pipeline import fiducial, maps_and_tangents

described = experiment(snakemake)
theta = fiducial(described, values(snakemake, described))
seen = jax.jit(lambda planes, seed, theta: maps_and_tangents(planes, seed, theta, described))
sources = redshift_distributions(described.survey.sources)
coordinates = {
    "source": {"z": sources.mean, "width": sources.width},
    "param": {"name": [name for name in described.tangents if not PARAMETERS[name].per_source]},
}
made_from = io.load(snakemake.input.planes, names=[]).provenance
origin = provenance(snakemake, io.requested_seeds(made_from), made_from)
what = f"{described.lightcone.realisations_per_box} maps"
with io.batch_writer(snakemake.output.maps, coordinates, origin) as batch:
    for seed, planes in planes_of(snakemake.input.planes, log, what):
        made = seen(planes, seed, theta)
        axes, unit = ("map", "source", "y", "x"), "1 per unit of the parameter"
        variables = {"kappa": io.Variable(made.kappa, axes, "1", "convergence, noise-free")}
        if made.tangents.shape[1]:
            text = "derivative of the convergence"
            variables["tangents"] = io.Variable(made.tangents, ("map", "param", *axes[1:]), unit, text)
        if made.shifts is not None:
            text = "derivative of each source's map with respect to its own delta_z"
            variables["shifts"] = io.Variable(made.shifts, axes, "1", text)
        batch.append(seed, variables)
