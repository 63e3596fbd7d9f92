"""One chain of the field level; a chain that was killed goes on from its last checkpoint, with the same draws."""

from _job import experiment, provenance, start

log = start(snakemake)

import time
from pathlib import Path

import jax
import jax.numpy as jnp

from lenscast import io
from lenscast.inference import begin_field_chain, field_run, field_targets, mock_field, sample_field
from lenscast.io.chains import load_field_chain, load_field_posterior, save_field_chain

EVERY = 25  # transitions between checkpoints

p, described, number = snakemake.params, experiment(snakemake), int(snakemake.wildcards.chain)
section = described.field_level
posterior = load_field_posterior(snakemake.input.forecast, p.made_by, described)
mock = jax.jit(lambda z: mock_field(posterior, z, section.seed))(jnp.zeros(len(posterior.coordinates.names)))
run = field_run(field_targets(posterior)(mock.observed), posterior, (section.seed, number))
checkpoint = Path(snakemake.output.chain).with_suffix(".checkpoint.h5")
settings = {"settings": p.settings, "made_by": p.made_by, "code": p.code, "chain": number}
identity = io.fingerprint(settings, [snakemake.input.forecast])
if io.is_checkpoint(checkpoint, identity):
    begun = load_field_chain(checkpoint)
    log.info("going on after transition %d", begun.state.number)
else:
    begun = begin_field_chain(run)
chain, begin, total = begun, time.monotonic(), section.warmup + section.draws
for chain in sample_field(run, begun, section.draws, EVERY):
    save_field_chain(checkpoint, chain, run, {"identity": identity})
    done, spent = chain.state.number, time.monotonic() - begin
    left = spent / (done - begun.state.number) * (total - done)
    log.info("transition %d of %d, %.0f s spent, %.0f s left", done, total, spent, left)
save_field_chain(snakemake.output.chain, chain, run, provenance(snakemake, [section.seed]))
checkpoint.unlink(missing_ok=True)
