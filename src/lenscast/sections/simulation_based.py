"""Section of posteriors that neural networks learn from simulations with other parameters."""

from typing import Annotated, Literal

from pydantic import Field

from lenscast.sections.forecast import ParameterName
from lenscast.sections.section import Ascending, Section

Range = Annotated[tuple[float, ...], Field(min_length=2, max_length=2), Ascending]


class SimulationBased(Section):
    """Simulation-based inference: which boxes are simulated with which parameters, and what learns from them."""

    first_seed: int = Field(
        default=400_000, ge=0, lt=2**31, description="seed of the first box; the others follow, the held-out ones last"
    )
    boxes: int = Field(
        default=2000, ge=50, le=10**6, description="number of boxes, each with parameters of its own, a multiple of "
        "boxes_per_batch"
    )  # fmt: skip
    held_out: int = Field(default=300, ge=20, le=10**6, description="boxes of these that calibration alone sees")
    noise_realisations: int = Field(default=4, ge=1, le=1000, description="shape-noise realisations of each map")
    ranges: dict[ParameterName, Range] = Field(
        default={},
        description="lower and upper end of the prior of each parameter: Gaussian inside where forecast.priors has a "
        "width, else flat; empty where nothing is simulated",
    )
    compression: Literal["score", "none"] = Field(
        default="score",
        description="score, one number for each parameter by the derivatives of the forecast, or none, all data",
    )
    flow: Literal["spline", "affine"] = Field(
        default="spline",
        description="masked autoregressive flows of rational-quadratic splines, or affine",
    )
    flows: int = Field(default=4, ge=1, le=100, description="number of flows, each one job; densities are averaged")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of design, of validation boxes and of the flows")

    @property
    def seeds(self) -> range:
        """Seeds of all boxes; none where no parameter has a range."""
        return range(self.first_seed, self.first_seed + (self.boxes if self.ranges else 0))

    @property
    def held_out_seeds(self) -> range:
        """Seeds of the boxes that calibration alone sees, the last ones."""
        return self.seeds[-self.held_out :]
