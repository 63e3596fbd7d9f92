"""The estimate of one Fisher matrix: its boxes, by all estimators, with what errors and verdicts follow from.

Products of derivatives are formed once for each box, so that leaving out boxes and splitting them costs little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from lenscast.fisher.boxes import leave_one_out_means
from lenscast.fisher.estimators import (
    HEADLINE,
    Moments,
    find_estimator,
    information,
    noise_bias,
    unbiased,
    whole_estimators,
)
from lenscast.fisher.finite_samples import FiniteSampleFactors, finite_sample_factors
from lenscast.fisher.matrices import FisherMatrix, prior_information
from lenscast.fisher.names import positions


@dataclass(frozen=True)
class FisherEstimate:
    """Estimates of one Fisher matrix, and the derivatives that their errors come from.

    Parameters
    ----------
    names, fiducial
        Parameters and their values.
    whitened
        L^-1 D of each box, with L L^T = C, so that products of its rows are D^T C^-1 D.
    outside
        L^-1 q for the further noise of the mean Jacobian, whose covariance is the sum of q q^T over the rows: that of
        boxes without derivatives (`control`).
    factors
        Factors for the finite number of maps behind the covariance.
    n_effective
        Independent maps behind the covariance.
    area_ratio
        Area of the survey over the area of a map.
    whole, whole_priors
        Estimate for more parameters, some of which this one holds fixed, and their priors. What is negative is decided
        there, so that fixing parameters never widens an error. None where nothing is fixed.
    """

    names: tuple[str, ...]
    fiducial: Float[np.ndarray, " param"]
    whitened: Float[np.ndarray, "box param bin"]
    outside: Float[np.ndarray, "row param bin"]
    factors: FiniteSampleFactors
    n_effective: float
    area_ratio: float
    whole: "FisherEstimate | None" = None
    whole_priors: Mapping[str, float] | None = None

    @property
    def boxes(self) -> int:
        """Number of independent boxes behind the derivatives."""
        return self.whitened.shape[0]

    @property
    def data_length(self) -> int:
        """Length of the data vector."""
        return self.whitened.shape[2]

    @property
    def scale(self) -> float:
        """Hartlap's factor times the area of the survey over the area of a map."""
        return self.factors.hartlap * self.area_ratio

    def with_fixed(self, names: Sequence[str], priors: Mapping[str, float] | None = None) -> "FisherEstimate":
        """Estimate for the other parameters, with the named ones held fixed.

        Parameters
        ----------
        names
            Parameters to fix; names of other parameters are ignored.
        priors
            Gaussian widths of all parameters by name, fixed ones too, for `clipped`; None for none.

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
        return replace(
            self,
            names=tuple(self.names[index] for index in free),
            fiducial=self.fiducial[free],
            whitened=self.whitened[:, free],
            outside=self.outside[:, free],
            factors=factors,
            whole=self,
            whole_priors=priors,
        )

    def in_boxes(self, boxes: slice | Int[np.ndarray, " box"]) -> "FisherEstimate":
        """Estimate from some of the boxes of derivatives, with the covariance and the control of all.

        Parameters
        ----------
        boxes
            Positions of the boxes.
        """
        whole = None if self.whole is None else self.whole.in_boxes(boxes)
        return replace(self, whitened=self.whitened[boxes], whole=whole)

    @cached_property
    def standard(self) -> FisherMatrix:
        """F_std, which the noise makes too large."""
        return FisherMatrix(self.names, self.fiducial, information(self.moments))

    @cached_property
    def bias(self) -> Float[np.ndarray, "param param"]:
        """Expected noise in F_std."""
        return noise_bias(self.moments)

    @property
    def unclipped(self) -> Float[np.ndarray, "param param"]:
        """F_x = F_std - B, which is unbiased and may be indefinite."""
        return unbiased(self.moments)

    def fisher(self, name: str = HEADLINE, priors: Mapping[str, float] | None = None) -> FisherMatrix:
        """Fisher matrix of an estimator that uses all boxes at once, without the information of the priors.

        Parameters
        ----------
        name
            One of `whole_estimators`.
        priors
            Gaussian widths by name, part of the metric in which `clipped` finds negative information; None for none.

        Raises
        ------
        ValueError
            If the estimator is unknown or needs halves of the boxes, F_std + priors is singular (names the direction),
            or a prior is on an unknown parameter.
        """
        function = find_estimator(name, whole_estimators()).matrix
        known = prior_information(self.names, priors or {})
        if name == HEADLINE and self.whole is not None:
            return self.whole.fisher(name, self.whole_priors).select(self.names)
        if name == HEADLINE:
            # numpy's error would not name the direction
            FisherMatrix(self.names, self.fiducial, self.standard.matrix + known).inverse()
        return FisherMatrix(self.names, self.fiducial, function(self.moments, known))

    def leave_one_out(
        self, name: str = HEADLINE, priors: Mapping[str, float] | None = None
    ) -> Float[np.ndarray, "box param param"]:
        """Fisher matrix without each box in turn, for jackknife errors.

        Parameters
        ----------
        name, priors
            As for `fisher`.

        Raises
        ------
        ValueError
            As `fisher`, or if there are fewer than 3 boxes: the noise without one of them needs 2.
        """
        function = find_estimator(name, whole_estimators()).matrix
        if name == HEADLINE and self.whole is not None:
            free = positions(self.names, self.whole.names, "parameter")
            return self.whole.leave_one_out(name, self.whole_priors)[:, free[:, None], free]
        return function(self.moments_without_each, prior_information(self.names, priors or {}))

    @cached_property
    def moments(self) -> Moments:
        """Moments over all boxes."""
        return self._moments(self.whitened.mean(axis=0), self._outer.sum(axis=0), self.boxes)

    @cached_property
    def moments_without_each(self) -> Moments:
        """Moments over all boxes but one, for each box left out.

        Raises
        ------
        ValueError
            If there are fewer than 3 boxes.
        """
        if self.boxes < 3:
            raise ValueError(f"jackknife errors need at least 3 boxes, got {self.boxes}: raise derivatives.boxes")
        return self._moments(leave_one_out_means(self.whitened), self._outer.sum(axis=0) - self._outer, self.boxes - 1)

    @cached_property
    def _outer(self) -> Float[np.ndarray, "box param param"]:
        """D_r^T C^-1 D_r of each box."""
        return self.whitened @ self.whitened.swapaxes(1, 2)

    def _moments(
        self, mean: Float[np.ndarray, "*set param bin"], outer: Float[np.ndarray, "*set param param"], boxes: int
    ) -> Moments:
        """Moments of sets of boxes with the given mean and sum of D_r^T C^-1 D_r."""
        scatter = outer - boxes * (mean @ mean.swapaxes(-1, -2))
        outside = np.einsum("rib,rjb->ij", self.outside, self.outside)
        # N - 1 of the sample covariance, and N because the mean Jacobian has 1/N of the noise of a box
        return Moments(mean, scatter / (boxes * (boxes - 1)) + outside, self.scale)
