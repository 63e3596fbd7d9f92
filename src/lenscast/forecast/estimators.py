"""Fisher matrices estimated from simulations, with the factors for finite numbers of them.

Noise in the mean Jacobian Dbar adds spurious information. The standard estimate keeps it; the
cross-realisation estimate removes it without bias, at the price that it may be indefinite, which says that
the derivatives have not converged. Boxes are the independent realisations of the derivatives,
`Covariance.n_effective` those of the covariance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lenscast.forecast.boxes import leave_one_out_means
from lenscast.forecast.covariance import Covariance
from lenscast.forecast.derivatives import DerivativeSample
from lenscast.forecast.fisher import FisherMatrix
from lenscast.forecast.linalg import cholesky_factor
from lenscast.forecast.names import positions

Estimator = Literal["standard", "cross"]
ESTIMATORS: tuple[Estimator, ...] = ("standard", "cross")


class FiniteSampleFactors(NamedTuple):
    """Corrections for a covariance from n_s simulations, d data and P parameters.

    Attributes
    ----------
    hartlap : h = (n_s - d - 2)/(n_s - 1) makes h C^-1 unbiased (Hartlap et al. 2007, astro-ph/0608064).
    taylor_joachimi : (n_s - 1)/(n_s - 1 - d + P) makes this times (D^T C^-1 D)^-1 an unbiased parameter
        covariance (Taylor & Joachimi 2014, 1402.6983).
    dodelson_schneider : 1 + B (d - P), B = (n_s - d - 2)/[(n_s - d - 1)(n_s - d - 4)], the further loss of an
        analysis whose covariance comes from n_s simulations (Dodelson & Schneider 2013, 1304.2593; Percival
        et al. 2022, 2108.10402); infinite up to n_s = d + 4.
    """

    hartlap: float
    taylor_joachimi: float
    dodelson_schneider: float


def finite_sample_factors(simulations: float, data_length: int, parameters: int) -> FiniteSampleFactors:
    """Factors for `simulations` independent realisations, which may be an effective number.

    Raises
    ------
    ValueError : unless n_s > d + 2, and for fewer data than parameters.
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


@dataclass(frozen=True)
class FisherEstimate:
    """Estimates of one Fisher matrix, and what is needed for their errors.

    Parameters
    ----------
    names, fiducial : parameters and their values.
    whitened : L^-1 D of each box, with L L^T = C, so that products of its rows are D^T C^-1 D.
    factors : finite-n_s factors.
    n_effective : independent maps behind the covariance.
    area_ratio : survey area over the area of a map.
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

    def fixing(self, names: Sequence[str]) -> "FisherEstimate":
        """The estimate for the other parameters, with the named ones held fixed.

        Raises
        ------
        ValueError : if no parameter is left.
        """
        kept = [index for index, name in enumerate(self.names) if name not in names]
        if not kept:
            raise ValueError(f"all of {', '.join(self.names)} are fixed: leave one free")
        factors = finite_sample_factors(self.n_effective, self.data_length, len(kept))
        free = tuple(self.names[index] for index in kept)
        return replace(self, names=free, fiducial=self.fiducial[kept], whitened=self.whitened[:, kept], factors=factors)

    @cached_property
    def standard(self) -> FisherMatrix:
        """F_std = h Dbar^T C^-1 Dbar, biased high by `bias`."""
        return FisherMatrix(self.names, self.fiducial, self._information(self.whitened.mean(axis=0)))

    @cached_property
    def bias(self) -> Float[np.ndarray, "param param"]:
        """B_ij = (h/N) tr[C^-1 Cov_r(D_i, D_j)] over N boxes: expected noise in F_std."""
        return self._noise(self._outer.sum(axis=0), self.whitened.mean(axis=0), self.boxes)

    @cached_property
    def cross(self) -> FisherMatrix:
        """F_x = F_std - B, the mean of h D_r^T C^-1 D_s over pairs of different boxes; unbiased."""
        return FisherMatrix(self.names, self.fiducial, self.standard.matrix - self.bias)

    def fisher(self, estimator: Estimator) -> FisherMatrix:
        """The Fisher matrix by the named estimator."""
        return self.standard if estimator == "standard" else self.cross

    def leave_one_out(self, estimator: Estimator) -> Float[np.ndarray, "box param param"]:
        """The Fisher matrix without each box in turn, for jackknife errors.

        Raises
        ------
        ValueError : for fewer than 3 boxes.
        """
        if self.boxes < 3:
            raise ValueError(f"jackknife errors need at least 3 boxes, got {self.boxes}: raise derivatives.boxes")
        mean = leave_one_out_means(self.whitened)
        standard = self._information(mean)
        if estimator == "standard":
            return standard
        return standard - self._noise(self._outer.sum(axis=0) - self._outer, mean, self.boxes - 1)

    @cached_property
    def _outer(self) -> Float[np.ndarray, "box param param"]:
        """D_r^T C^-1 D_r of each box."""
        return self.whitened @ self.whitened.swapaxes(1, 2)

    def _information(self, mean: Float[np.ndarray, "*box param bin"]) -> Float[np.ndarray, "*box param param"]:
        """Information of mean whitened derivatives."""
        return self.factors.hartlap * self.area_ratio * (mean @ mean.swapaxes(-1, -2))

    def _noise(
        self,
        outer: Float[np.ndarray, "*box param param"],
        mean: Float[np.ndarray, "*box param bin"],
        boxes: int,
    ) -> Float[np.ndarray, "*box param param"]:
        """Noise bias from the sum of outer products over `boxes` boxes and their mean."""
        scatter = outer - boxes * (mean @ mean.swapaxes(-1, -2))
        return self.factors.hartlap * self.area_ratio * scatter / (boxes * (boxes - 1))


def fisher_estimate(
    derivatives: DerivativeSample, covariance: Covariance, fiducial: Mapping[str, float], area_ratio: float
) -> FisherEstimate:
    """Estimate the Fisher matrix of a survey.

    Parameters
    ----------
    derivatives : Jacobians of independent boxes.
    covariance : of one map, for the same data.
    fiducial : value of each parameter, possibly of others too.
    area_ratio : area of the survey over the area of a map that the statistics use. Information scales with
        it; super-sample covariance is not included.

    Raises
    ------
    ValueError : if the data differ, fewer than 2 boxes are given, the area ratio is not positive, the
        covariance is singular (naming the combination of data), or the factors for finite n_s do not exist.
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
    rows = derivatives.jacobian.reshape(boxes * parameters, data)
    whitened = linalg.solve_triangular(factor, rows.T, lower=True).T.reshape(boxes, parameters, data)
    known = positions(derivatives.parameters, tuple(fiducial), "parameter with a fiducial value")
    values = np.array([float(value) for value in fiducial.values()])[known]
    return FisherEstimate(derivatives.parameters, values, whitened, factors, covariance.n_effective, float(area_ratio))
