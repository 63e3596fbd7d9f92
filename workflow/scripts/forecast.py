"""Fisher matrices, errors and reliability of one data vector."""

from _job import experiment, provenance, start

log = start(snakemake)

from lenscast import io
from lenscast.pipeline import forecast

p, described = snakemake.params, experiment(snakemake)
for path in (snakemake.input.summaries, snakemake.input.jacobians):
    io.require_made_by(p.made_by, path, io.load(path, names=[]))
summaries, jacobians = io.load_summaries(snakemake.input.summaries), io.load_jacobians(snakemake.input.jacobians)
name = snakemake.wildcards.data_vector
made = forecast(summaries, jacobians, described, [name])[name]
io.save_table(snakemake.output.parameters, made.parameters)
io.save_table(snakemake.output.directions, made.directions)
io.save_table(snakemake.output.reliability, made.reliability)
seeds = sorted({*summaries.box, *jacobians.box})
io.save_forecast(snakemake.output.forecast, made, described.priors, provenance(snakemake, seeds))
columns = ["parameter", "systematics", "estimator", "with_priors", "sigma", "bias_share", "verdict"]
log.info("\n%s", made.parameters[columns].to_string(index=False))
