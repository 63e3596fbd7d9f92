"""The forecast of a spectrum compared with that of theory, for the same covariance, bins and priors.

Theory has no noise, no particles and no box. What differs is the response of the simulations to the parameters, and
what halo-model fits get wrong about it, which differ from each other by several per cent.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.linalg import combination
from lenscast.fisher.matrices import FisherMatrix, prior_information


def theory_jacobian(
    theory: pd.DataFrame, bins: pd.DataFrame, signal: Float[np.ndarray, " bin"], names: tuple[str, ...]
) -> Float[np.ndarray, "param bin"]:
    """Derivatives of the bins of a spectrum, d ln C / d theta of theory times C of the simulations.

    The covariance is that of the simulations too: what they lack in power is in both, and cancels.

    Parameters
    ----------
    theory
        Columns source_1, source_2, low and dln_<parameter>, as seen through planes, pixels and region.
    bins
        Bins of the spectrum, some of those of the table, in any order.
    signal
        Mean of each bin without the noise.
    names
        Parameters.

    Raises
    ------
    ValueError
        If the table lacks a bin or a parameter.
    """
    key = ["source_1", "source_2", "low"]
    rows = bins[key].astype(float).merge(theory.assign(**theory[key].astype(float)), on=key, how="left")
    columns = [f"dln_{name}" for name in names]
    missing = [column for column in columns if column not in theory]
    if missing or rows[columns].isna().any(axis=None):
        raise ValueError(f"theory lacks {', '.join(missing) or 'bins of the data vector'}: make the table again")
    return (rows[columns].to_numpy() * signal[:, None]).T


def compare_with_theory(
    simulated: FisherMatrix,
    jacobian: Float[np.ndarray, "param bin"],
    inverse_covariance: Float[np.ndarray, "bin bin"],
    priors: Mapping[str, float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Errors with the responses of simulations and of theory, and information along directions.

    Parameters
    ----------
    simulated
        Headline Fisher matrix of the simulations, without priors.
    jacobian
        Derivatives of theory, `theory_jacobian`.
    inverse_covariance
        Inverse of the covariance for the area of the survey, Hartlap's factor in it.
    priors
        Gaussian widths by name.

    Returns
    -------
    parameters
        One row per parameter: ``sigma`` and ``sigma_theory``, both with priors, and their ``ratio``.
    directions
        One row per direction of the theory, best measured first: information of the data of the simulations
        (``information``) and of the theory in units of the prior's, their ``ratio``, and the direction in words. A
        parameter without a prior has its conditional error in theory as unit.
    """
    theory = FisherMatrix(simulated.names, simulated.fiducial, jacobian @ inverse_covariance @ jacobian.T)
    sigma, sigma_theory = (each.with_priors(priors).inverse().marginal_errors for each in (simulated, theory))
    parameters = pd.DataFrame(
        {
            "parameter": list(simulated.names),
            "sigma": sigma,
            "sigma_theory": sigma_theory,
            "ratio": sigma / sigma_theory,
        }
    )
    known = np.diag(prior_information(simulated.names, priors))
    unit = 1 / np.sqrt(np.where(known > 0, known, np.diag(theory.matrix)))
    values, vectors = linalg.eigh(theory.matrix * np.outer(unit, unit))
    scaled = simulated.matrix * np.outer(unit, unit)
    found = np.einsum("pd,pq,qd->d", vectors, scaled, vectors)
    directions = pd.DataFrame(
        {
            "information": found[::-1],
            "information_theory": values[::-1],
            "ratio": (found / values)[::-1],
            "combination": [combination(row, simulated.names) for row in vectors.T[::-1]],
        }
    )
    return parameters, directions
