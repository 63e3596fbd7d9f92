"""The configuration as closed, frozen models: one class a section, one field a key, no defaults.

Every key states its unit and meaning; its range stands in its type. A config file is complete, so that it
alone says what was run. Numbers may be written as `1e-2`, which YAML 1.1 reads as a string. What has to hold
between sections lives in `checks`, the text of errors in `errors`. Nothing here imports JAX: the Snakefile reads the
config while it parses, in a process that must not claim an accelerator.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from .errors import did_you_mean

ARCMIN_PER_DEGREE = 60.0
SCALE_TOLERANCE = 0.1


def _as_number(value: Any) -> Any:
    """A number from what YAML gives: a string such as `1e-2` is read, a boolean is refused."""
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "a boolean is not a number")
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    for left, right in pairwise(values):
        if right <= left:
            raise ValueError(f"values must increase, but {right:g} follows {left:g}; sort them, each once")
    return values


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given more than once; keep one")
    return values


Number = Annotated[float, BeforeValidator(_as_number)]
Integer = Annotated[int, BeforeValidator(_as_number)]
Positive = Annotated[Number, Field(gt=0.0)]
Count = Annotated[Integer, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Increasing = AfterValidator(_increasing)
Distinct = AfterValidator(_distinct)
EllEdges = Annotated[
    tuple[Positive, ...],
    Field(min_length=2, description="edges of the multipole bins, increasing; n edges make n - 1 bins"),
    Increasing,
]
ScalesArcmin = Annotated[
    tuple[Positive, ...],
    Field(min_length=1, description="starlet scales [arcmin], increasing; each is 2^j map pixels within 10 %"),
    Increasing,
]


class Section(BaseModel):
    """A section of the config: unknown keys are errors, values never change, infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CosmologyConfig(Section):
    """Fiducial flat w0wa-CDM cosmology; its fields are the parameters that can be varied."""

    Omega_c: Annotated[Number, Field(gt=0.0, lt=1.0, description="cold dark matter density today, in critical units")]
    Omega_b: Annotated[Number, Field(gt=0.0, lt=1.0, description="baryon density today, in critical units")]
    h: Annotated[Number, Field(ge=0.2, le=2.0, description="Hubble constant [100 km/s/Mpc]")]
    n_s: Annotated[Number, Field(ge=0.2, le=2.0, description="slope of the primordial power spectrum")]
    sigma8: Annotated[Number, Field(gt=0.0, le=3.0, description="linear rms in spheres of 8 Mpc/h today")]
    w0: Annotated[Number, Field(ge=-3.0, le=-0.2, description="dark energy equation of state today")]
    wa: Annotated[Number, Field(ge=-3.0, le=2.0, description="its slope: w(a) = w0 + wa (1 - a)")]

    @model_validator(mode="after")
    def _matter_then_dark_energy(self) -> Self:
        matter = self.Omega_c + self.Omega_b
        if matter >= 1.0:
            raise ValueError(f"Omega_c + Omega_b = {matter:g} leaves no dark energy in a flat universe; keep it < 1")
        if self.w0 + self.wa >= 0.0:
            raise ValueError(f"w0 + wa = {self.w0 + self.wa:g} makes dark energy rule early; keep it < 0")
        return self


PARAMETERS = tuple(CosmologyConfig.model_fields)


def _parameter(name: str) -> str:
    if name not in PARAMETERS:
        raise ValueError(f"{name} is not a parameter{did_you_mean(name, PARAMETERS)}")
    return name


ParameterName = Annotated[str, AfterValidator(_parameter), Field(json_schema_extra={"enum": list(PARAMETERS)})]


class FixedSteps(Section):
    """Growth-matched symplectic steps, uniform in the growth factor."""

    kind: Annotated[
        Literal["bullfrog", "fastpm"],
        Field(description="bullfrog (arXiv:2409.19049, exact to 2LPT per step) or fastpm (arXiv:1603.00476)"),
    ]
    steps: Annotated[Count, Field(description="number of steps from a_start to the nearest plane")]


class AdaptiveSteps(Section):
    """Adaptive Runge-Kutta solvers of diffrax."""

    kind: Annotated[Literal["tsit5", "dopri5"], Field(description="tsit5 or dopri5, fifth-order Runge-Kutta")]
    rtol: Annotated[
        Number, Field(ge=1e-7, le=0.1, description="relative tolerance of a step; 1e-7 is float32 rounding")
    ]
    atol: Annotated[
        Number,
        Field(ge=1e-9, le=10.0, description="absolute tolerance of positions [Mpc/h] and momenta [H0 Mpc/h]"),
    ]


class SimulationConfig(Section):
    """One periodic particle-mesh box."""

    box_size: Annotated[Positive, Field(description="comoving side of the box [Mpc/h]")]
    particles: Annotated[Integer, Field(ge=8, multiple_of=2, description="particles per side of the box")]
    mesh_factor: Annotated[
        Literal[1, 2], BeforeValidator(_as_number), Field(description="force mesh points per particle spacing")
    ]
    a_start: Annotated[Number, Field(gt=0.0, lt=1.0, description="scale factor of the LPT start")]
    lpt_order: Annotated[
        Literal[1, 2], BeforeValidator(_as_number), Field(description="order of the LPT start: 1 or 2")
    ]
    gradient: Annotated[
        Literal["spectral", "finite_difference"], Field(description="gradient of the potential on the mesh")
    ]
    integrator: Annotated[
        FixedSteps | AdaptiveSteps,
        Field(discriminator="kind", description="time integration: bullfrog or fastpm with steps, tsit5 or dopri5 with rtol, atol"),
    ]


class LightconeConfig(Section):
    """Lens planes cut from the box, and the maps that look through them."""

    slabs_per_box: Annotated[Count, Field(description="slabs a box is cut into; a plane is one slab thick")]
    planes: Annotated[Count, Field(description="number of lens planes; they reach behind every source")]
    plane_mesh: Annotated[Integer, Field(ge=8, description="mesh points per side of a plane")]
    field_deg: Annotated[Number, Field(gt=0.0, le=20.0, description="side of the square map [deg], flat sky")]
    pixels: Annotated[Integer, Field(ge=16, multiple_of=2, description="pixels per side of the map")]
    realisations_per_box: Annotated[
        Count, Field(description="maps from one box, each with its own rotations, flips and shifts of the planes")
    ]

    @property
    def pixel_arcmin(self) -> float:
        """Side of a map pixel [arcmin]."""
        return self.field_deg * ARCMIN_PER_DEGREE / self.pixels

    def starlet_level(self, scale_arcmin: float) -> int:
        """Level j of the starlet whose scale of 2^j pixels is nearest to `scale_arcmin`.

        Raises
        ------
        ValueError
            if no level j >= 1 lies within 10 % of the scale.
        """
        level = round(math.log2(scale_arcmin / self.pixel_arcmin))
        if level < 1 or abs(self.starlet_scale(level) / scale_arcmin - 1.0) > SCALE_TOLERANCE:
            raise ValueError(f"{scale_arcmin:g} arcmin is not 2^j pixels of {self.pixel_arcmin:.4g} arcmin")
        return level

    def starlet_scale(self, level: int) -> float:
        """Scale of starlet level `level` [arcmin]: 2^level pixels."""
        return 2**level * self.pixel_arcmin

    @staticmethod
    def border_pixels(level: int) -> int:
        """Reach of the B3 starlet of level `level`: pixels at each side of a map that see beyond its edge."""
        return 2 * (2**level - 1)

    def inner_pixels(self, level: int) -> int:
        """Pixels per side that are free of edge effects up to starlet level `level`."""
        return self.pixels - 2 * self.border_pixels(level)


class SurveyConfig(Section):
    """Sources, shape noise and sky area."""

    z_source: Annotated[
        tuple[Positive, ...], Field(min_length=1, description="redshifts of the source planes, increasing"), Increasing
    ]
    area_deg2: Annotated[Number, Field(gt=0.0, le=41253.0, description="survey area [deg^2]")]
    sigma_e: Annotated[Positive, Field(description="shape noise per ellipticity component")]
    n_gal: Annotated[Positive, Field(description="galaxies per arcmin^2 in each source plane")]

    @property
    def source_pairs(self) -> int:
        """Number of auto and cross spectra between the source planes."""
        return len(self.z_source) * (len(self.z_source) + 1) // 2


class SeedsConfig(Section):
    """A range of seeds, one box each."""

    first_seed: Annotated[Integer, Field(ge=0, lt=2**31, description="seed of the first box; the others follow")]
    boxes: Annotated[Integer, Field(ge=2, le=10**6, description="number of boxes, a multiple of boxes_per_batch")]

    @property
    def seeds(self) -> range:
        """The seeds of all boxes."""
        return range(self.first_seed, self.first_seed + self.boxes)


class DerivativesConfig(SeedsConfig):
    """Boxes that carry tangents: mean and Jacobian of the statistics."""

    noise_realisations: Annotated[
        Count, Field(description="shape-noise realisations averaged per map in the expected statistic")
    ]


class PowerSpectrumConfig(Section):
    """Flat-sky C_ell of the map."""

    ell_edges: EllEdges

    def length(self, survey: SurveyConfig) -> int:
        """Number of data: source pairs x bins."""
        return survey.source_pairs * (len(self.ell_edges) - 1)


class StarletPowerSpectrumConfig(Section):
    """Flat-sky C_ell of the map band-passed to starlet scales."""

    scales_arcmin: ScalesArcmin
    ell_edges: EllEdges

    def length(self, survey: SurveyConfig) -> int:
        """Number of data: scales x source pairs x bins."""
        return len(self.scales_arcmin) * survey.source_pairs * (len(self.ell_edges) - 1)


class PeaksConfig(Section):
    """Counts of local maxima on starlet scales in bins of signal to noise."""

    scales_arcmin: ScalesArcmin
    snr_edges: Annotated[
        tuple[Number, ...],
        Field(
            min_length=1,
            description="inner edges of the S/N bins, increasing; the outer bins are open, so n edges make n + 1 bins",
        ),
        Increasing,
    ]
    stencil: Annotated[
        Literal["pixel", "scale"],
        Field(description="neighbours of a peak: the 8 next pixels, or the 8 pixels at 2^(j-1) on level j"),
    ]
    counts: Annotated[
        Literal["hard", "soft"],
        Field(description="hard local maxima (conditional Monte Carlo derivative) or sigmoid counts"),
    ]
    soft_width: Annotated[
        Number,
        Field(gt=0.0, le=1.0, description="width of the sigmoid of soft counts, in units of the rms curvature"),
    ]

    def length(self, survey: SurveyConfig) -> int:
        """Number of data: scales x source planes x bins."""
        return len(self.scales_arcmin) * len(survey.z_source) * (len(self.snr_edges) + 1)


class StatisticsConfig(Section):
    """The statistics that are measured on every map; the fields' names are the statistics' names."""

    power_spectrum: PowerSpectrumConfig
    starlet_power_spectrum: StarletPowerSpectrumConfig
    peaks: PeaksConfig

    @property
    def scales_arcmin(self) -> tuple[float, ...]:
        """All starlet scales in use [arcmin], increasing."""
        return tuple(sorted({*self.starlet_power_spectrum.scales_arcmin, *self.peaks.scales_arcmin}))

    def length(self, names: Iterable[str], survey: SurveyConfig) -> int:
        """Number of data of the statistics `names` together."""
        return sum(getattr(self, name).length(survey) for name in names)


STATISTICS = tuple(StatisticsConfig.model_fields)


def _statistic(name: str) -> str:
    if name not in STATISTICS:
        raise ValueError(f"{name} is not a statistic{did_you_mean(name, STATISTICS)}")
    return name


StatisticName = Annotated[str, AfterValidator(_statistic), Field(json_schema_extra={"enum": list(STATISTICS)})]


class ForecastConfig(Section):
    """What is forecast from the summaries."""

    parameters: Annotated[
        tuple[ParameterName, ...], Field(min_length=1, description="parameters of the Fisher matrix"), Distinct
    ]
    priors: Annotated[
        dict[ParameterName, Positive], Field(description="Gaussian priors: standard deviation per parameter")
    ]
    data_vectors: Annotated[
        dict[Name, Annotated[tuple[StatisticName, ...], Field(min_length=1), Distinct]],
        Field(min_length=1, description="data vectors by name: the statistics that each one joins"),
    ]


class FiniteDifferencesConfig(Section):
    """Central differences of the whole forward model, the check on automatic differentiation."""

    steps: Annotated[
        dict[ParameterName, Positive], Field(description="step per parameter; half of it is run too")
    ]
    boxes: Annotated[Count, Field(description="number of boxes, the first of the derivatives' ones")]

    def cosmologies(self, cosmology: CosmologyConfig) -> dict[str, dict[str, float]]:
        """Parameters by name of the cosmology: `fiducial`, `<parameter>_plus`, `_minus`, `_plus_half`, `_minus_half`."""
        fiducial = cosmology.model_dump()
        shifts = {"plus": 1.0, "minus": -1.0, "plus_half": 0.5, "minus_half": -0.5}
        shifted = {
            f"{name}_{label}": {**fiducial, name: fiducial[name] + shift * step}
            for name, step in self.steps.items()
            for label, shift in shifts.items()
        }
        return {"fiducial": fiducial, **shifted}


class Config(Section):
    """A complete experiment."""

    run: Annotated[Name, Field(description="name of the run; outputs go to results/<run>/")]
    cosmology: CosmologyConfig
    simulation: SimulationConfig
    lightcone: LightconeConfig
    survey: SurveyConfig
    covariance: SeedsConfig
    derivatives: DerivativesConfig
    boxes_per_batch: Annotated[Count, Field(description="boxes that one job simulates")]
    statistics: StatisticsConfig
    forecast: ForecastConfig
    finite_differences: FiniteDifferencesConfig

    @property
    def border_pixels(self) -> int:
        """Pixels cut at each side of a map: the reach of the largest starlet in use, the same for all statistics."""
        return self.lightcone.border_pixels(max(map(self.lightcone.starlet_level, self.statistics.scales_arcmin)))

    @property
    def analysis_pixels(self) -> int:
        """Pixels per side of the region that all statistics are measured on."""
        return self.lightcone.pixels - 2 * self.border_pixels

    @property
    def analysis_area_deg2(self) -> float:
        """Area of that region [deg^2]."""
        return (self.analysis_pixels * self.lightcone.pixel_arcmin / ARCMIN_PER_DEGREE) ** 2

    @property
    def cosmologies(self) -> dict[str, dict[str, float]]:
        """Parameters by name of the cosmology: `fiducial` and those of the finite differences."""
        return self.finite_differences.cosmologies(self.cosmology)

    @property
    def batches(self) -> dict[str, dict[str, range]]:
        """Seeds by section (`covariance`, `derivatives`, `finite_differences`) and name of the batch.

        Batches are fixed ranges of seeds, named by their first and last one: more boxes are more batches, and
        the batches of the finite differences are the first of the derivatives.
        """
        seeds = {
            "covariance": self.covariance.seeds,
            "derivatives": self.derivatives.seeds,
            "finite_differences": self.derivatives.seeds[: self.finite_differences.boxes],
        }
        return {section: _split(section_seeds, self.boxes_per_batch) for section, section_seeds in seeds.items()}


def _split(seeds: range, size: int) -> dict[str, range]:
    """Ranges of `size` seeds by name."""
    ranges = (seeds[start : start + size] for start in range(0, len(seeds), size))
    return {f"seeds_{batch[0]}_{batch[-1]}": batch for batch in ranges}
