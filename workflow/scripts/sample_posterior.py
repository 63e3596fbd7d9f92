"""Chains of the posterior of a data vector, with the likelihood of a covariance from simulations."""

from _job import experiment, provenance, start

log = start(snakemake)

from lenscast import exports, inference, io
from lenscast.fisher.derived import Omega_m, derived_parameters
from lenscast.io.chains import save_summary_chains

p, described = snakemake.params, experiment(snakemake)
contents = io.load(snakemake.input.forecast, [])
io.require_made_by(p.made_by, snakemake.input.forecast, contents)
forecast = exports.load_forecast_files(snakemake.input.forecast, snakemake.input.estimators)
simulations, hartlap = (float(forecast.constant(column)) for column in ("n_effective", "hartlap"))
posterior = inference.SummaryPosterior(
    inference.Coordinates.of_posterior(forecast.posterior),
    forecast.headline / hartlap,
    forecast.priors,
    simulations,
    inference.expected_residual(simulations, len(forecast.bins), len(forecast.names)),
)
chains = inference.sample_summaries(posterior, p.chains, p.draws)
derived = [Omega_m(described.fiducial), *derived_parameters(forecast.names, described.fiducial)]
table = inference.posterior_table(chains, forecast.posterior.with_derived(derived), described.fiducial)
origin = provenance(snakemake, io.requested_seeds(contents.provenance))
save_summary_chains(snakemake.output.chains, chains, described.fiducial, origin)
io.save_table(snakemake.output.table, table)
if chains.divergent or (table["verdict"] != "converged").any():
    log.warning("%d trajectories broke down; chains have not converged for all parameters", chains.divergent)
log.info("\n%s", table.to_string(index=False))
