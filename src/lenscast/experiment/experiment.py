"""The description of an experiment: all sections together, and what follows from several of them at once."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from lenscast.parameters import NUISANCE, PARAMETERS, PER_SOURCE, expanded
from lenscast.sections.box import FixedSteps, NoCorrection, Simulation
from lenscast.sections.cosmology import FiducialCosmology
from lenscast.sections.distribution import Distribution
from lenscast.sections.field_level import FieldLevel
from lenscast.sections.forecast import FiniteDifferences, ForecastSection, Resolution
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.section import Name, Section
from lenscast.sections.seeds import DerivativeSeeds, Seeds
from lenscast.sections.simulation_based import SimulationBased
from lenscast.sections.survey import NoBaryons, PlaneSources, Survey, SystematicsSection
from lenscast.sections.validation import Validation
from lenscast.statistics import Statistic
from lenscast.statistics.registry import statistics_from_config

SHIFTS = {"plus": 1.0, "minus": -1.0, "plus_half": 0.5, "minus_half": -0.5}
"""Steps of the finite differences in units of the step of a parameter, by the end of the name of a cosmology."""

VARIANTS = ("plain", "corrected", "refined", "born", "ray_tracing")
"""Simulations of the same boxes that the validation compares."""


class Experiment(Section):
    """A complete experiment: what is simulated, measured and forecast.

    It is frozen, hashable and free of JAX. The functions of the pipeline take it, or its sections, as they are.
    """

    run: Name = Field(description="name of the run; outputs go to results/<run>/")
    cosmology: FiducialCosmology
    simulation: Simulation
    lightcone: Lightcone
    survey: Survey
    systematics: SystematicsSection
    covariance: Seeds
    derivatives: DerivativeSeeds
    boxes_per_batch: int = Field(ge=1, le=10**6, description="boxes that one job simulates")
    simulated: Literal["kept", "temporary"] = Field(
        description="maps and planes: kept, so that new statistics need no simulation, or temporary, until measured"
    )
    left_out_seeds: tuple[int, ...] = Field(description="seeds that covariance and derivatives go without")
    statistics: Annotated[dict[Name, SerializeAsAny[Statistic]], BeforeValidator(statistics_from_config)] = Field(
        description="statistics that are measured on every map, by name"
    )
    forecast: ForecastSection
    resolution: Resolution
    finite_differences: FiniteDifferences
    validation: Validation
    distribution: Distribution = Distribution()
    field_level: FieldLevel = Field(default=FieldLevel(), description="posteriors given one map; may be left out")
    simulation_based: SimulationBased = Field(
        default=SimulationBased(), description="posteriors learnt from simulations; may be left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _share_the_box(cls, values: Any) -> Any:
        """The lightcone cuts its planes from the box of the simulation."""
        return share_the_box(values)

    @property
    def sources(self) -> int:
        """Number of source bins."""
        return self.survey.sources.number

    @property
    def fiducial(self) -> dict[str, float]:
        """Value of every parameter that a forecast can have, by name."""
        of_source = [name for each in PER_SOURCE for name in expanded(each, self.sources)]
        return {**self.cosmology.model_dump(), **self.systematics.values, **dict.fromkeys(of_source, 0.0)}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of the forecast; each source has its own of those that it does not share."""
        return tuple(name for each in self.forecast.parameters for name in expanded(each, self.sources))

    @property
    def nuisance(self) -> tuple[str, ...]:
        """Parameters of the forecast that are not cosmological."""
        cosmological = type(self.cosmology).model_fields
        return tuple(name for name in self.parameters if name not in cosmological)

    @property
    def tangents(self) -> tuple[str, ...]:
        """Parameters whose tangents are stored with the maps: all but those that enter in the map itself."""
        return tuple(name for name in self.forecast.parameters if PARAMETERS[name].enters != "map")

    @property
    def priors(self) -> dict[str, float]:
        """Standard deviation of each prior by parameter."""
        priors: dict[str, float] = {}
        for name, width in self.forecast.priors.items():
            names = expanded(name, self.sources)
            priors |= dict(zip(names, width if isinstance(width, tuple) else len(names) * [width], strict=True))
        return priors

    @property
    def prior_ranges(self) -> dict[str, tuple[float, ...]]:
        """Ends of the prior of simulation-based inference by parameter."""
        ranges = self.simulation_based.ranges
        return {each: ends for name, ends in ranges.items() for each in expanded(name, self.sources)}

    @property
    def steps(self) -> dict[str, float]:
        """Step of each finite difference by parameter."""
        steps = self.finite_differences.steps
        return {each: step for name, step in steps.items() for each in expanded(name, self.sources)}

    @property
    def cosmologies(self) -> dict[str, dict[str, float]]:
        """Values of all parameters by name of the simulation: `fiducial` and those of the finite differences."""
        found = {"fiducial": self.fiducial}
        for name, step in self.steps.items():
            for end, shift in SHIFTS.items():
                found[f"{name}_{end}"] = {**self.fiducial, name: self.fiducial[name] + shift * step}
        return found

    @property
    def batches(self) -> dict[str, dict[str, range]]:
        """Seeds by section (`covariance`, `derivatives`, `resolution`, ...) and batch.

        A batch is a fixed range of seeds, named by the first and the last one: more boxes are more batches and change
        none. Seeds that are left out stay in their batch, but a batch of nothing else is left out too. The levels of
        resolution and the finite differences use the first seeds of the derivatives; `coarse_only` are boxes of
        `resolution` with seeds of their own. Batches of the validation hold one
        box each, since the finer simulations take long.
        """
        seeds = {
            "covariance": self.covariance.seeds,
            "derivatives": self.derivatives.seeds,
            "resolution": self.derivatives.seeds[: self.resolution.boxes],
            "coarse_only": self.resolution.coarse_only.seeds if self.resolution.coarse_only else range(0),
            "finite_differences": self.derivatives.seeds[: self.finite_differences.boxes],
            "simulation_based": self.simulation_based.seeds,
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

    def variant(self, name: str) -> "Experiment":
        """The experiment of the same boxes that the validation compares.

        All variants have the phases of the finest simulation, sources of the validation and planes up to the farthest
        of them: `plain` has no correction, `corrected` that of the config, `refined` more particles; `born` and
        `ray_tracing` are the corrected simulation in these projections.

        Parameters
        ----------
        name
            One of `VARIANTS`.

        Raises
        ------
        ValueError
            If there is no such variant.
        """
        if name not in VARIANTS:
            raise ValueError(f"variant {name!r}: give one of {', '.join(VARIANTS)}")
        validation, simulation = self.validation, self.simulation
        particles = validation.refinement * simulation.particles
        changes: dict[str, Any] = {"noise_size": particles}
        if name in ("plain", "refined"):
            changes["correction"] = NoCorrection(kind="none")
        if name == "refined":
            changes |= {"particles": particles, "integrator": validation.integrator}
        projection = name if name in ("born", "ray_tracing") else self.lightcone.projection
        view = {"planes": validation.planes(self.cosmology, self.lightcone.thickness), "projection": projection}
        sources = PlaneSources(kind="planes", z=validation.z_source)
        survey = {"sources": sources, "n_gal": sources.number * (max(self.survey.n_gal),)}
        dark_matter_only = dict.fromkeys((each for each in NUISANCE if each in SystematicsSection.model_fields), 0.0)
        systematics = {**dark_matter_only, "baryons": NoBaryons(kind="none")}
        sections = {"simulation": changes, "lightcone": view, "survey": survey, "systematics": systematics}
        return self.model_copy(
            update={section: getattr(self, section).model_copy(update=each) for section, each in sections.items()}
        )

    def coarser(self, level: str) -> "Experiment":
        """The experiment of the same boxes at half of one resolution, with the same phases and views.

        Parameters
        ----------
        level
            ``particles``, with which the meshes of forces and planes are halved too; ``steps`` of time, where adaptive
            ones get ten times the tolerance; or ``plane_mesh``.

        Raises
        ------
        ValueError
            If there is no such level.
        """
        simulation, lightcone = self.simulation, self.lightcone
        changes: dict[str, Any] = {}
        if level in ("particles", "plane_mesh"):
            lightcone = lightcone.model_copy(update={"plane_mesh": lightcone.plane_mesh // 2})
        if level == "particles":
            changes = {
                "particles": simulation.particles // 2,
                "noise_size": simulation.noise_size or simulation.particles,
            }
        elif level == "steps":
            integrator = simulation.integrator
            coarser: dict[str, float] = (
                {"steps": -(-integrator.steps // 2)}
                if isinstance(integrator, FixedSteps)
                else {"rtol": 10 * integrator.rtol, "atol": 10 * integrator.atol}
            )
            changes = {"integrator": integrator.model_copy(update=coarser)}
        elif level != "plane_mesh":
            raise ValueError(f"level {level!r}: give particles, steps or plane_mesh")
        return self.model_copy(update={"simulation": simulation.model_copy(update=changes), "lightcone": lightcone})

    def measuring(self, *names: str) -> "Experiment":
        """The experiment with some of its statistics only.

        The region of the maps is the one that these statistics leave; without the others it may be larger.
        """
        return self.model_copy(update={"statistics": {name: self.statistics[name] for name in names}})


def share_the_box(values: Any) -> Any:
    """Sections of a config with the side of the box in the lightcone too."""
    if not isinstance(values, Mapping):
        return values
    simulation, lightcone = values.get("simulation"), values.get("lightcone")
    box_size = simulation.get("box_size") if isinstance(simulation, Mapping) else getattr(simulation, "box_size", None)
    if isinstance(lightcone, Mapping):
        return {**values, "lightcone": {**lightcone, "box_size": box_size}}
    return values


def _split(seeds: range, size: int) -> dict[str, range]:
    """Ranges of `size` seeds by name."""
    batches = (seeds[start : start + size] for start in range(0, len(seeds), size))
    return {f"seeds_{batch[0]}_{batch[-1]}": batch for batch in batches}
