"""Boxes that were simulated with parameters of their own, as what a flow learns from and is tested on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["SimulatedBoxes"]


class SimulatedBoxes(NamedTuple):
    """Boxes with parameters of their own.

    Attributes
    ----------
    seeds
        Seeds of the boxes.
    theta
        Parameters of each box.
    features
        Features of the data vectors of each box, of all its maps and noise realisations.
    """

    seeds: Int[np.ndarray, " box"]
    theta: Float64[np.ndarray, "box param"]
    features: Float64[np.ndarray, "box map feature"]

    def split(self, seeds: Sequence[int]) -> tuple["SimulatedBoxes", "SimulatedBoxes"]:
        """The boxes of other seeds than these, and those of these: a box, with all its maps, is in one part alone.

        Parameters
        ----------
        seeds
            Seeds of the second part.
        """
        inside = np.isin(self.seeds, seeds)
        rest, chosen = (SimulatedBoxes(*(each[rows] for each in self)) for rows in (~inside, inside))
        return rest, chosen
