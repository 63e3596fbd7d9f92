"""Samples that a forecast starts from: data vectors of maps, and Jacobians of boxes."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int


class SummarySample(NamedTuple):
    """Data vectors of noisy maps, for the covariance.

    Attributes
    ----------
    measured
        Data vector of each map.
    box
        Seed of each map's box.
    bins
        One row for each element, with the columns ``statistic`` and ``name``.
    expected
        Expected data vector of each box, in ascending order of seed; None where it is not known. A Jacobian can be
        controlled by it.
    """

    measured: Float[np.ndarray, "map bin"]
    box: Int[np.ndarray, " map"]
    bins: pd.DataFrame
    expected: Float[np.ndarray, "box bin"] | None = None


class Jacobians(NamedTuple):
    """Expected data vectors and their derivatives, means over the maps of each box.

    Attributes
    ----------
    jacobian
        Derivatives with respect to the parameters.
    expected
        Expected data vectors.
    box
        Seed of each box, ascending.
    parameters
        Names of the parameters.
    bins
        As for `SummarySample`.
    """

    jacobian: Float[np.ndarray, "box param bin"]
    expected: Float[np.ndarray, "box bin"]
    box: Int[np.ndarray, " box"]
    parameters: tuple[str, ...]
    bins: pd.DataFrame

    def in_boxes(self, rows: Bool[np.ndarray, " box"] | Int[np.ndarray, " box"]) -> "Jacobians":
        """Some of the boxes.

        Parameters
        ----------
        rows
            Positions of the boxes, or whether each of them is taken.
        """
        return self._replace(jacobian=self.jacobian[rows], expected=self.expected[rows], box=self.box[rows])
