"""Sections of the config that decide what is made of maps: statistics, forecast, finite differences."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from .section import Distinct, Increasing, IncreasingPositive, Name, Positive, Section, choices, known
from .simulation import PARAMETERS, CosmologyConfig
from .survey import SYSTEMATICS

ALL_PARAMETERS = PARAMETERS + SYSTEMATICS
ParameterName = Annotated[str, known("parameter", ALL_PARAMETERS), choices(ALL_PARAMETERS)]
SCALES = "starlet scales, increasing, each 2^j pixels of the map within 10 % [arcmin]"


class PowerSpectrumConfig(Section):
    """Flat-sky C_ell of the maps."""

    ell_edges: IncreasingPositive = Field(
        min_length=2, description="edges of the multipole bins, increasing; n edges make n - 1 bins"
    )

    def length(self, sources: int) -> int:
        """Number of data: auto and cross spectra x bins."""
        return sources * (sources + 1) // 2 * (len(self.ell_edges) - 1)


class StarletPowerSpectrumConfig(PowerSpectrumConfig):
    """Flat-sky C_ell of the maps band-passed to starlet scales."""

    scales_arcmin: IncreasingPositive = Field(min_length=1, description=SCALES)

    def length(self, sources: int) -> int:
        """Number of data: scales x auto and cross spectra x bins."""
        return len(self.scales_arcmin) * super().length(sources)


class PeaksConfig(Section):
    """Counts of local maxima on starlet scales, in bins of signal to noise."""

    scales_arcmin: IncreasingPositive = Field(min_length=1, description=SCALES)
    snr_edges: Increasing = Field(
        min_length=2, description="inner edges of the S/N bins; outer bins are open: n edges make n + 1 bins"
    )
    stencil: Literal["pixel", "scale"] = Field(
        description="the 8 neighbours that a peak exceeds: 1 pixel off, or 2^(j-1) pixels off on level j"
    )

    def length(self, sources: int) -> int:
        """Number of data: scales x sources x bins."""
        return len(self.scales_arcmin) * sources * (len(self.snr_edges) + 1)

    def reach(self, level: int) -> int:
        """Farthest pixel that a peak on starlet level `level` depends on: filter and neighbours [pixels]."""
        return 2 * (2**level - 1) + (1 if self.stencil == "pixel" else 2 ** (level - 1))


class HardPeaksConfig(PeaksConfig):
    """Peaks that count as one."""

    counts: Literal["hard"] = Field(description="hard: a pixel is a peak or not")


class SoftPeaksConfig(PeaksConfig):
    """Peaks that count by their height above the neighbours."""

    counts: Literal["soft"] = Field(description="soft: a sigmoid of the height above the neighbours")
    softness: float = Field(
        gt=0.0, le=1.0, description="width of the sigmoid [rms half second difference of the noise]"
    )


class StatisticsConfig(Section):
    """The statistics that are measured on every map, by name."""

    power_spectrum: PowerSpectrumConfig
    starlet_power_spectrum: StarletPowerSpectrumConfig
    peaks: HardPeaksConfig | SoftPeaksConfig = Field(
        discriminator="counts", description="peak counts, hard or soft; soft ones have a softness"
    )

    def length(self, names: Iterable[str], sources: int) -> int:
        """Number of data of the statistics `names` together."""
        return sum(getattr(self, name).length(sources) for name in names)


STATISTICS = tuple(StatisticsConfig.model_fields)
StatisticName = Annotated[str, known("statistic", STATISTICS), choices(STATISTICS)]
OfSources = Annotated[tuple[Positive, ...], Field(min_length=1)]
DataVector = Annotated[tuple[StatisticName, ...], Field(min_length=1), Distinct]


class ForecastConfig(Section):
    """What is forecast from which statistics."""

    parameters: Annotated[tuple[ParameterName, ...], Distinct] = Field(
        min_length=1, description="parameters of the Fisher matrix; delta_z and m are one for each source"
    )
    priors: dict[ParameterName, Positive | OfSources] = Field(
        description="Gaussian standard deviation by parameter; of delta_z and m one for all sources or a list"
    )
    data_vectors: dict[Name, DataVector] = Field(
        min_length=1, description="forecasts by name: the statistics that each one joins"
    )


def shifted(fiducial: dict[str, float], name: str, step: float) -> dict[str, dict[str, float]]:
    """Values of all parameters where one of them is moved: `<name>_plus`, `_minus`, `_plus_half`, `_minus_half`."""
    shifts = {"plus": 1.0, "minus": -1.0, "plus_half": 0.5, "minus_half": -0.5}
    return {f"{name}_{label}": {**fiducial, name: fiducial[name] + shift * step} for label, shift in shifts.items()}


class FiniteDifferencesConfig(Section):
    """Central differences of the whole forward model: the check on automatic differentiation."""

    steps: dict[ParameterName, Positive] = Field(description="step by parameter; half of it is run too")
    boxes: int = Field(ge=1, description="number of boxes, the first ones of the derivatives")

    def cosmologies(self, cosmology: CosmologyConfig) -> dict[str, dict[str, float]]:
        """Cosmological parameters of `fiducial` and of those of `shifted` by step."""
        fiducial = cosmology.model_dump()
        moved = [shifted(fiducial, name, step) for name, step in self.steps.items() if name in fiducial]
        return {"fiducial": fiducial} | {label: values for each in moved for label, values in each.items()}
