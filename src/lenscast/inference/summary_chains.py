"""Chains of the posterior of a data vector, and the table that compares them with the Fisher forecast."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float64

from lenscast.fisher.derived import Omega_m
from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference.chain import chain_rng, run_chain
from lenscast.inference.diagnostics import chain_table
from lenscast.inference.hmc import HMC
from lenscast.inference.summary_posterior import SummaryPosterior

__all__ = ["SummaryChains", "posterior_table", "sample_summaries", "with_derived_draws"]

START = 2.0
"""Standard deviation of the coordinates where chains start: wider than the posterior, so that R-hat means something."""


class SummaryChains(NamedTuple):
    """Draws of all chains after their warm-up.

    Attributes
    ----------
    names
        Parameters.
    draws
        Values of the parameters.
    log_density
        Logarithm of the posterior density of the parameters, up to a constant.
    divergent
        Number of trajectories after the warm-up that broke down.
    """

    names: tuple[str, ...]
    draws: Float64[np.ndarray, "chain draw param"]
    log_density: Float64[np.ndarray, "chain draw"]
    divergent: int


def sample_summaries(
    posterior: SummaryPosterior, chains: int, draws: int, warmup: int = 500, seed: int = 0
) -> SummaryChains:
    """Sample the posterior of a data vector by Hamiltonian Monte Carlo.

    Parameters
    ----------
    posterior
        Posterior density.
    chains, draws
        Number of chains, and of draws of each one.
    warmup
        Number of transitions before the first draw, which choose the step size.
    seed
        Seed of all chains.
    """
    compiled = jax.jit(jax.value_and_grad(posterior.log_density))

    def target(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = compiled(z)
        return float(value), np.asarray(gradient)

    sampler, dimensions = HMC(warmup), len(posterior.coordinates.names)
    states = []
    for chain in range(chains):
        start = sampler.start(target, START * chain_rng(seed, chain).standard_normal(dimensions))
        states.append([*run_chain(target, sampler, start, warmup + draws, (seed, chain))][warmup:])
    z = np.array([[state.position for state in each] for each in states])
    coordinates = posterior.coordinates
    of_draw = jax.jit(jax.vmap(lambda each: (coordinates.parameters(each), coordinates.log_jacobian(each))))
    theta, stretch = of_draw(z.reshape(-1, dimensions))
    density = np.array([[state.log_density for state in each] for each in states])
    return SummaryChains(
        coordinates.names,
        np.asarray(theta).reshape(z.shape),
        density - np.asarray(stretch).reshape(density.shape),
        sum(not np.isfinite(state.energy_error) for each in states for state in each),
    )


def with_derived_draws(
    names: Sequence[str], draws: Float64[np.ndarray, "chain draw param"], fiducial: Mapping[str, float]
) -> tuple[tuple[str, ...], Float64[np.ndarray, "chain draw quantity"]]:
    """Draws of the parameters, and of Omega_m and S8 where they vary.

    Parameters
    ----------
    names
        Parameters.
    draws
        Their draws.
    fiducial
        Values of the parameters that do not vary, and possibly of others.

    Returns
    -------
    Names of the parameters and of the derived ones, and the draws of all.
    """
    values = {**fiducial, **dict(zip(names, np.moveaxis(draws, -1, 0), strict=True))}
    densities, derived = Omega_m(fiducial).gradient.keys() & values.keys(), {}
    matter = sum(values[name] for name in densities)
    if densities & {*names}:
        derived["Omega_m"] = matter
    if "sigma8" in names and derived:
        derived["S8"] = values["sigma8"] * np.sqrt(matter / 0.3)
    every = np.concatenate([draws, *(each[..., None] for each in derived.values())], axis=-1)
    return (*names, *derived), every


def posterior_table(
    chains: SummaryChains, forecast: ParameterCovariance, fiducial: Mapping[str, float]
) -> pd.DataFrame:
    """Means and widths of a posterior, compared with the errors of the Fisher forecast.

    Parameters
    ----------
    chains
        Draws of the posterior.
    forecast
        Gaussian posterior of the same parameters, followed by derived ones.
    fiducial
        Value of each parameter, varied or not.

    Returns
    -------
    Table of `diagnostics.chain_table` with ``fiducial`` as second column, and in the end ``sigma_fisher``, the error of
    the forecast with priors, and ``sigma_to_fisher``, the ratio of the widths.
    """
    names, draws = with_derived_draws(chains.names, chains.draws, fiducial)
    table = chain_table(draws, names)
    expected = forecast.select(names)
    table.insert(1, "fiducial", expected.fiducial)
    return table.assign(
        sigma_fisher=expected.marginal_errors, sigma_to_fisher=table["sigma"] / expected.marginal_errors
    )
