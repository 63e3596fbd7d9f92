"""A statistic outside of lenscast: counts of starlet minima, the peaks of minus kappa."""

from typing import ClassVar

from pydantic import Field

from lenscast.sections.section import Increasing
from lenscast.statistics import Peaks, Statistic
from lenscast.statistics.starlet import ScalesArcmin


class Minima(Statistic):
    """Counts of local minima on starlet scales, in bins of depth below 0 in units of the noise."""

    label: ClassVar[str] = "minima"
    axis: ClassVar[str] = "depth [S/N]"
    is_count: ClassVar[bool] = True

    scales_arcmin: ScalesArcmin
    depth_edges: Increasing = Field(min_length=2, description="inner edges of the bins of depth; outer bins are open")

    @property
    def _peaks(self) -> Peaks:
        return Peaks(
            name=self.name,
            scales_arcmin=self.scales_arcmin,
            snr_edges=self.depth_edges,
            stencil="pixel",
            counts="hard",
        )

    def reach(self, pixel_arcmin):
        """As for peaks."""
        return self._peaks.reach(pixel_arcmin)

    def bins(self, observation):
        """As for peaks, with another unit."""
        return [{**each, "unit": "minima per region"} for each in self._peaks.bins(observation)]

    def measured(self, kappa, noise, observation):
        """Minima of the noisy maps."""
        return self._peaks.measured(-kappa, -noise, observation)

    def expected(self, kappa, noise, observation):
        """Their mean over the noise, differentiable in kappa."""
        return self._peaks.expected(-kappa, -noise, observation)
