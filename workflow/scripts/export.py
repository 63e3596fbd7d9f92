"""The forecasts of a run in the formats of other codes."""

from _job import experiment, provenance, start

log = start(snakemake)

from pathlib import Path

from lenscast import exports, io
from lenscast.exports.dataset import Samples

p, described = snakemake.params, experiment(snakemake)
files = zip(snakemake.input.forecasts, snakemake.input.estimators, strict=True)
forecasts = {name: exports.load_forecast_files(*each) for name, each in zip(p.data_vectors, files, strict=True)}
samples = Samples(io.load_summaries(snakemake.input.summaries), io.load_jacobians(snakemake.input.jacobians))
seeds = sorted({*samples.summaries.box, *samples.jacobians.box})
exports.save_dataset(snakemake.output.dataset, samples, forecasts, described, provenance(snakemake, seeds))
exports.save_latex(snakemake.output.latex, forecasts)
for name, forecast in forecasts.items():
    root = Path(snakemake.output.dataset).with_name(name)
    exports.save_getdist(root, forecast, described.fiducial)
    exports.save_cobaya(f"{root}.cobaya.yaml", forecast, f"{root}.covmat")
    for ending, with_priors in (("", False), ("_with_priors", True)):
        exports.save_cosmosis(f"{root}_cosmosis{ending}.txt", forecast, with_priors)
    if p.samples:
        exports.save_samples(root, forecast, described.fiducial, p.samples)
    if p.sacc:
        exports.save_sacc(f"{root}.sacc.fits", forecast, described, samples.summaries.box)
if not p.sacc:
    log.info("no SACC files: sacc is not installed; pip install 'lenscast[export]' brings it")
