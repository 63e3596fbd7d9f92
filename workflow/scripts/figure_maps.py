"""A convergence map, as a survey sees it, and its derivatives."""

from _job import start

start(snakemake)

import numpy as np

from lenscast import io, plotting
from lenscast.simulate import noise_maps

first = io.load(snakemake.input.tangents, select={"map": slice(0, 1)})
kappa, tangents = (first.variables[name].values[0] for name in ("kappa", "tangents"))
index = first.coordinates["map"].iloc[0]
noise = noise_maps(int(index["seed"]), int(index["realisation"]), 0, kappa.shape, snakemake.params.sigma_pixel)
names = list(first.coordinates["param"]["name"])
noisy = kappa[0] + np.asarray(noise[0])
figure = plotting.maps_and_tangents(kappa[0], noisy, tangents[:, 0], names, snakemake.params.field_deg)
plotting.save(figure, snakemake.output.figure)
