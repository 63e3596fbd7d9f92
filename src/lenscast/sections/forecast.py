"""Sections that decide what is forecast from the statistics, and how its derivatives are checked."""

from typing import Annotated, Literal

from pydantic import Field

from lenscast.parameters import PARAMETERS

from .section import Distinct, Name, Section, choices, known
from .seeds import Seeds

ParameterName = Annotated[str, known("parameter", tuple(PARAMETERS)), choices(tuple(PARAMETERS))]
# a narrower prior is a parameter that is left out; a wider one says nothing
Width = Annotated[float, Field(ge=1e-9, le=1e12)]
# maps in 32 bits do not resolve smaller steps; no parameter has a range as wide as the largest one
Step = Annotated[float, Field(ge=1e-6, le=1e3)]
PerSource = Annotated[tuple[Width, ...], Field(min_length=1)]
Level = Literal["particles", "steps", "plane_mesh"]
DataVector = Annotated[tuple[Name, ...], Field(min_length=1), Distinct]


class GaussianBinsSection(Section):
    """What counts as Gaussian among the data."""

    min_count: float = Field(default=10.0, ge=0.0, le=1e6, description="least mean count of a bin on one map")
    max_skewness: float = Field(default=0.5, gt=0.0, le=100.0, description="largest |skewness| of a bin over maps")


class ForecastSection(Section):
    """What is forecast from which statistics."""

    parameters: Annotated[tuple[ParameterName, ...], Distinct] = Field(
        min_length=1, description="parameters of the Fisher matrix; delta_z and m are one for each source"
    )
    priors: dict[ParameterName, Width | PerSource] = Field(
        description="Gaussian standard deviation by parameter; of delta_z and m one for all sources or a list"
    )
    data_vectors: dict[Name, DataVector] = Field(
        min_length=1, description="forecasts by name: the statistics that each one joins"
    )
    scale_cuts: Literal["none", "resolved"] = Field(
        default="none",
        description="none, or resolved: bins whose derivatives are not resolved, as resolution finds, are left out",
    )
    samples: int = Field(
        default=0, ge=0, le=10**7, description="samples of each Gaussian posterior in export/, for GetDist; 0 is none"
    )
    gaussian_bins: GaussianBinsSection = Field(
        default=GaussianBinsSection(), description="limits beyond which a bin is not Gaussian enough"
    )
    drop_bins: Literal["none", "auto"] = Field(
        default="none", description="none, or auto: bins beyond the limits of gaussian_bins are left out"
    )


class FiniteDifferences(Section):
    """Central differences of the whole forward model: the check on automatic differentiation."""

    steps: dict[ParameterName, Step] = Field(description="step by parameter; half of it is run too")
    boxes: int = Field(ge=1, le=10**6, description="number of boxes, the first ones of the derivatives")
    noise_realisations: int = Field(ge=1, le=10**6, description="shape-noise realisations averaged per map")


class Resolution(Section):
    """Coarser simulations of some boxes, which say how much resolution limits the forecast."""

    boxes: int = Field(ge=2, le=10**6, description="number of boxes, the first ones of the derivatives")
    levels: Annotated[tuple[Level, ...], Distinct] = Field(
        description="what is coarser. particles: half of them per side, with their mesh and that of the planes; steps: "
        "half of them, or ten times the tolerance of adaptive ones; plane_mesh: half the mesh points of the planes per "
        "side. An empty list is none"
    )
    coarse_only: Seeds | None = Field(
        default=None,
        description="further boxes, with half the particles alone: the mean Jacobian is then one of two levels, few "
        "fine boxes on top of many coarse ones, and boxes is derivatives.boxes",
    )
