"""Counts of minima on starlet scales, voids of the convergence: the peaks of minus kappa.

Conventions are those of `peaks` for the map with the other sign: bins are bins of the depth -nu [minima per region].
Shape noise has the same distribution with either sign, so that everything that `local_maxima` and
`independent_stencils` say of peaks holds for minima. Reference: Coulton et al. (2020), arXiv:1910.04171.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from jaxtyping import Float

from lenscast.statistics.peaks import Peaks
from lenscast.statistics.statistic import Observation
from lenscast.statistics.stencil import Stencil

__all__ = ["Minima"]


class Minima(Peaks):
    """Counts of local minima on starlet scales, in bins of depth: snr_edges are edges of minus the signal to noise."""

    label: ClassVar[str] = "minima"
    axis: ClassVar[str] = r"depth $-\nu$ [S/N]"
    sacc_type: ClassVar[str] = "minimum_count"
    unit: ClassVar[str] = "minima per region"

    def _levels(
        self, observation: Observation, *maps: Float[Any, "source y x"]
    ) -> Iterator[tuple[int, Stencil, list[Float[Any, "source y2 x2"]]]]:
        """Each starlet level with its stencil, and -nu of the maps."""
        yield from super()._levels(observation, *(-each for each in maps))
