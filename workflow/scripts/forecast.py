"""Fisher matrices, errors and reliability of one data vector."""

from _job import experiment, provenance, start

log = start(snakemake)

from pathlib import Path

from lenscast import io
from lenscast.fisher.shown_tables import short_table
from lenscast.fisher.two_levels import LEAST_GAIN
from lenscast.pipeline import forecast

p, described = snakemake.params, experiment(snakemake)
for path in (snakemake.input.summaries, snakemake.input.jacobians):
    io.require_made_by(p.made_by, path, io.load(path, names=[]))
summaries, jacobians = io.load_summaries(snakemake.input.summaries), io.load_jacobians(snakemake.input.jacobians)
levels = []
for level, each in p.levels.items():
    paths = [path for path in snakemake.input.levels if Path(path).parent.name == level]
    levels.append(io.load_level(level, list(io.gathered(paths, each["seeds"], each["made_by"])), jacobians))
name = snakemake.wildcards.data_vector
made = forecast(summaries, jacobians, described, [name], levels)[name]
io.save_table(snakemake.output.parameters, short_table(made.parameters))
io.save_table(snakemake.output.estimators, made.parameters)
io.save_table(snakemake.output.directions, made.directions)
io.save_table(snakemake.output.reliability, made.reliability)
io.save_table(snakemake.output.resolution, made.resolution)
bins = made.gaussian.assign(used=made.gaussian["name"].isin(made.bins["name"]))
io.save_table(snakemake.output.bins, bins)
for row in made.two_levels.itertuples():
    log.info(
        "Two levels, %s: a correlation of %.2f gains %.2f in the variance of the mean derivatives%s",
        *(row.statistic, row.correlation, row.gain, "" if row.used else f", less than {LEAST_GAIN}: not used"),
    )
seeds = sorted({*summaries.box, *jacobians.box})
io.save_forecast(snakemake.output.forecast, made, described.priors, provenance(snakemake, seeds))
directions = made.directions.drop(columns=list(made.estimate.names))  # the column combination has them in words
tables = {
    "Errors with priors": short_table(made.parameters),
    "Directions, information of the data over that of the prior": directions,
    "Bins, from the coarser levels to this one": made.resolution,
    "Bins with few counts or skewed data, beyond forecast.gaussian_bins": bins[bins["verdict"] != "Gaussian"],
}
for title, table in tables.items():
    log.debug("%s:\n%s", title, table.to_string(index=False))  # the workflow ends with errors and bins of all of them
