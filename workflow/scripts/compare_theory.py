"""Forecast of a power spectrum compared with that from the derivatives of theory."""

from _job import experiment, start

log = start(snakemake)

import numpy as np
import pandas as pd

from lenscast import io
from lenscast.bins import bin_table
from lenscast.fisher.estimators import HEADLINE
from lenscast.fisher.matrices import FisherMatrix
from lenscast.fisher.names import positions
from lenscast.fisher.theory_comparison import compare_with_theory, theory_jacobian
from lenscast.measurement import noise_alone

described = experiment(snakemake)
forecast = io.load(snakemake.input.forecast, [HEADLINE, "covariance", "mean", "scale"])
parameters, variables = forecast.coordinates["param"], forecast.variables
names = tuple(parameters["name"])
simulated = FisherMatrix(names, parameters["fiducial"].to_numpy(), variables[HEADLINE].values)
bins = forecast.coordinates["bin"]
noise = noise_alone(described)[positions(bins["name"], list(bin_table(described)["name"]), "data element")]
jacobian = theory_jacobian(pd.read_csv(snakemake.input.theory), bins, variables["mean"].values - noise, names)
inverse = float(variables["scale"].values) * np.linalg.inv(variables["covariance"].values)
errors, directions = compare_with_theory(simulated, jacobian, inverse, described.priors)
io.save_table(snakemake.output.parameters, errors)
io.save_table(snakemake.output.directions, directions)
log.debug("\n%s\n%s", errors.to_string(index=False), directions.to_string(index=False))
