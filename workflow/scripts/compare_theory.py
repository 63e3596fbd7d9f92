"""Forecast of a power spectrum beside the one with the derivatives of theory."""

from _job import experiment, start

log = start(snakemake)

import numpy as np
import pandas as pd

from lenscast import io
from lenscast.fisher.estimators import HEADLINE
from lenscast.fisher.matrices import FisherMatrix
from lenscast.fisher.theory_comparison import compare_with_theory, theory_jacobian

forecast = io.load(snakemake.input.forecast, [HEADLINE, "covariance", "scale"])
parameters, variables = forecast.coordinates["param"], forecast.variables
names = tuple(parameters["name"])
simulated = FisherMatrix(names, parameters["fiducial"].to_numpy(), variables[HEADLINE].values)
jacobian = theory_jacobian(pd.read_csv(snakemake.input.theory), forecast.coordinates["bin"], names)
inverse = float(variables["scale"].values) * np.linalg.inv(variables["covariance"].values)
errors, directions = compare_with_theory(simulated, jacobian, inverse, experiment(snakemake).priors)
io.save_table(snakemake.output.parameters, errors)
io.save_table(snakemake.output.directions, directions)
log.info("\n%s\n%s", errors.to_string(index=False), directions.to_string(index=False))
