"""The complete config of an experiment, and what follows from several of its sections at once."""

from typing import Literal

from pydantic import Field

from .analysis import FiniteDifferencesConfig, ForecastConfig, StatisticsConfig, shifted
from .section import Name, Section
from .simulation import (
    CosmologyConfig,
    DerivativesConfig,
    LightconeConfig,
    SeedsConfig,
    SimulationConfig,
)
from .survey import PER_SOURCE_SYSTEMATICS, SurveyConfig, SystematicsConfig, of_sources
from .validation import ValidationConfig


class Config(Section):
    """A complete experiment."""

    run: Name = Field(description="name of the run; outputs go to results/<run>/")
    cosmology: CosmologyConfig
    simulation: SimulationConfig
    lightcone: LightconeConfig
    survey: SurveyConfig
    systematics: SystematicsConfig
    covariance: SeedsConfig
    derivatives: DerivativesConfig
    boxes_per_batch: int = Field(ge=1, description="boxes that one job simulates")
    maps: Literal["kept", "temporary"] = Field(
        description="maps and tangents: kept, so that new statistics need no simulation, or temporary, until measured"
    )
    left_out_seeds: tuple[int, ...] = Field(description="seeds that covariance and derivatives go without")
    statistics: StatisticsConfig
    forecast: ForecastConfig
    finite_differences: FiniteDifferencesConfig
    validation: ValidationConfig

    @property
    def border_pixels(self) -> int:
        """Pixels cut from each side of a map before it is measured: the largest reach of a statistic."""
        peaks = self.statistics.peaks
        return max(peaks.reach(self.lightcone.starlet_level(scale)) for scale in peaks.scales_arcmin)

    @property
    def fiducial(self) -> dict[str, float]:
        """Value of every parameter that a forecast can have, by name."""
        of_source = [name for each in PER_SOURCE_SYSTEMATICS for name in self._expanded(each)]
        return {**self.cosmology.model_dump(), **self.systematics.values, **dict.fromkeys(of_source, 0.0)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of the forecast, those of each source by their own names."""
        return tuple(name for each in self.forecast.parameters for name in self._expanded(each))

    @property
    def priors(self) -> dict[str, float]:
        """Standard deviation of each prior, those of each source by their own names."""
        priors: dict[str, float] = {}
        for name, width in self.forecast.priors.items():
            names = self._expanded(name)
            priors |= dict(zip(names, width if isinstance(width, tuple) else len(names) * [width], strict=True))
        return priors

    @property
    def steps(self) -> dict[str, float]:
        """Step of each finite difference, those of each source by their own names."""
        steps = self.finite_differences.steps
        return {each: step for name, step in steps.items() for each in self._expanded(name)}

    @property
    def cosmologies(self) -> dict[str, dict[str, float]]:
        """Values of all parameters by name of the simulation: `fiducial` and those of the finite differences."""
        found = {"fiducial": self.fiducial}
        for name, step in self.steps.items():
            found |= shifted(self.fiducial, name, step)
        return found

    def _expanded(self, name: str) -> tuple[str, ...]:
        """Parameters that a name stands for."""
        return of_sources(name, self.survey.sources.number)

    @property
    def batches(self) -> dict[str, dict[str, range]]:
        """Seeds by section (`covariance`, `derivatives`, `finite_differences`, `validation`) and batch.

        A batch is a fixed range of seeds, named by the first and the last one: more boxes are more batches
        and change none. Seeds that are left out stay in their batch, but a batch of nothing else is left
        out too. Those of the finite differences are the first of the derivatives. Those of the validation
        are one box each, for the finer simulations take long.
        """
        seeds = {
            "covariance": self.covariance.seeds,
            "derivatives": self.derivatives.seeds,
            "finite_differences": self.derivatives.seeds[: self.finite_differences.boxes],
        }
        batches = {
            section: {
                name: batch
                for name, batch in _split(seeds[section], self.boxes_per_batch).items()
                if not {*batch} <= {*self.left_out_seeds}
            }
            for section in seeds
        }
        return batches | {"validation": _split(self.validation.seeds, 1)}


def _split(seeds: range, size: int) -> dict[str, range]:
    """Ranges of `size` seeds by name."""
    batches = (seeds[start : start + size] for start in range(0, len(seeds), size))
    return {f"seeds_{batch[0]}_{batch[-1]}": batch for batch in batches}
