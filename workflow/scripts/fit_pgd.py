"""Weights of potential gradient descent, fitted to the snapshots of the references."""

from _job import start

log = start(snakemake)

from pathlib import Path

import _build as build
import _training as training
from lenscast import io
from lenscast.gravity import integrator_of
from lenscast.gravity.pgd_fit import fit_pgd

settings = snakemake.params.settings
references = {Path(path).stem: build.reference(path) for path in snakemake.input.references}
pgd = fit_pgd(references, integrator_of(**settings["simulation"]["integrator"]))
card = training.card(pgd, references, settings, "mean of ln(1 + ((P / P_ref - 1) / 0.05)^2) over ln k and snapshots")
io.save_correction(snakemake.output.weights, pgd, card)
for row in zip(pgd.ln_sigma, *pgd.bands, strict=True):
    log.info("ln sigma = %.2f: alpha = %.4g, k_l = %.3g, k_s = %.3g per cell", *row)
