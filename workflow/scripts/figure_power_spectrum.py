"""Convergence power spectra beside theory."""

from _job import start

start(snakemake)

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import _build as build
from lenscast import io, plotting
from lenscast.cosmology import Parameters, cosmology

p = snakemake.params
summaries, jacobians = io.load(snakemake.input.summaries), io.load(snakemake.input.jacobians)
z = build.sources(p.sources).mean
distances = jax.jit(cosmology)(Parameters.from_config(p.cosmology)).distances
figure = plotting.power_spectra(
    jacobians.variables["expected"].values,
    summaries.variables["measured"].values,
    build.noise_alone(p.settings),
    jacobians.coordinates["bin"],
    plotting.Nyquist(p.particle_nyquist, np.asarray(distances.comoving_distance(jnp.asarray(1 / (1 + z))))),
    pd.read_csv(snakemake.input.theory) if snakemake.input.get("theory") else None,
)
plotting.save(figure, snakemake.output.figure)
