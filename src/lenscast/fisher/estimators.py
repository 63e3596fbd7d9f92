"""Fisher matrices estimated from simulations.

Noise in the mean Jacobian adds spurious information. The standard estimator keeps it. The cross-realisation estimator
removes it without bias, but its matrix may be indefinite, which says that the derivatives are too noisy. Boxes are the
independent realisations of the derivatives, `Covariance.n_effective` counts those of the covariance. A new estimator is
one entry of `ESTIMATORS`: tables, errors and files follow from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.boxes import leave_one_out_means
from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.finite_samples import FiniteSampleFactors, finite_sample_factors
from lenscast.fisher.linalg import cholesky_factor
from lenscast.fisher.matrices import FisherMatrix
from lenscast.fisher.names import positions


class Moments(NamedTuple):
    """Whitened derivatives w_r = L^-1 D_r of N boxes, with L L^T = C, reduced to what the estimators need.

    A leading axis holds several sets of boxes, such as all boxes but one.

    Attributes
    ----------
    mean
        Mean over the boxes; the products of its rows are Dbar^T C^-1 Dbar.
    outer
        Sum of w_r w_r^T = D_r^T C^-1 D_r over the boxes.
    boxes
        Number N of boxes.
    scale
        Factor of all information: Hartlap's h times the area of the survey over the area of a map.
    """

    mean: Float[np.ndarray, "*box param bin"]
    outer: Float[np.ndarray, "*box param param"]
    boxes: int
    scale: float


def information(moments: Moments) -> Float[np.ndarray, "*box param param"]:
    """Standard estimate F_std = h Dbar^T C^-1 Dbar, too high by `noise_bias`."""
    return moments.scale * (moments.mean @ moments.mean.swapaxes(-1, -2))


def noise_bias(moments: Moments) -> Float[np.ndarray, "*box param param"]:
    """Expected noise in F_std, B_ij = (h/N) tr[C^-1 Cov_r(D_i, D_j)], with the sample covariance over N boxes."""
    scatter = moments.outer - moments.boxes * (moments.mean @ moments.mean.swapaxes(-1, -2))
    # N - 1 of the sample covariance, and N because the mean Jacobian has 1/N of the noise of a box
    return moments.scale * scatter / (moments.boxes * (moments.boxes - 1))


def _cross(moments: Moments) -> Float[np.ndarray, "*box param param"]:
    """F_x = F_std - B, which is the mean of h D_r^T C^-1 D_s over pairs of different boxes; unbiased."""
    return information(moments) - noise_bias(moments)


class Estimator(NamedTuple):
    """How a Fisher matrix is computed from simulations.

    Attributes
    ----------
    meaning
        Description in words.
    matrix
        Function of the moments of the derivatives, for all boxes and for leave-one-out replicates alike.
    """

    meaning: str
    matrix: Callable[[Moments], Float[np.ndarray, "*box param param"]]


ESTIMATORS: Mapping[str, Estimator] = {
    "standard": Estimator("standard estimator", information),
    "cross": Estimator("cross-realisation estimator", _cross),
}
"""All estimators by name, in the order of tables and files."""


@dataclass(frozen=True)
class FisherEstimate:
    """Estimates of one Fisher matrix, and the derivatives that their errors come from.

    Parameters
    ----------
    names, fiducial
        Parameters and their values.
    whitened
        L^-1 D of each box, with L L^T = C, so that products of its rows are D^T C^-1 D.
    factors
        Factors for the finite number of maps behind the covariance.
    n_effective
        Independent maps behind the covariance.
    area_ratio
        Area of the survey over the area of a map.
    """

    names: tuple[str, ...]
    fiducial: Float[np.ndarray, " param"]
    whitened: Float[np.ndarray, "box param bin"]
    factors: FiniteSampleFactors
    n_effective: float
    area_ratio: float

    @property
    def boxes(self) -> int:
        """Number of independent boxes behind the derivatives."""
        return self.whitened.shape[0]

    @property
    def data_length(self) -> int:
        """Length of the data vector."""
        return self.whitened.shape[2]

    def with_fixed(self, names: Sequence[str]) -> "FisherEstimate":
        """Estimate for the other parameters, with the named ones held fixed.

        Parameters
        ----------
        names
            Parameters to fix; names of other parameters are ignored.

        Raises
        ------
        ValueError
            If no parameter is left.
        """
        free = [index for index, name in enumerate(self.names) if name not in names]
        if not free:
            raise ValueError(f"all of {', '.join(self.names)} are fixed: leave one free")
        # Taylor & Joachimi's and Dodelson & Schneider's factors depend on the number of free parameters
        factors = finite_sample_factors(self.n_effective, self.data_length, len(free))
        rest = tuple(self.names[index] for index in free)
        return replace(self, names=rest, fiducial=self.fiducial[free], whitened=self.whitened[:, free], factors=factors)

    @cached_property
    def standard(self) -> FisherMatrix:
        """F_std, whose share of noise `reliability` judges."""
        return self.fisher("standard")

    @cached_property
    def bias(self) -> Float[np.ndarray, "param param"]:
        """Expected noise in F_std."""
        return noise_bias(self._moments)

    def fisher(self, estimator: str) -> FisherMatrix:
        """Fisher matrix of an estimator.

        Parameters
        ----------
        estimator
            One of `ESTIMATORS`.

        Raises
        ------
        ValueError
            If the estimator is unknown.
        """
        return FisherMatrix(self.names, self.fiducial, _estimator(estimator).matrix(self._moments))

    def leave_one_out(self, estimator: str) -> Float[np.ndarray, "box param param"]:
        """Fisher matrix without each box in turn, for jackknife errors.

        Parameters
        ----------
        estimator
            One of `ESTIMATORS`.

        Raises
        ------
        ValueError
            If the estimator is unknown, or there are fewer than 3 boxes: the noise without one of them needs 2.
        """
        if self.boxes < 3:
            raise ValueError(f"jackknife errors need at least 3 boxes, got {self.boxes}: raise derivatives.boxes")
        moments = self._moments._replace(
            mean=leave_one_out_means(self.whitened), outer=self._moments.outer - self._outer, boxes=self.boxes - 1
        )
        return _estimator(estimator).matrix(moments)

    @cached_property
    def _outer(self) -> Float[np.ndarray, "box param param"]:
        """D_r^T C^-1 D_r of each box."""
        return self.whitened @ self.whitened.swapaxes(1, 2)

    @cached_property
    def _moments(self) -> Moments:
        """Moments over all boxes."""
        scale = self.factors.hartlap * self.area_ratio
        return Moments(self.whitened.mean(axis=0), self._outer.sum(axis=0), self.boxes, scale)


def _estimator(name: str) -> Estimator:
    """Entry of the registry, or an error that lists the names."""
    if name not in ESTIMATORS:
        raise ValueError(f"unknown estimator '{name}': choose from {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def fisher_estimate(
    derivatives: DerivativeSample, covariance: Covariance, fiducial: Mapping[str, float], area_ratio: float
) -> FisherEstimate:
    """Estimate the Fisher matrix of a survey, without super-sample covariance.

    Parameters
    ----------
    derivatives
        Jacobians of independent boxes.
    covariance
        Covariance of one map, for the same data.
    fiducial
        Fiducial value of each parameter, possibly of others too.
    area_ratio
        Area of the survey over the area of a map that the statistics use; information scales with it.

    Raises
    ------
    ValueError
        If the data differ, there are fewer than 2 boxes, the area ratio is not positive, the covariance is singular
        (names the combination of data), or the factors for finite n_s do not exist.
    """
    if derivatives.data != covariance.data:
        raise ValueError(
            f"Jacobian of {len(derivatives.data)} and covariance of {len(covariance.data)} data elements are "
            "not of the same data in the same order: select both by the same names"
        )
    if len(derivatives.box) < 2 or not area_ratio > 0:
        raise ValueError(
            f"{len(derivatives.box)} boxes of derivatives and area ratio {area_ratio}: at least 2 boxes "
            "(derivatives.boxes) and a positive ratio are needed"
        )
    factors = finite_sample_factors(covariance.n_effective, len(covariance.data), len(derivatives.parameters))
    remedy = "leave out or merge these data, or raise covariance.boxes"
    factor = cholesky_factor(covariance.matrix, covariance.data, "the data covariance", remedy)
    boxes, parameters, data = derivatives.jacobian.shape
    # one triangular solve for all boxes and parameters
    rows = derivatives.jacobian.reshape(boxes * parameters, data)
    whitened = linalg.solve_triangular(factor, rows.T, lower=True).T.reshape(boxes, parameters, data)
    indices = positions(derivatives.parameters, tuple(fiducial), "parameter with a fiducial value")
    values = np.array([float(value) for value in fiducial.values()])[indices]
    return FisherEstimate(derivatives.parameters, values, whitened, factors, covariance.n_effective, float(area_ratio))
