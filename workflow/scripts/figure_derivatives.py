"""Derivatives of every statistic by every parameter."""

from _job import start

start(snakemake)

import pandas as pd

from _build import noise_alone
from lenscast import io, plotting

jacobians = io.load(snakemake.input.jacobians)
figure = plotting.derivatives(
    jacobians.variables["jacobian"].values,
    jacobians.variables["expected"].values,
    noise_alone(snakemake.params.settings),
    jacobians.coordinates["bin"],
    list(jacobians.coordinates["param"]["name"]),
    pd.read_csv(snakemake.input.theory) if snakemake.input.get("theory") else None,
)
plotting.save(figure, snakemake.output.figure)
