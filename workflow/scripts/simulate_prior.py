"""Data vectors of the noisy maps of a batch of boxes, each with parameters of its own; maps are not kept."""

from _job import experiment, progress, provenance, start

log = start(snakemake)

from functools import partial

import jax
import jax.numpy as jnp

from lenscast import io
from lenscast.batches import each_box
from lenscast.bins import bin_table
from lenscast.halo import beyond_halo
from lenscast.inference import designed_parameters
from lenscast.inference.simulated_data import simulated_data
from lenscast.pipeline import fiducial

described, seeds = experiment(snakemake), snakemake.params.seeds
section, correction = described.simulation_based, io.correction_of(described.simulation)
names, values = list(described.parameters), designed_parameters(described, seeds)
each = [fiducial(described, described.fiducial | dict(zip(names, row.tolist(), strict=True))) for row in values]
thetas = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf, float) for leaf in leaves]), *each)
boxes = each_box(
    # by number: one compiled program serves the parameters of all boxes
    lambda number, seeds, thetas: simulated_data(
        seeds[number],
        jax.tree.map(lambda leaf: leaf[number], thetas),
        described,
        correction,
        section.noise_realisations,
    ),
    range(len(seeds)),
    jnp.asarray(seeds),
    thetas,
    devices=described.distribution.devices,
)
coordinates = {
    "param": {"name": names, "fiducial": [described.fiducial[name] for name in names]},
    "bin": bin_table(described),
}
with io.batch_writer(snakemake.output.data, coordinates, provenance(snakemake, seeds)) as batch:
    for number, (seed, data) in enumerate(zip(progress(seeds, log, ", ".join(names)), boxes, strict=True)):
        axes = ("box", "view", "draw", "bin")
        batch.append(
            seed,
            {
                "theta": io.Variable(values[number][None], ("box", "param"), "see param", "parameters of the box"),
                "data": io.Variable(data[None], axes, "see bins", "statistics of its noisy maps"),
            },
            partial(beyond_halo, seed, each[number].cosmology, described),
        )
