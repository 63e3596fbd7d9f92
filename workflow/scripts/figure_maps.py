"""A convergence map, as a survey sees it, and its derivatives."""

from _job import start

start(snakemake)

import numpy as np

from _build import shape_noise
from lenscast import io, plotting
from lenscast.simulate import noise_maps

first = io.load(snakemake.input.tangents, select={"map": slice(0, 1)})
kappa, tangents = (first.variables[name].values[0] for name in ("kappa", "tangents"))
index = first.coordinates["map"].iloc[0]
noise = shape_noise(snakemake.params.settings)
drawn = noise_maps(int(index["seed"]), int(index["realisation"]), 0, kappa.shape, noise.rms_maps())
names = list(first.coordinates["param"]["name"])
noisy, field_deg = kappa[0] + np.asarray(drawn[0]), snakemake.params.settings["field_deg"]
figure = plotting.maps_and_tangents(kappa[0], noisy, tangents[:, 0], names, field_deg, noise.depth)
plotting.save(figure, snakemake.output.figure)
