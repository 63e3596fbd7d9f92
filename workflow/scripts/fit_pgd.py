"""Weights of potential gradient descent, fitted to the snapshots of the references."""

from _job import start

log = start(snakemake)

from pathlib import Path

from lenscast import io
from lenscast.corrections.card import card
from lenscast.corrections.pgd_fit import fit_pgd
from lenscast.io.references import load_reference
from lenscast.sections.training import Training

training = Training.model_validate(snakemake.params.settings)
references = {Path(path).stem: load_reference(path) for path in snakemake.input.references}
pgd = fit_pgd(references, training.simulation.integrator)
minimised = "mean of ln(1 + ((P / P_ref - 1) / 0.05)^2) over ln k and snapshots"
io.save_correction(snakemake.output.weights, pgd, card(pgd, references, training, minimised))
for row in zip(pgd.ln_sigma, *pgd.bands, strict=True):
    log.info("ln sigma = %.2f: alpha = %.4g, k_l = %.3g, k_s = %.3g per cell", *row)
