"""One chain of the field level; a chain that was killed goes on from its last checkpoint, with the same draws."""

from _job import experiment, provenance, start

log = start(snakemake)

import time
from pathlib import Path

import jax
import jax.numpy as jnp

import _field as build
from lenscast import io
from lenscast.inference import FieldRun, begin_field_chain, field_targets, mock_field, sample_field

EVERY = 25  # transitions between checkpoints

p, described, number = snakemake.params, experiment(snakemake), int(snakemake.wildcards.chain)
section = described.field_level
posterior = build.posterior(snakemake.input.forecast, p.made_by, described)
bands = build.bands(described)
mock = jax.jit(lambda z: mock_field(posterior, z, section.seed))(jnp.zeros(len(posterior.coordinates.names)))
target = field_targets(posterior)(mock.observed)
run = FieldRun(target, build.sampler(described), posterior, bands, (section.seed, number))
axes, checkpoint = build.axes(posterior, bands), Path(snakemake.output.chain).with_suffix(".checkpoint.h5")
settings = {"settings": p.settings, "made_by": p.made_by, "code": p.code, "chain": number}
identity = build.fingerprint(settings, snakemake.input.forecast)
begun = build.resumed(checkpoint, identity)
if begun is None:
    begun = begin_field_chain(run)
else:
    log.info("going on after transition %d", begun.state.number)
chain, begin, total = begun, time.monotonic(), section.warmup + section.draws
for chain in sample_field(run, begun, section.draws, EVERY):
    io.save_field_chain(checkpoint, chain, axes, {"identity": identity})
    done, spent = chain.state.number, time.monotonic() - begin
    left = spent / (done - begun.state.number) * (total - done)
    log.info("transition %d of %d, %.0f s spent, %.0f s left", done, total, spent, left)
io.save_field_chain(snakemake.output.chain, chain, axes, provenance(snakemake, [section.seed]))
checkpoint.unlink(missing_ok=True)
