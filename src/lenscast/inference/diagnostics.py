"""Whether chains have converged: rank-normalised R-hat and effective sample sizes, by ArviZ.

Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), arXiv:1903.08008.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

__all__ = ["LARGEST_R_HAT", "SMALLEST_ESS", "chain_table"]

LARGEST_R_HAT = 1.01
SMALLEST_ESS = 100
"""Effective samples for each chain, in the bulk and in the tails, as Vehtari et al. recommend."""


def chain_table(draws: Float[np.ndarray, "chain draw quantity"], names: Sequence[str]) -> pd.DataFrame:
    """Mean, width and convergence of each quantity.

    Parameters
    ----------
    draws
        Draws of all chains, without those of the warm-up.
    names
        Name of each quantity.

    Returns
    -------
    One row per quantity, with the columns

    - ``parameter``, its name;
    - ``mean`` and ``sigma``, the mean and standard deviation of the draws;
    - ``lower`` and ``upper``, between which the middle 68.27 % of the draws are;
    - ``r_hat``, ``ess_bulk`` and ``ess_tail``;
    - ``verdict``: ``converged`` where R-hat is below 1.01 and both numbers of effective samples are at least 100 for
      each chain, else ``not converged``.

    Raises
    ------
    ValueError
        If there are fewer than 2 chains, or than 4 draws: R-hat compares halves of chains.
    ImportError
        If ArviZ is not installed.
    """
    chains, number, _ = draws.shape
    if chains < 2 or number < 4:
        raise ValueError(
            f"{chains} chains of {number} draws: R-hat compares 2 or more chains, which start apart, of 4 or more "
            "draws; sample more"
        )
    try:
        from arviz_stats.base.array import array_stats
    except ImportError as error:
        raise ImportError("arviz-stats is not installed; pip install 'lenscast[inference]' brings it") from error
    axes = {"chain_axis": 0, "draw_axis": 1}
    r_hat = array_stats.rhat(draws, **axes, method="rank")
    bulk = array_stats.ess(draws, **axes, method="bulk")
    tail = array_stats.ess(draws, **axes, method="tail", prob=(0.05, 0.95))
    every = draws.reshape(-1, draws.shape[-1]).astype(np.float64)
    lower, upper = np.quantile(every, [0.158655, 0.841345], axis=0)
    is_converged = (r_hat < LARGEST_R_HAT) & (np.minimum(bulk, tail) >= SMALLEST_ESS * chains)
    return pd.DataFrame(
        {
            "parameter": list(names),
            "mean": every.mean(axis=0),
            "sigma": every.std(axis=0, ddof=1),
            "lower": lower,
            "upper": upper,
            "r_hat": r_hat,
            "ess_bulk": bulk,
            "ess_tail": tail,
            "verdict": np.where(is_converged, "converged", "not converged"),
        }
    )
