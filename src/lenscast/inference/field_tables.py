"""Tables of the field level: convergence of chains, the recovered field by scale, and coverage over mocks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference.diagnostics import chain_table
from lenscast.inference.field_chain import Bands, FieldChain, shared_power

__all__ = ["coverage_table", "field_table", "recovery_table"]


def field_table(
    chains: Sequence[FieldChain],
    names: Sequence[str],
    bands: Bands,
    forecasts: Mapping[str, ParameterCovariance] | None = None,
) -> pd.DataFrame:
    """Convergence of the parameters and of the power of the white noise in each band.

    Parameters
    ----------
    chains
        Chains with as many draws each.
    names
        Parameters.
    bands
        Bands of wavenumber.
    forecasts
        Gaussian posteriors of the same parameters given summaries of the map, by data vector.

    Returns
    -------
    Table of `diagnostics.chain_table`; bands are named ``k low..high`` [h/Mpc]. ``energy_error`` is the rms of the
    energy error of transitions that did not break down, ``broke_down`` the number of those that did, and
    ``gradients_per_sample`` the number of gradients, of the warm-up too, over effective samples in the bulk. Each
    forecast adds ``sigma_<data vector>``, its errors, and ``sigma_to_<data vector>``, the ratio of the widths.

    Raises
    ------
    ValueError
        As `chain_table`, or if chains have different numbers of draws.
    """
    if len(lengths := {len(each.draws) for each in chains}) > 1:
        raise ValueError(f"chains of {sorted(lengths)} draws: finish them with the same field_level.draws")
    draws = np.array([np.concatenate([each.draws, each.band_power], axis=1) for each in chains])
    of_bands = [f"k {low:.3g}..{high:.3g}" for low, high in zip(bands.edges[:-1], bands.edges[1:], strict=True)]
    table = chain_table(draws, [*names, *of_bands])
    errors = np.concatenate([each.energy_error for each in chains])
    is_finite = np.isfinite(errors)
    for name, each in (forecasts or {}).items():
        sigma = table["parameter"].map(dict(zip(each.names, each.marginal_errors, strict=True)))
        table = table.assign(**{f"sigma_{name}": sigma, f"sigma_to_{name}": table["sigma"] / sigma})
    return table.assign(
        energy_error=np.mean(errors[is_finite] ** 2) ** 0.5,
        broke_down=int((~is_finite).sum()),
        gradients_per_sample=sum(each.state.gradients for each in chains) / table["ess_bulk"],
    )


def recovery_table(
    chains: Sequence[FieldChain],
    truth: Float[np.ndarray, "x y z"],
    bands: Bands,
    linear: Float[np.ndarray, " band"],
) -> pd.DataFrame:
    """How much of the initial field the map knows, by scale.

    Parameters
    ----------
    chains
        Chains with as many draws each.
    truth
        White noise of the box that the map shows.
    bands
        Bands of wavenumber.
    linear
        Share of the field that a map knows in the linear limit (`linear_limit`).

    Returns
    -------
    One row per band with the columns

    - ``k_low`` and ``k_high``, its edges [h/Mpc];
    - ``known``, 1 minus the variance of a mode over the draws: the share of its prior variance that the map removes;
    - ``mean_power``, the power of the mean field (`shared_power`), and ``cross_power``, that with the truth;
    - ``correlation``, the correlation coefficient of the mean field with the truth;
    - ``linear``, the share that a Wiener filter finds in the linear limit.

    Where the posterior is right, the first three agree but for the scatter of one box: the mean over draws is then the
    mean of the posterior, for which <mean truth> = <mean^2> = 1 - variance.
    """
    mean = np.mean([each.mean for each in chains], axis=0)
    own, cross, of_truth = (bands.cross_power(*pair) for pair in ((mean, mean), (mean, truth), (truth, truth)))
    power = shared_power(chains, bands)
    of_draws = np.mean([each.band_power.mean(axis=0) for each in chains], axis=0)
    return pd.DataFrame(
        {
            "k_low": bands.edges[:-1],
            "k_high": bands.edges[1:],
            "known": 1 - (of_draws - power),
            "mean_power": power,
            "cross_power": cross,
            "correlation": cross / np.sqrt(own * of_truth),
            "linear": linear,
        }
    )


def coverage_table(ranks: Mapping[str, Float[np.ndarray, " mock"]]) -> pd.DataFrame:
    """Whether posteriors hold the truth as often as they say, by simulation-based calibration.

    Parameters
    ----------
    ranks
        By parameter, the share of the draws of each mock that are below its true value. The truth of each mock is a
        draw of the prior.

    Returns
    -------
    One row per parameter with the columns ``parameter``; ``mocks``; ``ks_p``, the probability of a Kolmogorov-Smirnov
    distance from uniform ranks as large as this one; ``coverage_68``, the share of the mocks whose truth is in the
    middle 68 % of the draws; and ``verdict``: ``calibrated`` where ``ks_p`` is above .01, else ``biased`` where the
    mean of the ranks is more than three standard deviations from 1/2, else ``overconfident`` or ``underconfident``
    where ranks are farther from the middle than uniform ones or nearer to it.

    Notes
    -----
    Talts, Betancourt, Simpson, Vehtari & Gelman (2018), arXiv:1804.06788.
    """
    rows = []
    for name, each in ranks.items():
        p = float(stats.kstest(each, "uniform").pvalue)
        # uniform ranks have the variance 1/12, and |rank - 1/2| the mean 1/4
        is_shifted = abs(np.mean(each) - 0.5) * (12 * len(each)) ** 0.5 > 3
        is_wide = np.mean(np.abs(each - 0.5)) < 0.25
        wrong = "biased" if is_shifted else "underconfident" if is_wide else "overconfident"
        rows.append(
            {
                "parameter": name,
                "mocks": len(each),
                "ks_p": p,
                "coverage_68": float(np.mean(np.abs(each - 0.5) < 0.34)),
                "verdict": "calibrated" if p > 0.01 else wrong,
            }
        )
    return pd.DataFrame(rows)
