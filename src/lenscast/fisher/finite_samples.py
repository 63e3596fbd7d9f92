"""Correction factors for a covariance that comes from a finite number of simulations.

The inverse of a noisy covariance is biased, and its noise widens the errors of an analysis that uses it. The factors
depend on three numbers only: independent simulations n_s, data d and parameters P.
"""

from typing import NamedTuple


class FiniteSampleFactors(NamedTuple):
    """Corrections for a covariance from n_s simulations, d data and P parameters.

    Attributes
    ----------
    hartlap
        h = (n_s - d - 2)/(n_s - 1), which makes h C^-1 unbiased (Hartlap et al. 2007, astro-ph/0608064).
    taylor_joachimi
        (n_s - 1)/(n_s - 1 - d + P), which makes its product with (D^T C^-1 D)^-1 an unbiased parameter covariance
        (Taylor & Joachimi 2014, arXiv:1402.6983).
    dodelson_schneider
        1 + B (d - P), B = (n_s - d - 2)/[(n_s - d - 1)(n_s - d - 4)], the further loss of an analysis whose covariance
        comes from n_s simulations (Dodelson & Schneider 2013, arXiv:1304.2593; Percival et al. 2022, arXiv:2108.10402);
        infinite up to n_s = d + 4.
    """

    hartlap: float
    taylor_joachimi: float
    dodelson_schneider: float


def finite_sample_factors(simulations: float, data_length: int, parameters: int) -> FiniteSampleFactors:
    """Correction factors for a finite number of simulations.

    Parameters
    ----------
    simulations
        Number n_s of independent realisations, which may be an effective number.
    data_length
        Length d of the data vector.
    parameters
        Number P of parameters.

    Raises
    ------
    ValueError
        If n_s is not above d + 2, or there are fewer data than parameters.
    """
    if not simulations > data_length + 2:
        raise ValueError(
            f"{simulations:.1f} independent maps for {data_length} data elements: more than d + 2 = "
            f"{data_length + 2} are needed; raise covariance.boxes or use fewer bins"
        )
    if data_length < parameters:
        raise ValueError(
            f"{data_length} data elements cannot constrain {parameters} parameters: add data or fix parameters"
        )
    spare = simulations - data_length
    return FiniteSampleFactors(
        hartlap=(spare - 2) / (simulations - 1),
        taylor_joachimi=(simulations - 1) / (spare - 1 + parameters),
        dodelson_schneider=(
            1 + (spare - 2) / ((spare - 1) * (spare - 4)) * (data_length - parameters) if spare > 4 else float("inf")
        ),
    )
