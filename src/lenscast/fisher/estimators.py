"""Fisher matrices estimated from simulations.

Noise in the mean Jacobian adds spurious information. The standard estimator keeps it. The cross-realisation estimator
removes it without bias, and what it then finds to be less than nothing is set to nothing: it never fails, and no
posterior is wider than its prior. It is the headline of every table, file and figure. The compressed and
combined estimators of Coulton & Wandelt (2023, arXiv:2305.08994) stand next to it. Boxes are the independent
realisations of the derivatives, `Covariance.n_effective` counts those of the covariance. A new estimator is one entry
of `ESTIMATORS`: the rows of the tables follow from it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

HEADLINE = "cross"
"""Estimator of contours, verdicts and comparisons of runs."""

SPLITS = 64
"""Random splits of the boxes into halves, for the estimators that need two halves."""

FLOOR = 1e-6
"""Information of a clipped direction over its information in F_std + priors.

It stands in place of 0, so that a matrix without priors has an inverse: the error along such a direction is then about
a thousand times the one of the standard estimator, and the share of noise says that it means nothing.
"""


class Moments(NamedTuple):
    """Whitened derivatives w = L^-1 D with L L^T = C, reduced to what the estimators need.

    A leading axis holds several sets of boxes: all boxes but one, or the splits of the boxes into halves.

    Attributes
    ----------
    mean
        Mean Jacobian; the products of its rows are Dbar^T C^-1 Dbar.
    noise
        Noise in these products, tr[C^-1 Cov(Dbar_i, Dbar_j)].
    scale
        Factor of all information: Hartlap's h times the area of the survey over the area of a map.
    other
        Mean Jacobian of the other half of the boxes; None where the boxes are not split.
    """

    mean: Float[np.ndarray, "*set param bin"]
    noise: Float[np.ndarray, "*set param param"]
    scale: float
    other: Float[np.ndarray, "*set param bin"] | None = None


def information(moments: Moments) -> Float[np.ndarray, "*set param param"]:
    """Standard estimate F_std = h Dbar^T C^-1 Dbar, too high by `noise_bias`."""
    return moments.scale * (moments.mean @ moments.mean.swapaxes(-1, -2))


def noise_bias(moments: Moments) -> Float[np.ndarray, "*set param param"]:
    """Expected noise in F_std, B_ij = h tr[C^-1 Cov(Dbar_i, Dbar_j)]."""
    return moments.scale * moments.noise


def unbiased(moments: Moments) -> Float[np.ndarray, "*set param param"]:
    """F_x = F_std - B, which is unbiased and may be indefinite.

    Without control it is the mean of h D_r^T C^-1 D_s over pairs of different boxes.
    """
    return information(moments) - noise_bias(moments)


def clipped(
    standard: Float[np.ndarray, "*set param param"],
    bias: Float[np.ndarray, "*set param param"],
    priors: Float[np.ndarray, "param param"],
) -> Float[np.ndarray, "*set param param"]:
    """F_x = F_std - B with its negative eigenvalues set to 0, or to `FLOOR`.

    Parameters
    ----------
    standard, bias
        F_std and its noise.
    priors
        Information of the priors.

    Raises
    ------
    numpy.linalg.LinAlgError
        If F_std + priors is not positive definite.

    Notes
    -----
    The eigenvalues are those of F_x v = lambda (F_std + priors) v, `relative_eigenvalues`.
    """
    cross = standard - bias
    values, _, duals = relative_eigenvalues(cross, standard + priors)
    positive = (duals * np.maximum(values, FLOOR)[..., None, :]) @ duals.swapaxes(-1, -2)
    # a matrix that needs no clipping is returned as it is, not as the product of its factors
    return np.where((values[..., 0] < FLOOR)[..., None, None], positive, cross)


class RelativeEigenvalues(NamedTuple):
    """Eigenvalues of A v = lambda M v, ascending, with v^T M v = 1, so that A = sum lambda (M v) (M v)^T.

    Attributes
    ----------
    values
        Eigenvalues lambda.
    vectors
        Columns v.
    duals
        Columns M v.
    """

    values: Float[np.ndarray, "*set direction"]
    vectors: Float[np.ndarray, "*set param direction"]
    duals: Float[np.ndarray, "*set param direction"]


def relative_eigenvalues(
    matrix: Float[np.ndarray, "*set param param"], metric: Float[np.ndarray, "*set param param"]
) -> RelativeEigenvalues:
    """Eigenvalues of symmetric matrices relative to a metric.

    Parameters differ in their units: eigenvalues of a Fisher matrix alone would mean nothing. In the metric
    F_std + priors, which is positive for parameters without prior too, a direction of negative information is the one
    with the most noise, M v ~ B v, and clipping it adds no information to parameters that are measured well.

    Parameters
    ----------
    matrix
        Symmetric matrices.
    metric
        Positive-definite matrices.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the metric is not positive definite.
    """
    scale = np.sqrt(np.diagonal(metric, axis1=-2, axis2=-1))
    unit = scale[..., :, None] * scale[..., None, :]
    factor = np.linalg.cholesky(metric / unit)
    half = np.linalg.solve(factor, matrix / unit)
    values, rotated = np.linalg.eigh(np.linalg.solve(factor, half.swapaxes(-1, -2)))
    vectors = np.linalg.solve(factor.swapaxes(-1, -2), rotated) / scale[..., :, None]
    return RelativeEigenvalues(values, vectors, scale[..., :, None] * (factor @ rotated))


def _standard(moments: Moments, priors: Float[np.ndarray, "param param"]) -> Float[np.ndarray, "*set param param"]:
    """F_std, whatever the priors."""
    return information(moments)


def _cross(moments: Moments, priors: Float[np.ndarray, "param param"]) -> Float[np.ndarray, "*set param param"]:
    """F_x, clipped."""
    return clipped(information(moments), noise_bias(moments), priors)


def _compressed(moments: Moments, priors: Float[np.ndarray, "param param"]) -> Float[np.ndarray, "*set param param"]:
    """Information of the data compressed with the Jacobian of the other half, Coulton & Wandelt (2023) eq. 10."""
    assert moments.other is not None
    mixed = moments.other @ moments.mean.swapaxes(-1, -2)
    return (
        moments.scale * mixed.swapaxes(-1, -2) @ np.linalg.solve(moments.other @ moments.other.swapaxes(-1, -2), mixed)
    )


def _combined(moments: Moments, priors: Float[np.ndarray, "param param"]) -> Float[np.ndarray, "*set param param"]:
    """Geometric mean of the standard (biased high) and compressed (biased low) matrices, Coulton & Wandelt eq. 18."""
    standard = information(moments)
    factor = np.linalg.cholesky(standard)
    half = np.linalg.solve(factor, _compressed(moments, priors))
    values, vectors = np.linalg.eigh(np.linalg.solve(factor, half.swapaxes(-1, -2)))
    basis = factor @ vectors
    return (basis * np.sqrt(np.maximum(values, 0))[..., None, :]) @ basis.swapaxes(-1, -2)


class Estimator(NamedTuple):
    """How a Fisher matrix is computed from simulations.

    Attributes
    ----------
    meaning
        Description in words.
    matrix
        Function of the moments of the derivatives and of the information of the priors, for one or many sets of boxes.
    from_halves
        Whether it needs two halves of the boxes. There is then one matrix for each of `SPLITS` random splits.
    """

    meaning: str
    matrix: Callable[[Moments, Float[np.ndarray, "param param"]], Float[np.ndarray, "*set param param"]]
    from_halves: bool = False


ESTIMATORS: Mapping[str, Estimator] = {
    "cross": Estimator("cross-realisation estimator, without negative information", _cross),
    "standard": Estimator("standard estimator", _standard),
    "compressed": Estimator("compressed estimator", _compressed, from_halves=True),
    "combined": Estimator("combined estimator", _combined, from_halves=True),
}
"""All estimators by name, in the order of the tables."""


def find_estimator(name: str, among: Sequence[str] = ()) -> Estimator:
    """Entry of `ESTIMATORS`.

    Parameters
    ----------
    name
        Name of an estimator.
    among
        Names that are allowed; empty for all.

    Raises
    ------
    ValueError
        If the name is none of them; lists them.
    """
    allowed = tuple(among) or tuple(ESTIMATORS)
    if name not in allowed:
        raise ValueError(f"unknown estimator '{name}': choose from {', '.join(allowed)}")
    return ESTIMATORS[name]


def whole_estimators() -> tuple[str, ...]:
    """Names of the estimators that use all boxes at once, and so have one matrix."""
    return tuple(name for name, each in ESTIMATORS.items() if not each.from_halves)
