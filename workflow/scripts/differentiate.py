"""Convergence maps of a batch of boxes with their derivatives with respect to the parameters of the forecast."""

from _job import experiment, progress, provenance, start, values

log = start(snakemake)

from lenscast import io
from lenscast.batches import each_box
from lenscast.lensing import redshift_distributions
from lenscast.parameters import PARAMETERS
from lenscast.pipeline import fiducial, tangents

described, seeds = experiment(snakemake), snakemake.params.seeds
correction, names = io.correction_of(described.simulation), described.tangents
theta = fiducial(described, values(snakemake, described))
boxes = each_box(lambda seed, theta: tangents(seed, theta, described, correction), seeds, theta)
coordinates = {
    "source": {"z": redshift_distributions(described.survey.sources).mean},
    "param": {"name": [name for name in names if not PARAMETERS[name].per_source]},
}
what = f"{described.lightcone.planes} planes, {described.lightcone.realisations_per_box} maps, {len(names)} tangents"
with io.batch_writer(snakemake.output.maps, coordinates, provenance(snakemake, seeds)) as batch:
    for seed, made in zip(progress(seeds, log, what), boxes, strict=True):
        axes, unit = ("map", "source", "y", "x"), "1 per unit of the parameter"
        variables = {
            "kappa": io.Variable(made.kappa, axes, "1", "convergence, noise-free"),
            "tangents": io.Variable(made.tangents, ("map", "param", *axes[1:]), unit, "derivative of the convergence"),
        }
        if made.shifts is not None:
            text = "derivative of each source's map with respect to its own delta_z"
            variables["shifts"] = io.Variable(made.shifts, axes, "1", text)
        batch.append(seed, variables)
