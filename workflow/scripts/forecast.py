"""Fisher matrices, errors and convergence of one data vector."""

from _job import provenance, start

log = start(snakemake)

import numpy as np
import pandas as pd

from _build import require_made_by, shape_noise
from lenscast import io
from lenscast.forecast.convergence import convergence_curve, direction_table
from lenscast.forecast.covariance import sample_covariance
from lenscast.forecast.derivatives import DerivativeSample
from lenscast.forecast.estimators import fisher_estimate
from lenscast.forecast.fisher import S8
from lenscast.forecast.tables import fisher_table
from lenscast.statistics.registry import analysis_region

p = snakemake.params
summaries, jacobians = io.load(snakemake.input.summaries), io.load(snakemake.input.jacobians)
require_made_by(p.made_by, snakemake.input.summaries, summaries)
require_made_by(p.made_by, snakemake.input.jacobians, jacobians)
bins, box = summaries.coordinates["bin"], summaries.coordinates["map"]["seed"].to_numpy()
chosen = bins["statistic"].isin(p.statistics).to_numpy()
data = tuple(bins["name"][chosen])
covariance = sample_covariance(summaries.variables["measured"].values[:, chosen], box, data)
derivatives = DerivativeSample(
    parameters=tuple(jacobians.coordinates["param"]["name"]),
    data=tuple(jacobians.coordinates["bin"]["name"]),
    box=jacobians.coordinates["box"]["seed"].to_numpy(),
    jacobian=jacobians.variables["jacobian"].values,
).select(p.parameters, data)
fiducial = {name: p.fiducial[name] for name in p.parameters}
region = analysis_region(p.region["statistics"], p.region["pixels"], p.region["field_deg"])
area_ratio = p.area_deg2 / shape_noise(p.region).area_deg2(region)
estimate = fisher_estimate(derivatives, covariance, p.fiducial, area_ratio)
derived = [S8(p.fiducial)] if "sigma8" in p.parameters and "Omega_c" in p.parameters else []
table = fisher_table(estimate, p.priors, derived)
if p.systematics:
    priors = {name: width for name, width in p.priors.items() if name not in p.systematics}
    fixed = fisher_table(estimate.fixing(p.systematics), priors, derived, systematics="fixed")
    table = pd.concat([table, fixed], ignore_index=True)
io.save_table(snakemake.output.parameters, table)
io.save_table(snakemake.output.directions, direction_table(estimate))
io.save_table(
    snakemake.output.convergence, convergence_curve(derivatives, covariance, p.fiducial, area_ratio, p.priors)
)
matrices = {
    "standard": (estimate.standard.matrix, "param", "Fisher matrix, standard estimator"),
    "cross": (estimate.cross.matrix, "param", "Fisher matrix, cross-realisation estimator"),
    "bias": (estimate.bias, "param", "noise bias of the standard estimator"),
    "priors": (np.diag([p.priors.get(n, np.inf) ** -2.0 for n in p.parameters]), "param", "information of the priors"),
    "covariance": (covariance.matrix, "bin", "covariance of the data of one field"),
    "correlation": (covariance.correlation, "bin", "correlation matrix of the data"),
}
variables = {n: io.Variable(m, (axis, axis), "see axes", text) for n, (m, axis, text) in matrices.items()}
variables["mean"] = io.Variable(covariance.mean, ("bin",), "see bins", "mean data vector")
coordinates = {"param": {"name": list(fiducial), "fiducial": list(fiducial.values())}, "bin": bins[chosen]}
seeds = sorted({*box, *derivatives.box})
io.save(snakemake.output.forecast, variables, coordinates, provenance(snakemake, seeds))
columns = ["parameter", "systematics", "estimator", "with_priors", "sigma", "bias_share", "verdict"]
log.info("\n%s", table[columns].to_string(index=False))
