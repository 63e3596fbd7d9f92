"""Convergence power spectra from CAMB's matter power."""

from _job import experiment, start

log = start(snakemake)

from lenscast import io
from lenscast.experiment.observation import observation
from lenscast.pipeline import fiducial
from lenscast.theory import Galaxies, MeasuredSpectrum, spectra_table

p, described = snakemake.params, experiment(snakemake)
measured = MeasuredSpectrum(described.statistics[p.spectrum], observation(described))
table = spectra_table(
    fiducial(described).cosmology,
    Galaxies.of(described),
    measured,
    described.lightcone,
    p.steps,
)
io.save_table(snakemake.output.table, table)
log.debug("\n%s", table.to_string(index=False))
