"""Coverage of the posteriors of the field level over maps whose truth is known."""

from _job import experiment, start

log = start(snakemake)

from lenscast import io
from lenscast.inference import FIELDS, Bands, linear_limit, mock_coverage, mock_recovery
from lenscast.io.chains import load_field_posterior, load_mock_posteriors

p, described = snakemake.params, experiment(snakemake)
mocks = [each for path in snakemake.input.mocks for each in load_mock_posteriors(path)]
bands = Bands(described.simulation.particles, described.simulation.box_size)
posterior = load_field_posterior(snakemake.input.forecast, p.made_by, described)
linear = linear_limit(posterior, described.field_level.mock_seeds[:FIELDS], bands)
coverage, recovery = mock_coverage(described.parameters, mocks), mock_recovery(bands, mocks, linear)
io.save_table(snakemake.output.table, coverage)
io.save_table(snakemake.output.recovery, recovery)
for table in (coverage, recovery):
    log.info("\n%s", table.to_string(index=False))
