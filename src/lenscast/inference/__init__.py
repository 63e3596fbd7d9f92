"""Posteriors beyond the Gaussian of a Fisher matrix: densities, samplers, chains and their diagnostics.

Samplers know a density by its logarithm and gradient alone. `coordinates` makes parameters nearly a standard normal
distribution. `summary_posterior` is the density given a data vector, `field_posterior` that given a convergence map.

Simulation-based inference needs no density of the data: `simulated_prior` has the parameters of simulations,
`compression` the features of their data, `flow_training` learns the density of the parameters from them, and
`calibration` tests it.
"""

from lenscast.inference.calibration import JOINT, Calibration, band_95, calibration, calibration_table
from lenscast.inference.chain import ChainState, LogDensity, Sampler, chain_rng, run_chain
from lenscast.inference.compression import Compression
from lenscast.inference.coordinates import Coordinates, prior_draw
from lenscast.inference.diagnostics import chain_table
from lenscast.inference.field_chain import Bands, FieldChain, FieldRun, begin_field_chain, field_run, sample_field
from lenscast.inference.field_posterior import (
    FieldPosterior,
    MockField,
    forecast_of_map,
    map_area_deg2,
    mock_data,
    mock_field,
)
from lenscast.inference.field_tables import coverage_table, field_table, recovery_table
from lenscast.inference.field_targets import field_targets
from lenscast.inference.flow_training import Schedule, TrainedFlow, train_flow, validation_boxes
from lenscast.inference.flows import ConditionalFlow, FlowShape, Regression, untrained_flow
from lenscast.inference.hmc import HMC
from lenscast.inference.learnt_posterior import LearntPosterior, learnt_table
from lenscast.inference.linear_limit import FIELDS, linear_limit
from lenscast.inference.mclmc import MCLMC
from lenscast.inference.mock_posteriors import (
    MockPosterior,
    compared_mocks,
    mock_coverage,
    mock_posterior,
    mock_recovery,
)
from lenscast.inference.simulated_boxes import SimulatedBoxes
from lenscast.inference.simulated_prior import SimulatedPrior, design, designed_parameters
from lenscast.inference.summary_chains import SummaryChains, posterior_table, sample_summaries, with_derived_draws
from lenscast.inference.summary_posterior import SummaryPosterior, expected_residual

__all__ = [
    "FIELDS",
    "HMC",
    "JOINT",
    "MCLMC",
    "Bands",
    "Calibration",
    "ChainState",
    "Compression",
    "ConditionalFlow",
    "Coordinates",
    "FieldChain",
    "FieldPosterior",
    "FieldRun",
    "FlowShape",
    "LearntPosterior",
    "LogDensity",
    "MockField",
    "MockPosterior",
    "Regression",
    "Sampler",
    "Schedule",
    "SimulatedBoxes",
    "SimulatedPrior",
    "SummaryChains",
    "SummaryPosterior",
    "TrainedFlow",
    "band_95",
    "begin_field_chain",
    "calibration",
    "calibration_table",
    "chain_rng",
    "chain_table",
    "compared_mocks",
    "coverage_table",
    "design",
    "designed_parameters",
    "expected_residual",
    "field_run",
    "field_table",
    "field_targets",
    "forecast_of_map",
    "learnt_table",
    "linear_limit",
    "map_area_deg2",
    "mock_coverage",
    "mock_data",
    "mock_field",
    "mock_posterior",
    "mock_recovery",
    "posterior_table",
    "prior_draw",
    "recovery_table",
    "run_chain",
    "sample_field",
    "sample_summaries",
    "train_flow",
    "untrained_flow",
    "validation_boxes",
    "with_derived_draws",
]
