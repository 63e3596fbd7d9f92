"""Ranks of the true parameters among the draws of chains of maps whose parameters are draws of the prior.

A job that was killed goes on after the last map whose chain was whole.
"""

from _job import experiment, progress, provenance, start

log = start(snakemake)

from pathlib import Path

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
checkpoint = Path(snakemake.output.ranks).with_suffix(".checkpoint.h5")
settings = {"settings": p.settings, "made_by": p.made_by, "code": p.code, "mocks": p.mocks}
identity = io.fingerprint(settings, [snakemake.input.forecast])
ranks = [*io.load(checkpoint).variables["ranks"].values] if io.is_checkpoint(checkpoint, identity) else []


def save(path, made):
    """Write the ranks so far."""
    text = "share of the draws below the truth"
    variables = {"ranks": io.Variable(np.array(ranks), ("mock", "param"), "1", text)}
    io.save(path, variables, {"param": {"name": names}, "mock": {"seed": seeds[: len(ranks)]}}, made)


seeds = [section.seed + 1 + number for number in p.mocks]  # the first one is that of the map of the other rules
for seed in progress(seeds[len(ranks) :], log, "one chain"):
    z = prior_draw(posterior.coordinates, np.asarray(posterior.priors), chain_rng(seed, 1))
    run = field_run(targets(make(jnp.asarray(z), seed).observed), posterior, (seed, 0))
    *_, chain = sample_field(run, begin_field_chain(run), section.draws, section.warmup + section.draws)
    truth = np.asarray(posterior.coordinates.parameters(jnp.asarray(z)))
    ranks.append((chain.draws < truth).mean(axis=0))
    save(checkpoint, {"identity": identity})
save(snakemake.output.ranks, provenance(snakemake, seeds))
checkpoint.unlink(missing_ok=True)
