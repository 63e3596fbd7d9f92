"""Tomographic spectra of the maps, and their derivatives with respect to nuisance parameters, compared with CCL."""

from _job import experiment, start

log = start(snakemake)

import jax.numpy as jnp
import numpy as np

from lenscast import io
from lenscast.cosmology import cosmology
from lenscast.experiment.observation import observation
from lenscast.measurement import noise_alone
from lenscast.pipeline import fiducial
from lenscast.theory import Galaxies, MeasuredSpectrum, theory_components, theory_derivatives
from lenscast.validation.tomography import compare_component_derivatives, compare_components

p, described = snakemake.params, experiment(snakemake)
measured = MeasuredSpectrum(described.statistics[p.spectrum], observation(described))
parameters, lightcone, galaxies = fiducial(described).cosmology, described.lightcone, Galaxies.of(described)
aligned = galaxies if described.systematics.A_IA else galaxies.with_step("A_IA", 1.0)
files = list(io.gathered(snakemake.input.spectra, p.seeds, p.made_by))
spectra = np.concatenate([file.variables["spectra"].values for file in files])
box = np.concatenate([file.coordinates["map"]["seed"] for file in files])
spacing = described.simulation.box_size / described.simulation.particles
theory = theory_components(parameters, aligned, measured, lightcone, spacing)
distances = cosmology(parameters).distances
chi = np.asarray(distances.comoving_distance(jnp.asarray(1 / (1 + galaxies.sources.mean))))
limit = np.pi / spacing * chi / 2
table = compare_components(spectra, box, files[0].coordinates["bin"], theory, limit)
io.save_table(snakemake.output.components, table)
slopes = theory_derivatives(parameters, galaxies, measured, lightcone, p.steps)
jacobians = io.load_jacobians(snakemake.input.jacobians)
rows = (jacobians.bins["statistic"] == p.spectrum).to_numpy()
derivatives = compare_component_derivatives(
    jacobians.jacobian[:, :, rows],
    jacobians.expected[:, rows] - noise_alone(described)[rows],
    jacobians.parameters,
    jacobians.bins[rows],
    slopes,
    limit,
)
io.save_table(snakemake.output.derivatives, derivatives)
log.info("\n%s", table.to_string(index=False))
