"""Spectra of the maps of a batch, lensing and alignments apart, from the maps and their tangents."""

from _job import boxes_of, experiment, provenance, start

log = start(snakemake)

import jax
import numpy as np

from lenscast import io
from lenscast.bins import bin_table
from lenscast.experiment.observation import observation
from lenscast.theory import MeasuredSpectrum
from lenscast.validation.tomography import COMPONENTS, measured_components

p = snakemake.params
described = experiment(snakemake)
measured = MeasuredSpectrum(described.statistics[p.spectrum], observation(described))
A_IA = described.systematics.A_IA
amplitude = A_IA or 1.0  # maps without alignments are given some: they are linear in A_IA
split = jax.jit(lambda k, dk: measured_components(k + (amplitude - A_IA) * dk, amplitude * dk, measured))
maps = io.load(snakemake.input.maps, names=[])
row = list(maps.coordinates["param"]["name"]).index("A_IA")
bins = bin_table(described)
coordinates = {"component": {"name": COMPONENTS}, "bin": bins[bins["statistic"] == p.spectrum]}
origin = provenance(snakemake, io.requested_seeds(maps.provenance), maps.provenance)
with io.batch_writer(snakemake.output.spectra, coordinates, origin) as batch:
    for seed, _, box in boxes_of(snakemake.input.maps, maps, ["kappa", "tangents"], log, [p.spectrum]):
        pairs = zip(box["kappa"].values, box["tangents"].values[:, row], strict=True)
        values = np.stack([split(*each) for each in pairs])
        variable = io.Variable(values, ("map", "component", "bin"), "sr", "spectra of noise-free maps")
        batch.append(seed, {"spectra": variable})
