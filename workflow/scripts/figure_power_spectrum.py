"""Convergence power spectra beside theory."""

from _job import start

start(snakemake)

import jax
import numpy as np
import pandas as pd

from _build import noise_alone
from lenscast import io, plotting
from lenscast.cosmology import Parameters, cosmology

p = snakemake.params
summaries, jacobians = io.load(snakemake.input.summaries), io.load(snakemake.input.jacobians)
distances = jax.jit(cosmology)(Parameters.from_config(p.cosmology)).distances
figure = plotting.power_spectra(
    jacobians.variables["expected"].values,
    summaries.variables["measured"].values,
    noise_alone(p.settings),
    jacobians.coordinates["bin"],
    plotting.Nyquist(p.particle_nyquist, float(distances.comoving_distance(1 / (1 + np.float64(p.z_source[-1]))))),
    pd.read_csv(snakemake.input.theory) if snakemake.input.get("theory") else None,
)
plotting.save(figure, snakemake.output.figure)
