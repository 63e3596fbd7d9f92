"""Statistics of the maps of a batch, seen through shape noise."""

from _job import progress, provenance, start

log = start(snakemake)

import jax
import jax.numpy as jnp
import numpy as np

from _build import asked, batch, measurement
from lenscast import io
from lenscast.summarise import bin_table, calibrated, summarise

statistics, draws = measurement(snakemake.params.settings), snakemake.params.draws
m = jnp.array(snakemake.params.settings["m"])
measured = jax.jit(lambda k, seed, number: summarise(calibrated(k, m), seed, number, statistics, draws))
maps = io.load(snakemake.input.maps, names=[])
index = maps.coordinates["map"]
coordinates = {"bin": bin_table(statistics)}
origin = provenance(snakemake, asked(maps.provenance), maps.provenance)
with batch(snakemake.output.summaries, coordinates, origin) as file:
    for seed in progress(index["seed"].unique().tolist(), log, f"{len(statistics)} statistics, {draws} noise draws"):
        rows = np.flatnonzero(index["seed"] == seed)
        select = {"map": slice(rows[0], rows[-1] + 1)}
        kappas = io.load(snakemake.input.maps, ["kappa"], select).variables["kappa"].values
        values = [measured(k, seed, r) for k, r in zip(kappas, index["realisation"][rows], strict=True)]
        measured_values, expected_values = (np.stack(column) for column in zip(*values, strict=True))
        file.append(
            seed,
            {
                "measured": io.Variable(measured_values, ("map", "bin"), "see bins", "statistics of the noisy map"),
                "expected": io.Variable(expected_values, ("map", "bin"), "see bins", "their mean over the noise"),
            },
        )
