"""Section of the posterior of parameters and initial field given one convergence map."""

from typing import Literal

from pydantic import Field

from lenscast.sections.section import Section


class FieldLevel(Section):
    """Chains of the field level: which map they are of, and how long they are."""

    seed: int = Field(
        default=300_000, ge=0, le=2**31 - 1, description="seed of the box, of its views and of the noise of the map"
    )
    sampler: Literal["mclmc", "hmc"] = Field(
        default="mclmc",
        description="mclmc, microcanonical Langevin Monte Carlo without rejections, or hmc, Hamiltonian Monte Carlo",
    )
    chains: int = Field(
        default=4, ge=2, le=1000, description="number of chains, each one job; R-hat compares 2 or more"
    )
    warmup: int = Field(default=300, ge=10, le=10**6, description="transitions of a chain before its draws")
    draws: int = Field(
        default=1000,
        ge=20,
        le=10**7,
        multiple_of=2,
        description="draws of each chain after these, even; contours take 20",
    )
    mocks: int = Field(default=64, ge=8, le=10**5, description="maps of the check of coverage, each with one chain")

    @property
    def mock_seeds(self) -> range:
        """Seeds of the maps of the check of coverage; the first one after the seed, which is that of the map."""
        return range(self.seed + 1, self.seed + 1 + self.mocks)
