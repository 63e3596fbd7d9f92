"""Covariance of a data vector from simulated maps, and the number of independent maps that it is worth.

Sums are float64. Maps that share a box repeat part of its structure. The design effect measures how much they repeat,
and `n_effective` takes the place of the number of maps wherever the noise of the covariance matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float, Int

from lenscast.fisher.boxes import box_means
from lenscast.fisher.names import positions, require_unique


@dataclass(frozen=True)
class Covariance:
    """Mean and covariance of one map's data vector.

    Parameters
    ----------
    data
        Name of each element.
    mean
        Mean over all maps.
    matrix
        Covariance over all maps.
    maps
        Number of maps.
    boxes
        Number of independent boxes.
    design_effects
        R var(box means) / var(maps) of each element, for R maps per box, with var(maps) corrected for the structure
        that maps share: 1 where the maps of a box are independent, R where they are copies.
    """

    data: tuple[str, ...]
    mean: Float[np.ndarray, " bin"]
    matrix: Float[np.ndarray, "bin bin"]
    maps: int
    boxes: int
    design_effects: Float[np.ndarray, " bin"]

    @property
    def design_effect(self) -> float:
        """Mean of the design effects over the data vector."""
        return float(self.design_effects.mean())

    @property
    def n_effective(self) -> float:
        """Number of independent maps that would give an equally accurate mean: maps / max(1, design effect).

        Conservative for the covariance itself, whose noise grows with the squares of correlations between maps.
        """
        return self.maps / max(1.0, self.design_effect)

    @property
    def standard_deviation(self) -> Float[np.ndarray, " bin"]:
        """Square root of the diagonal."""
        return np.sqrt(np.diag(self.matrix))

    @property
    def correlation(self) -> Float[np.ndarray, "bin bin"]:
        """Covariance scaled to unit diagonal."""
        return self.matrix / np.outer(self.standard_deviation, self.standard_deviation)

    def select(self, data: Sequence[str]) -> "Covariance":
        """Covariance of the named elements, in the order of the names.

        Parameters
        ----------
        data
            Names of data elements.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        indices = positions(data, self.data, "data element")
        return Covariance(
            tuple(data),
            self.mean[indices],
            self.matrix[np.ix_(indices, indices)],
            self.maps,
            self.boxes,
            self.design_effects[indices],
        )


def sample_covariance(
    summary: Float[np.ndarray, "map bin"], box: Int[np.ndarray, " map"], data: Sequence[str]
) -> Covariance:
    """Covariance of a data vector over maps.

    Parameters
    ----------
    summary
        Data vector of each map.
    box
        Seed of each map's box.
    data
        Name of each element.

    Raises
    ------
    ValueError
        If values are not finite (names map and element), an element never varies, there is a single box, boxes have
        different numbers of maps, or there are fewer than d + 3 effective maps for d elements: below that the inverse
        of the covariance has no finite mean (Hartlap et al. 2007, astro-ph/0608064).
    """
    require_unique(data, "data element")
    if summary.shape != (len(box), len(data)):
        raise ValueError(f"summaries of shape {summary.shape}, but {(len(box), len(data))} [map bin] are named")
    values = summary.astype(np.float64)
    _require_variation(values, box, data)
    means = box_means(values, box)
    maps, boxes = len(values), len(means.box)
    if boxes < 2:
        raise ValueError(f"{maps} maps of 1 box do not sample a covariance: raise covariance.boxes")
    # R var(box means) / var(maps), with R = maps / boxes
    ratio = maps / boxes * means.mean.var(axis=0, ddof=1) / values.var(axis=0, ddof=1)
    result = Covariance(
        tuple(data),
        values.mean(axis=0),
        # np.cov gives a scalar for a single element
        np.cov(values, rowvar=False).reshape(len(data), len(data)),
        maps,
        boxes,
        # n maps that share structure scatter less around their mean: their sample variance has the expectation
        # V (n - D) / (n - 1) for the variance V of a map and the design effect D, so that ratio = D (n - 1) / (n - D)
        ratio * maps / (maps - 1 + ratio),
    )
    _require_enough_maps(result)
    return result


def _require_variation(values: Float[np.ndarray, "map bin"], box: Int[np.ndarray, " map"], data: Sequence[str]) -> None:
    """Raise if values are not finite or an element is the same in all maps."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        index, element = bad[0]
        raise ValueError(
            f"'{data[element]}' is {values[index, element]} in map {index} (box {box[index]}): run its batch again"
        )
    constant = [name for name, spread in zip(data, np.ptp(values, axis=0), strict=True) if spread == 0]
    if constant:
        raise ValueError(
            f"the same value in all {len(values)} maps for {', '.join(constant)}: their covariance is singular; "
            "merge these bins with their neighbours or leave them out"
        )


def _require_enough_maps(covariance: Covariance) -> None:
    """Raise if a covariance of d elements comes from fewer than d + 3 effective maps."""
    count, boxes, needed = covariance.n_effective, covariance.boxes, len(covariance.data) + 3
    if count < needed:
        raise ValueError(
            f"{covariance.maps} maps of {boxes} boxes are worth {count:.1f} independent maps (design effect "
            f"{covariance.design_effect:.2f}), but {len(covariance.data)} data elements need at least "
            f"{needed} (d + 3): raise covariance.boxes from {boxes} to {ceil(boxes * needed / count)} "
            "or more, or use fewer bins"
        )
