"""Correlation matrix of a data vector."""

from _job import start

start(snakemake)

from lenscast import io, plotting

forecast = io.load(snakemake.input.forecast, ["correlation"])
figure = plotting.correlation(forecast.variables["correlation"].values, forecast.coordinates["bin"])
plotting.save(figure, snakemake.output.figure)
