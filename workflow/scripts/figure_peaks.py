"""Peak counts: hard ones, and those expected over the shape noise."""

from _job import start

start(snakemake)

from lenscast import io, plotting

summaries, jacobians = io.load(snakemake.input.summaries), io.load(snakemake.input.jacobians)
figure = plotting.peak_counts(
    summaries.variables["measured"].values,
    summaries.coordinates["map"]["seed"].to_numpy(),
    jacobians.variables["expected"].values,
    jacobians.coordinates["bin"],
)
plotting.save(figure, snakemake.output.figure)
