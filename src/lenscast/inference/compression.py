"""From a data vector to the numbers that a neural posterior is given: all of them, or one for each parameter.

Compression by the score keeps the information of a Gaussian likelihood at the fiducial (Alsing & Wandelt 2018,
arXiv:1712.00012), and takes the derivatives and the covariance of a finished forecast. Far from the fiducial it loses
information, and a posterior is wider, but never wrong for it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from lenscast.fisher.names import positions

__all__ = ["Compression"]


class Compression(NamedTuple):
    """Linear map from data to features.

    Attributes
    ----------
    bins
        Names of the data.
    mean
        Fiducial data, whose features are 0.
    weights
        W; the features are W (data - mean).
    """

    bins: tuple[str, ...]
    mean: Float64[np.ndarray, " bin"]
    weights: Float64[np.ndarray, "feature bin"]

    @classmethod
    def by_score(
        cls,
        bins: Sequence[str],
        mean: Float64[np.ndarray, " bin"],
        covariance: Float64[np.ndarray, "bin bin"],
        jacobian: Float64[np.ndarray, "param bin"],
    ) -> "Compression":
        """Score of a Gaussian likelihood with a fixed covariance, in units of its own standard deviation.

        Parameters
        ----------
        bins
            Names of the data.
        mean, covariance
            Mean and covariance of the data at the fiducial.
        jacobian
            Derivatives of the mean with respect to the parameters.
        """
        score = np.linalg.solve(covariance, jacobian.T).T
        width = np.sqrt(np.einsum("ab,ab->a", score, jacobian))
        return cls(tuple(bins), mean, score / width[:, None])

    @classmethod
    def none(
        cls, bins: Sequence[str], mean: Float64[np.ndarray, " bin"], covariance: Float64[np.ndarray, "bin bin"]
    ) -> "Compression":
        """All data, in units of their standard deviation; arguments as for `by_score`."""
        return cls(tuple(bins), mean, np.diag(np.diag(covariance) ** -0.5))

    def features(
        self, data: Float[np.ndarray, "*map bin"], names: Sequence[str]
    ) -> Float64[np.ndarray, "*map feature"]:
        """Features of data vectors.

        Parameters
        ----------
        data
            Data vectors, which may have more data than these.
        names
            Names of the data.

        Raises
        ------
        ValueError
            If the data lack one of `bins`.
        """
        chosen = data[..., positions(self.bins, names, "datum")].astype(np.float64)
        return (chosen - self.mean) @ self.weights.T
