"""Tomographic spectra of the maps and their derivatives by nuisance parameters beside those of CCL."""

from _job import start

log = start(snakemake)

import jax
import jax.numpy as jnp
import numpy as np

import _build as build
from lenscast import io
from lenscast.cosmology import cosmology
from lenscast.theory import Galaxies
from lenscast.tomography_validation import compared, compared_derivatives, theory_components, theory_derivatives

p = snakemake.params
simulation, (parameters, systematics) = build.simulation(p.maps), build.parameters(p.maps)
(spectrum,) = build.measurement(p.settings)
galaxies = Galaxies(simulation.sources, systematics, simulation.alignment)
aligned = galaxies if systematics.A_IA else galaxies.moved("A_IA", 1.0)
files = list(build.gathered(snakemake.input.spectra, p.seeds, p.made_by))
jacobians = io.load(snakemake.input.jacobians)
measured = np.concatenate([file.variables["spectra"].values for file in files])
box = np.concatenate([file.coordinates["map"]["seed"] for file in files])
spacing = simulation.mesh.box_size / simulation.mesh.particles
theory = theory_components(parameters, aligned, spectrum, simulation.lightcone, spacing)
distances = jax.jit(cosmology)(parameters).distances
chi = np.asarray(distances.comoving_distance(jnp.asarray(1 / (1 + simulation.sources.mean))))
limit = np.pi / spacing * chi / 2
table = compared(measured, box, files[0].coordinates["bin"], theory, limit)
io.save_table(snakemake.output.components, table)
slopes = theory_derivatives(parameters, galaxies, spectrum, simulation.lightcone, p.steps)
derivatives = compared_derivatives(
    jacobians.variables["jacobian"].values,
    jacobians.variables["expected"].values - build.noise_alone(p.data_vector),
    list(jacobians.coordinates["param"]["name"]),
    jacobians.coordinates["bin"],
    slopes,
    limit,
)
io.save_table(snakemake.output.derivatives, derivatives)
log.info("\n%s", table.to_string(index=False))
