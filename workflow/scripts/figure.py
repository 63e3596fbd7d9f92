"""A figure of the table of figures."""

from _job import experiment, start

start(snakemake)

from pkgutil import resolve_name

from lenscast import plotting

figure = resolve_name(snakemake.params.function)(snakemake.input, experiment(snakemake), **snakemake.params.settings)
for path in (snakemake.output.figure, snakemake.output.pdf):
    plotting.save(figure, path)
