"""Sections of seeds: which boxes are simulated, and for what."""

from pydantic import Field

from .section import Section


class Seeds(Section):
    """A range of seeds, one for each box."""

    first_seed: int = Field(ge=0, lt=2**31, description="seed of the first box; the others follow")
    boxes: int = Field(ge=2, le=10**6, description="number of boxes, a multiple of boxes_per_batch")

    @property
    def seeds(self) -> range:
        """The seeds of all boxes."""
        return range(self.first_seed, self.first_seed + self.boxes)


class DerivativeSeeds(Seeds):
    """Boxes with tangents: mean and Jacobian of the statistics."""

    views: int = Field(
        ge=1,
        le=10**6,
        description="maps of a box that means and Jacobians of statistics but spectra average over",
    )
    noise_realisations: int = Field(
        ge=1, le=10**6, description="shape-noise realisations averaged per map in the expected statistic"
    )
