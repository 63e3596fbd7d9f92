"""Convergence power spectra beside theory."""

from _job import start

start(snakemake)

import jax
import numpy as np
import pandas as pd

from lenscast import io, plotting
from lenscast.cosmology import Parameters, cosmology
from lenscast.lensing import shape_noise_rms
from lenscast.statistics.registry import statistics_from_config

p, settings = snakemake.params, dict(snakemake.params.settings)
rms = shape_noise_rms(settings.pop("sigma_e"), settings.pop("n_gal"), 60 * settings["field_deg"] / settings["pixels"])
statistics = statistics_from_config(settings.pop("statistics"), sigma_pixel=rms, **settings)
blank = np.zeros((settings["n_sources"], settings["pixels"], settings["pixels"]))
summaries, jacobians = io.load(snakemake.input.summaries), io.load(snakemake.input.jacobians)
distances = jax.jit(cosmology)(Parameters.from_config(p.cosmology)).distances
figure = plotting.power_spectra(
    jacobians.variables["expected"].values,
    summaries.variables["measured"].values,
    np.concatenate([statistic.expected(blank, blank) for statistic in statistics]),
    jacobians.coordinates["bin"],
    plotting.Nyquist(p.particle_nyquist, float(distances.comoving_distance(1 / (1 + np.float64(p.z_source[-1]))))),
    pd.read_csv(snakemake.input.theory) if snakemake.input.get("theory") else None,
)
plotting.save(figure, snakemake.output.figure)
