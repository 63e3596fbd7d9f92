"""Widths and errors of posteriors given data vectors, compared with those given the same maps."""

from _job import experiment, start

log = start(snakemake)

import jax
import jax.numpy as jnp
import numpy as np

from lenscast import io
from lenscast.bins import bin_table
from lenscast.inference import LearntPosterior, SimulatedPrior, compared_mocks, mock_data
from lenscast.io.chains import load_field_posterior, load_mock_posteriors
from lenscast.io.flows import load_compression, load_flow

DRAWS = 4000

p, described = snakemake.params, experiment(snakemake)
posterior = load_field_posterior(snakemake.input.coordinates, p.made_by["field"], described)
field = [each for path in snakemake.input.mocks for each in load_mock_posteriors(path)]
make = jax.jit(lambda z, seed: mock_data(posterior, z, seed))
seeds = described.field_level.mock_seeds
data = [
    make(jnp.asarray(posterior.coordinates.of_parameters(each.truth)), seed)
    for each, seed in zip(field, seeds, strict=True)
]
prior = SimulatedPrior.of(described)
inside = [place for place, each in enumerate(field) if ((prior.low < each.truth) & (each.truth < prior.high)).all()]
by = load_compression(snakemake.input.forecast, p.made_by["forecast"], described.simulation_based.compression)
features = by.features(np.array(data)[inside], bin_table(described)["name"].tolist())
learnt = LearntPosterior(prior, [load_flow(path).flow for path in snakemake.input.flows])
table = compared_mocks(prior.names, [field[place] for place in inside], learnt.draws(features, DRAWS))
io.save_table(snakemake.output.table, table)
log.info(
    "%d maps have parameters outside simulation_based.ranges\n%s",
    len(field) - len(inside),
    table.to_string(index=False),
)
