"""Spectra of the maps of a batch, lensing and alignments apart, from the maps and their tangents."""

from _job import progress, provenance, start

log = start(snakemake)

import jax
import numpy as np

from _build import asked, batch, measurement
from lenscast import io
from lenscast.summarise import bin_table
from lenscast.tomography_validation import COMPONENTS, measured_components

p = snakemake.params
spectra = measurement(p.settings)
A_IA = p.A_IA or 1.0  # maps without alignments are given some: they are linear in A_IA
split = jax.jit(lambda k, dk: measured_components(k + (A_IA - p.A_IA) * dk, A_IA * dk, spectra[0]))
maps = io.load(snakemake.input.maps, names=[])
index, param = (maps.coordinates[axis] for axis in ("map", "param"))
row = list(param["name"]).index("A_IA")
coordinates = {"component": {"name": COMPONENTS}, "bin": bin_table(spectra)}
origin = provenance(snakemake, asked(maps.provenance), maps.provenance)
with batch(snakemake.output.spectra, coordinates, origin) as file:
    for seed in progress(index["seed"].unique().tolist(), log, "lensing and alignments"):
        rows = np.flatnonzero(index["seed"] == seed)
        box = io.load(snakemake.input.maps, select={"map": slice(rows[0], rows[-1] + 1)}).variables
        pairs = zip(box["kappa"].values, box["tangents"].values[:, row], strict=True)
        values = np.stack([split(*each) for each in pairs])
        variable = io.Variable(values, ("map", "component", "bin"), "sr", "spectra of noise-free maps")
        file.append(seed, {"spectra": variable})
