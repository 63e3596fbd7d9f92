"""Derivatives of every statistic by every parameter."""

from _job import start

start(snakemake)

import numpy as np
import pandas as pd

from lenscast import io, plotting
from lenscast.lensing import shape_noise_rms
from lenscast.statistics.registry import statistics_from_config

settings = dict(snakemake.params.settings)
rms = shape_noise_rms(settings.pop("sigma_e"), settings.pop("n_gal"), 60 * settings["field_deg"] / settings["pixels"])
statistics = statistics_from_config(settings.pop("statistics"), sigma_pixel=rms, **settings)
blank = np.zeros((settings["n_sources"], settings["pixels"], settings["pixels"]))
jacobians = io.load(snakemake.input.jacobians)
figure = plotting.derivatives(
    jacobians.variables["jacobian"].values,
    jacobians.variables["expected"].values,
    np.concatenate([statistic.expected(blank, blank) for statistic in statistics]),
    jacobians.coordinates["bin"],
    list(jacobians.coordinates["param"]["name"]),
    pd.read_csv(snakemake.input.theory) if snakemake.input.get("theory") else None,
)
plotting.save(figure, snakemake.output.figure)
