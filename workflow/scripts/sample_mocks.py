"""Ranks of the true parameters among the draws of chains of maps whose parameters are draws of the prior."""

from _job import experiment, progress, provenance, start

log = start(snakemake)

import jax
import jax.numpy as jnp
import numpy as np

from lenscast import io
from lenscast.inference import (
    begin_field_chain,
    chain_rng,
    field_run,
    field_targets,
    mock_field,
    prior_draw,
    sample_field,
)
from lenscast.io.chains import load_field_posterior

p, described = snakemake.params, experiment(snakemake)
section = described.field_level
posterior = load_field_posterior(snakemake.input.forecast, p.made_by, described)
targets = field_targets(posterior)
make, names = jax.jit(lambda z, seed: mock_field(posterior, z, seed)), list(posterior.coordinates.names)
ranks = []
for number in progress(p.mocks, log, "one chain"):
    seed = section.seed + 1 + number  # the first one is that of the map of the other rules
    z = prior_draw(posterior.coordinates, np.asarray(posterior.priors), chain_rng(seed, 1))
    run = field_run(targets(make(jnp.asarray(z), seed).observed), posterior, (seed, 0))
    *_, chain = sample_field(run, begin_field_chain(run), section.draws, section.warmup + section.draws)
    truth = np.asarray(posterior.coordinates.parameters(jnp.asarray(z)))
    ranks.append((chain.draws < truth).mean(axis=0))
variables = {"ranks": io.Variable(np.array(ranks), ("mock", "param"), "1", "share of the draws below the truth")}
axes = {"param": {"name": names}, "mock": {"seed": [section.seed + 1 + number for number in p.mocks]}}
io.save(snakemake.output.ranks, variables, axes, provenance(snakemake, axes["mock"]["seed"]))
