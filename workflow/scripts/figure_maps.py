"""A convergence map, as a survey sees it, and its derivatives."""

from _job import start

start(snakemake)

import numpy as np

from lenscast import io, plotting
from lenscast.lensing import shape_noise_rms
from lenscast.simulate import noise_maps

p = snakemake.params
first = io.load(snakemake.input.tangents, select={"map": slice(0, 1)})
kappa, tangents = (first.variables[name].values[0] for name in ("kappa", "tangents"))
index = first.coordinates["map"].iloc[0]
rms = shape_noise_rms(p.sigma_e, p.n_gal, 60 * p.field_deg / kappa.shape[-1])
noise = noise_maps(int(index["seed"]), int(index["realisation"]), 0, kappa.shape, rms)
names = list(first.coordinates["param"]["name"])
noisy = kappa[0] + np.asarray(noise[0])
figure = plotting.maps_and_tangents(kappa[0], noisy, tangents[:, 0], names, p.field_deg)
plotting.save(figure, snakemake.output.figure)
