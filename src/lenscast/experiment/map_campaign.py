"""The description of convergence maps that another code made: files, pixels, survey and statistics."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from lenscast.sections.section import Name, Positive, Section
from lenscast.sections.survey import MapSurvey
from lenscast.statistics import Statistic
from lenscast.statistics.registry import statistics_from_config

Files = Annotated[tuple[str, ...], Field(min_length=1, description="paths of .npy or FITS files")]


class ShiftedMaps(Section):
    """Maps with one parameter on both sides of its fiducial value, of the same seeds."""

    plus: Files
    minus: Files
    step: Positive = Field(description="distance of the parameter from its fiducial value, on both sides")


class MapCampaign(Section):
    """Maps of another code, and what is measured on them."""

    run: Name = Field(description="name of the run; outputs go to results/<run>/")
    pixel_arcmin: Positive = Field(description="side of a pixel [arcmin]")
    maps: Files = Field(description="maps at the fiducial parameters: y x, map y x, or map source y x")
    maps_per_box: int = Field(default=1, ge=1, description="consecutive maps that share an N-body box")
    differences: dict[Name, ShiftedMaps] = Field(
        default={}, description="maps with one parameter changed, by its name: plus, minus and step"
    )
    fiducial: dict[Name, float] = Field(default={}, description="value of each parameter")
    priors: dict[Name, Positive] = Field(default={}, description="Gaussian standard deviation by parameter")
    noise_realisations: int = Field(
        default=8, ge=1, le=10**6, description="draws of shape noise per map in differences"
    )
    survey: MapSurvey
    statistics: Annotated[dict[Name, SerializeAsAny[Statistic]], BeforeValidator(statistics_from_config)] = Field(
        min_length=1, description="statistics that are measured on every map, by name"
    )

    @model_validator(mode="after")
    def _names_fit(self) -> "MapCampaign":
        if lost := sorted(self.differences.keys() - self.fiducial.keys()):
            raise ValueError(f"differences of {', '.join(lost)}, but no fiducial value of it; add one to fiducial")
        if lost := sorted(self.priors.keys() - self.differences.keys()):
            raise ValueError(f"prior of {', '.join(lost)}, but no differences; add maps, or take the prior out")
        return self
