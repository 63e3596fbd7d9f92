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
source, field_deg = len(kappa) // 2, snakemake.params.settings["field_deg"]
noisy = kappa[source] + np.asarray(drawn[source])
figure = plotting.maps_and_tangents(kappa[source], noisy, tangents[:, source], names, field_deg, noise.depth)
plotting.save(figure, snakemake.output.figure)
