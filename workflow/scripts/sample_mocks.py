"""Posteriors of maps whose parameters are draws of the prior, by one chain each.

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
    mock_posterior,
    prior_draw,
    sample_field,
)
from lenscast.io.chains import load_field_posterior, load_mock_posteriors, save_mock_posteriors

p, described = snakemake.params, experiment(snakemake)
section = described.field_level
posterior = load_field_posterior(snakemake.input.forecast, p.made_by, described)
targets = field_targets(posterior)
make = jax.jit(lambda z, seed: mock_field(posterior, z, seed))
checkpoint = Path(snakemake.output.mocks).with_suffix(".checkpoint.h5")
settings = {"settings": p.settings, "made_by": p.made_by, "code": p.code, "mocks": p.mocks}
identity = io.fingerprint(settings, [snakemake.input.forecast])
found = load_mock_posteriors(checkpoint) if io.is_checkpoint(checkpoint, identity) else []
seeds = [section.mock_seeds[number] for number in p.mocks]
for seed in progress(seeds[len(found) :], log, "one chain"):
    z = prior_draw(posterior.coordinates, np.asarray(posterior.priors), chain_rng(seed, 1))
    made = make(jnp.asarray(z), seed)
    run = field_run(targets(made.observed), posterior, (seed, 0))
    *_, chain = sample_field(run, begin_field_chain(run), section.draws, section.warmup + section.draws)
    found.append(mock_posterior(run, chain, np.asarray(made.position)))
    save_mock_posteriors(checkpoint, found, posterior.coordinates.names, {"identity": identity})
save_mock_posteriors(snakemake.output.mocks, found, posterior.coordinates.names, provenance(snakemake, seeds))
checkpoint.unlink(missing_ok=True)
