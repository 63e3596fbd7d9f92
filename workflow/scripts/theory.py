"""Convergence power spectra from CAMB's matter power."""

from _job import start

log = start(snakemake)

import _build as build
from lenscast import io
from lenscast.theory import Galaxies, spectra_table

p = snakemake.params
simulation, (parameters, systematics) = build.simulation(p.settings), build.parameters(p.settings)
galaxies = Galaxies(simulation.sources, systematics, simulation.alignment)
(spectrum,) = build.measurement(p.measured)
table = spectra_table(parameters, galaxies, spectrum, simulation.lightcone, p.steps)
io.save_table(snakemake.output.table, table)
log.info("\n%s", table.to_string(index=False))
