"""Posteriors beyond the Gaussian of a Fisher matrix: densities, samplers, chains and their diagnostics.

Samplers know a density by its logarithm and gradient alone. `coordinates` makes parameters nearly a standard normal
distribution. `summary_posterior` is the density given a data vector, `field_posterior` that given a convergence map.
"""

from lenscast.inference.chain import ChainState, LogDensity, Sampler, chain_rng, run_chain
from lenscast.inference.coordinates import Coordinates, prior_draw
from lenscast.inference.diagnostics import chain_table
from lenscast.inference.field_chain import Bands, FieldChain, FieldRun, begin_field_chain, sample_field
from lenscast.inference.field_posterior import (
    FieldPosterior,
    MockField,
    map_area_deg2,
    mock_field,
)
from lenscast.inference.field_tables import coverage_table, field_table, recovery_table
from lenscast.inference.field_targets import field_targets
from lenscast.inference.hmc import HMC
from lenscast.inference.mclmc import MCLMC
from lenscast.inference.summary_chains import SummaryChains, posterior_table, sample_summaries, with_derived_draws
from lenscast.inference.summary_posterior import SummaryPosterior, expected_residual

__all__ = [
    "HMC",
    "MCLMC",
    "Bands",
    "ChainState",
    "Coordinates",
    "FieldChain",
    "FieldPosterior",
    "FieldRun",
    "LogDensity",
    "MockField",
    "Sampler",
    "SummaryChains",
    "SummaryPosterior",
    "begin_field_chain",
    "chain_rng",
    "chain_table",
    "coverage_table",
    "expected_residual",
    "field_table",
    "field_targets",
    "map_area_deg2",
    "mock_field",
    "posterior_table",
    "prior_draw",
    "recovery_table",
    "run_chain",
    "sample_field",
    "sample_summaries",
    "with_derived_draws",
]
