"""Coverage of the posteriors of the field level over maps whose truth is known."""

from _job import experiment, start

log = start(snakemake)

from lenscast import io
from lenscast.inference import Bands, mock_coverage, mock_recovery
from lenscast.io.chains import load_mock_posteriors

described = experiment(snakemake)
mocks = [each for path in snakemake.input.mocks for each in load_mock_posteriors(path)]
bands = Bands(described.simulation.particles, described.simulation.box_size)
coverage, recovery = mock_coverage(described.parameters, mocks), mock_recovery(bands, mocks)
io.save_table(snakemake.output.table, coverage)
io.save_table(snakemake.output.recovery, recovery)
for table in (coverage, recovery):
    log.info("\n%s", table.to_string(index=False))
