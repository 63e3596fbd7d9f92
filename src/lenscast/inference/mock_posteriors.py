"""Posteriors of maps whose truth is known: whether the field level holds it as often as it says, and what it gains."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from lenscast.inference.field_chain import Bands, FieldChain, FieldRun, shared_power
from lenscast.inference.field_tables import coverage_table

__all__ = ["MockPosterior", "compared_mocks", "mock_coverage", "mock_posterior", "mock_recovery"]


class MockPosterior(NamedTuple):
    """What a chain says of a map, and the truth.

    Attributes
    ----------
    truth
        True parameters.
    mean, sigma
        Mean and standard deviation of the draws of the parameters.
    rank
        Share of the draws below the truth.
    known
        1 minus the variance of the modes of the white noise over the draws, by band.
    cross_power
        Power of the mean white noise with the true one, by band.
    """

    truth: Float64[np.ndarray, " param"]
    mean: Float64[np.ndarray, " param"]
    sigma: Float64[np.ndarray, " param"]
    rank: Float64[np.ndarray, " param"]
    known: Float64[np.ndarray, " band"]
    cross_power: Float64[np.ndarray, " band"]


def mock_posterior(run: FieldRun, chain: FieldChain, position: Float64[np.ndarray, " dim"]) -> MockPosterior:
    """What a chain says of a map whose truth is known.

    Parameters
    ----------
    run
        What the draws followed from.
    chain
        Chain with draws.
    position
        White noise and coordinates of the parameters that made the map (`MockField.position`).
    """
    modes, draws = run.posterior.modes, chain.draws
    truth = np.asarray(run.posterior.coordinates.parameters(jnp.asarray(position[modes:])))
    noise = position[:modes].reshape(chain.mean.shape)
    known = 1 - (chain.band_power.mean(axis=0) - shared_power([chain], run.bands))
    rank = np.mean(draws < truth, axis=0)
    cross_power = run.bands.cross_power(chain.mean, noise)
    return MockPosterior(truth, draws.mean(axis=0), draws.std(axis=0), rank, known, cross_power)


def mock_coverage(names: Sequence[str], mocks: Sequence[MockPosterior]) -> pd.DataFrame:
    """Whether the posteriors of the parameters hold the truth as often as they say.

    Parameters
    ----------
    names
        Parameters.
    mocks
        Posteriors of maps whose truths are draws of the prior.

    Returns
    -------
    Table of `field_tables.coverage_table` with the columns ``sigma``, the rms width of the posteriors, and ``error``,
    the rms distance of their means from the truth: the two agree where posteriors are right.
    """
    table = coverage_table(dict(zip(names, np.array([each.rank for each in mocks]).T, strict=True)))
    table["sigma"] = np.mean([each.sigma**2 for each in mocks], axis=0) ** 0.5
    table["error"] = np.mean([(each.mean - each.truth) ** 2 for each in mocks], axis=0) ** 0.5
    return table


def mock_recovery(bands: Bands, mocks: Sequence[MockPosterior], linear: Float64[np.ndarray, " band"]) -> pd.DataFrame:
    """Whether the posteriors of the initial field know what they say.

    Parameters
    ----------
    bands
        Bands of wavenumber.
    mocks
        Posteriors of maps whose truths are draws of the prior.
    linear
        Share of the field that a map knows in the linear limit (`linear_limit`).

    Returns
    -------
    One row per band with the columns ``k_low`` and ``k_high`` [h/Mpc]; ``known`` and ``cross_power``, the means over
    maps of what `recovery_table` has for one, which agree where posteriors are right; ``scatter``, the standard
    deviation of the mean of their difference; and ``linear``.
    """
    known, cross_power = (np.array([getattr(each, name) for each in mocks]) for name in ("known", "cross_power"))
    return pd.DataFrame(
        {
            "k_low": bands.edges[:-1],
            "k_high": bands.edges[1:],
            "known": known.mean(axis=0),
            "cross_power": cross_power.mean(axis=0),
            "scatter": (known - cross_power).std(axis=0, ddof=1) / len(mocks) ** 0.5,
            "linear": linear,
        }
    )


def compared_mocks(
    names: Sequence[str], field: Sequence[MockPosterior], draws: Float64[np.ndarray, "mock draw param"]
) -> pd.DataFrame:
    """Widths and errors of posteriors given data vectors, compared with those given the same maps.

    Parameters
    ----------
    names
        Parameters.
    field
        Posteriors given the maps.
    draws
        Draws of the posteriors given the data vectors of the same maps, with the same prior.

    Returns
    -------
    One row per parameter with the columns

    - ``parameter`` and ``mocks``;
    - ``sigma_field`` and ``sigma_data``, the rms widths; ``ratio``, the second over the first, at least 1 but for its
      ``scatter`` where both are right: a data vector knows nothing that the map does not (the variance of the one
      posterior is, in the mean over maps, that of the other and that of its mean);
    - ``smallest_ratio``, that of one map, which may be below 1;
    - ``error_field`` and ``error_data``, the rms distances of the means from the truth;
    - ``ks_p_data``, as in `coverage_table`, for the posteriors given the data vectors.
    """
    truth, of_field, mean = (np.array([getattr(each, name) for each in field]) for name in ("truth", "sigma", "mean"))
    of_data = draws.std(axis=1)
    ratio = np.sqrt(np.mean(of_data**2, axis=0) / np.mean(of_field**2, axis=0))
    maps = len(field)
    # the jackknife: the ratio without each map
    without = np.sqrt((np.sum(of_data**2, axis=0) - of_data**2) / (np.sum(of_field**2, axis=0) - of_field**2))
    ranks = np.mean(draws < truth[:, None], axis=1)
    return pd.DataFrame(
        {
            "parameter": list(names),
            "mocks": maps,
            "sigma_field": np.mean(of_field**2, axis=0) ** 0.5,
            "sigma_data": np.mean(of_data**2, axis=0) ** 0.5,
            "ratio": ratio,
            "scatter": without.std(axis=0) * (maps - 1) ** 0.5,
            "smallest_ratio": np.min(of_data / of_field, axis=0),
            "error_field": np.mean((mean - truth) ** 2, axis=0) ** 0.5,
            "error_data": np.mean((draws.mean(axis=1) - truth) ** 2, axis=0) ** 0.5,
            "ks_p_data": [float(stats.kstest(each, "uniform").pvalue) for each in ranks.T],
        }
    )
