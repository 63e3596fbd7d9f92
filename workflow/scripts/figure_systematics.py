"""Contours of cosmology with nuisance parameters marginalised and fixed: what systematics cost."""

from _job import start

start(snakemake)

from _posterior import posterior
from lenscast import plotting

p, posteriors = snakemake.params, {}
for name, path in zip(p.data_vectors, snakemake.input.forecasts, strict=True):
    known = posterior(path, p.systematics)
    posteriors |= {name: posterior(path).select(known.names), f"{name}, systematics known": known}
plotting.save(plotting.triangle(posteriors), snakemake.output.figure)
