"""Weights of a neural correction of the force; a training that was killed goes on from its last epoch."""

from _job import start

log = start(snakemake)

import time
from pathlib import Path

import pandas as pd

import _build as build
import _training as training
from lenscast import io
from lenscast.gravity.training import initial_state, train

p, files = snakemake.params, snakemake.input.references
names = [Path(path).stem for path in files]
references = {
    name: build.reference(path, p.settings["references"][name]["weight"])
    for name, path in zip(names, files, strict=True)
}
how = training.how(p.settings)
checkpoint = Path(snakemake.output.weights).with_name("checkpoint.h5")
identity = training.fingerprint(p.settings, p.code, files)
begun = training.resumed(checkpoint, initial_state(training.network(p.settings), references, how), identity)
state, before, begin = begun, len(begun.history), time.monotonic()
if before:
    log.info("going on after epoch %d", before)
for state in train(begun, references, how):
    training.keep(checkpoint, state, identity)
    done, spent = len(state.history), time.monotonic() - begin
    left = spent / (done - before) * (how.epochs - done)
    losses = ", ".join(f"{name} {value:.4g}" for name, value in zip(references, state.history[-1], strict=True))
    log.info("epoch %d of %d: loss %s; %.0f s spent, %.0f s left", done, how.epochs, losses, spent, left)
history = pd.DataFrame(state.history, columns=list(references)).assign(epoch=range(1, how.epochs + 1))
io.save_table(snakemake.output.history, history.melt("epoch", var_name="reference", value_name="loss"))
minimised = {key: p.settings[key] for key in ("loss", "epochs", "learning_rate", "seed")}
io.save_correction(
    snakemake.output.weights, state.correction, training.card(state.correction, references, p.settings, minimised)
)
checkpoint.unlink(missing_ok=True)
