"""Weights of a neural correction of the force; a training that was killed goes on from its last epoch."""

from _job import start

log = start(snakemake)

import time
from pathlib import Path

import pandas as pd

from lenscast import io
from lenscast.corrections.card import card
from lenscast.corrections.training import initial_state, train, untrained
from lenscast.io.references import load_reference
from lenscast.sections.training import Training

p, files = snakemake.params, snakemake.input.references
training = Training.model_validate(p.settings)
references = {Path(path).stem: load_reference(path, training.references[Path(path).stem].weight) for path in files}
checkpoint = Path(snakemake.output.weights).with_name("checkpoint.h5")
identity = io.fingerprint({"settings": p.settings, "code": p.code}, files)
begun = io.load_state(checkpoint, initial_state(untrained(training), references, training), identity)
state, before, begin = begun, len(begun.history), time.monotonic()
if before:
    log.info("going on after epoch %d", before)
for state in train(begun, references, training):
    io.save_state(checkpoint, state, identity)
    done, spent = len(state.history), time.monotonic() - begin
    left = spent / (done - before) * (training.epochs - done)
    losses = ", ".join(f"{name} {value:.4g}" for name, value in zip(references, state.history[-1], strict=True))
    log.info("epoch %d of %d: loss %s; %.0f s spent, %.0f s left", done, training.epochs, losses, spent, left)
history = pd.DataFrame(state.history, columns=list(references)).assign(epoch=range(1, training.epochs + 1))
io.save_table(snakemake.output.history, history.melt("epoch", var_name="reference", value_name="loss"))
minimised = {key: p.settings[key] for key in ("loss", "epochs", "learning_rate", "seed")}
io.save_correction(snakemake.output.weights, state.correction, card(state.correction, references, training, minimised))
checkpoint.unlink(missing_ok=True)
