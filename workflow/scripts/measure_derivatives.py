"""Expected statistics of the maps of a batch and their Jacobian, from the maps' tangents."""

from _job import progress, provenance, start

log = start(snakemake)

import jax
import numpy as np

from _build import measurement
from lenscast import io
from lenscast.summarise import bin_table, expected_and_jacobian

statistics, draws = measurement(snakemake.params.settings), snakemake.params.draws
quantity = snakemake.params.quantity
derive = jax.jit(lambda k, t, seed, number: expected_and_jacobian(k, t, seed, number, statistics, draws, quantity))
index, param = (io.load(snakemake.input.maps, names=[]).coordinates[axis] for axis in ("map", "param"))
coordinates = {"map": index, "param": param, "bin": bin_table(statistics)}
seeds = sorted(set(index["seed"]))
with io.writer(snakemake.output.summaries, coordinates, provenance(snakemake, seeds)) as file:
    for seed in progress(seeds, log, f"{len(statistics)} statistics, {draws} noise draws"):
        rows = np.flatnonzero(index["seed"] == seed)
        maps = io.load(snakemake.input.maps, select={"map": slice(rows[0], rows[-1] + 1)}).variables
        kappas, tangents = maps["kappa"].values, maps["tangents"].values
        numbers = index["realisation"][rows]
        values = [derive(k, t, seed, r) for k, t, r in zip(kappas, tangents, numbers, strict=True)]
        expected, jacobian = (np.stack(column) for column in zip(*values, strict=True))
        unit = "see bins, per unit of the parameter"
        file.append(
            {
                "expected": io.Variable(expected, ("map", "bin"), "see bins", "mean statistics over the noise"),
                "jacobian": io.Variable(jacobian, ("map", "param", "bin"), unit, "their derivative"),
            }
        )
