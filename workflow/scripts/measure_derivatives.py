"""Expected statistics of the maps of a batch and their Jacobian, from the maps' tangents."""

from _job import progress, provenance, start

log = start(snakemake)

import jax
import numpy as np

from _build import asked, batch, measurement
from lenscast import io
from lenscast.config import of_sources
from lenscast.summarise import bin_table, expected_and_jacobian

statistics, draws = measurement(snakemake.params.settings), snakemake.params.draws
quantity = snakemake.params.quantity
derive = jax.jit(lambda *maps: expected_and_jacobian(*maps, statistics, draws, quantity))
maps = io.load(snakemake.input.maps, names=[])
index, shared = (maps.coordinates[axis] for axis in ("map", "param"))
kinds = {
    "delta_z": "shifts",
    "m": "kappa",
}  # of parameters that each source has, and their tangents: d kappa / dm = kappa
kinds = {name: kinds[name] for name in snakemake.params.parameters if name in kinds}
m = snakemake.params.settings["m"]
names = [*shared["name"], *(each for name in kinds for each in of_sources(name, len(m)))]
coordinates = {"param": {"name": names}, "bin": bin_table(statistics)}
origin = provenance(snakemake, asked(maps.provenance), maps.provenance)
with batch(snakemake.output.summaries, coordinates, origin) as file:
    for seed in progress(index["seed"].unique().tolist(), log, f"{len(statistics)} statistics, {draws} noise draws"):
        rows = np.flatnonzero(index["seed"] == seed)
        box = io.load(snakemake.input.maps, select={"map": slice(rows[0], rows[-1] + 1)}).variables
        kappas, tangents = box["kappa"].values, box["tangents"].values
        own = np.stack([box[each].values for each in kinds.values()] or [kappas], axis=1)[:, : len(kinds)]
        numbers = index["realisation"][rows]
        values = [derive(k, t, o, seed, r) for k, t, o, r in zip(kappas, tangents, own, numbers, strict=True)]
        expected, jacobian = (np.stack(column) for column in zip(*values, strict=True))
        unit = "see bins, per unit of the parameter"
        file.append(
            seed,
            {
                "expected": io.Variable(expected, ("map", "bin"), "see bins", "mean statistics over the noise"),
                "jacobian": io.Variable(jacobian, ("map", "param", "bin"), unit, "their derivative"),
            },
        )
