"""The config of a training: which simulations a correction learns from, and how."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lenscast.sections.section import IncreasingPositive, Name, Positive, Section

from .box import LARGEST_SIDE, AdaptiveSteps, Integrator, MethodSection, StartSection
from .cosmology import FiducialCosmology

Density = Annotated[float, Field(gt=0.0, lt=1.0)]
StepNumbers = tuple[Annotated[int, Field(ge=1, le=10_000)], ...]
NonNegative = Annotated[float, Field(ge=0.0, le=1e12)]


class HPNNetwork(Section):
    """The network that sees the wavenumber and how nonlinear the density is on the scale of the mesh."""

    kind: Literal["hpn"] = Field(description="hpn: a function of k in units of the mesh and of ln sigma there")
    width: int = Field(ge=1, le=256, description="units in each of two hidden layers")
    ln_sigma_range: tuple[float, float] = Field(
        description="smallest and largest ln sigma, the rms linear density on the scale of the mesh, that is trained"
    )

    @model_validator(mode="after")
    def _a_range(self) -> "HPNNetwork":
        low, high = self.ln_sigma_range
        if low >= high:
            raise ValueError(f"ln_sigma_range = [{low:g}, {high:g}]; give the smaller one first")
        return self


class PublishedNetwork(Section):
    """The network of Lanzieri et al. (2022)."""

    kind: Literal["published"] = Field(description="published: a spline of k that depends on a (arXiv:2207.05509)")


class Loss(Section):
    """Weights of the terms of the loss, means over snapshots."""

    position: NonNegative = Field(description="weight of the mean squared distance of particles [cells^2]")
    power: NonNegative = Field(description="weight of the mean of ln(1 + ((P / P_ref - 1) / 0.05)^2) over ln k")
    correlation: NonNegative = Field(description="weight of the mean of ln(1 + (1 - r) / 1e-4) over ln k")

    @model_validator(mode="after")
    def _some_weight(self) -> "Loss":
        if self.position == self.power == self.correlation == 0.0:
            raise ValueError("position, power and correlation are 0; give at least one of them a weight")
        return self


class _Reference(Section):
    """What all references have."""

    weight: Positive = Field(description="weight of its loss")
    trained_steps: StepNumbers | None = Field(
        default=None,
        min_length=1,
        description="numbers of steps of the simulation that learns from this reference; by default those of the "
        "training",
    )


class ParticleMeshReference(_Reference):
    """A simulation of our own: the same particles on a finer mesh, with more steps."""

    kind: Literal["particle_mesh"] = Field(description="particle_mesh: our own, on a finer mesh")
    box_size: Positive = Field(description="comoving side of the box [Mpc/h]")
    particles: int = Field(ge=8, le=LARGEST_SIDE, multiple_of=2, description="particles per side of the box")
    Omega_m: Density = Field(description="matter density today; Omega_b stays that of the cosmology")
    seed: int = Field(ge=0, lt=2**31, description="seed of the initial field")
    mesh_factor: int = Field(ge=2, le=16, description="mesh points of the reference per particle spacing")
    steps: int = Field(ge=1, le=10_000, description="bullfrog steps of the reference")
    sharpening: float = Field(
        default=0.0,
        ge=0.0,
        le=3.0,
        description="gain of the potential of the reference near its own mesh, beyond the windows that are undone",
    )


class SnapshotsReference(_Reference):
    """Snapshots of an N-body code in Gadget's format."""

    kind: Literal["snapshots"] = Field(description="snapshots: of an N-body code, in Gadget's HDF5 format")
    files: tuple[str, ...] = Field(
        min_length=2, description="paths, the earliest first, which is where simulations start"
    )
    order: Literal["grid", "camels"] = Field(description="of the particle IDs, see `lenscast.io.read_snapshot`")
    subsample: int = Field(ge=1, le=1000, description="keep every n-th particle along each axis")


ReferenceSection = Annotated[ParticleMeshReference | SnapshotsReference, Field(discriminator="kind")]


class ReferenceDescription(Section):
    """What a reference depends on: not the steps of the simulation that learns from it, nor its weight there."""

    cosmology: FiducialCosmology
    a: IncreasingPositive
    simulation: StartSection
    reference: ReferenceSection


class Training(Section):
    """A complete training."""

    run: Name = Field(description="name of the training; outputs go to results/training/<run>/")
    cosmology: FiducialCosmology
    simulation: MethodSection
    steps: StepNumbers | None = Field(
        default=None,
        min_length=1,
        description="numbers of steps of the simulation in a training, one drawn at random for each step of Adam; by "
        "default that of simulation.integrator, with which the result is compared with the references",
    )
    a: IncreasingPositive = Field(
        min_length=1, description="scale factors at which references of kind particle_mesh are kept, increasing, to 1"
    )
    network: Annotated[HPNNetwork | PublishedNetwork, Field(discriminator="kind")] = Field(
        description="what is trained: hpn has width and ln_sigma_range"
    )
    loss: Loss
    epochs: int = Field(ge=1, le=10**6, description="passes through all references")
    learning_rate: float = Field(gt=0.0, le=1.0, description="of Adam at the start; it falls to 0 as a cosine")
    seed: int = Field(ge=0, lt=2**31, description="of the initial weights and of the order of the references")
    references: dict[Name, ReferenceSection] = Field(min_length=1, description="simulations to be reproduced, by name")
    validation: dict[Name, ReferenceSection] = Field(
        description="simulations that are not trained on but compared with, by name; {} for none"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "Training":
        if not self.simulation.a_start < self.a[0] <= self.a[-1] <= 1.0:
            raise ValueError(
                f"a = {list(self.a)} and simulation.a_start = {self.simulation.a_start:g}; give scale factors above "
                "a_start and up to 1"
            )
        integrator = self.simulation.integrator
        numbers = {"steps": self.steps}
        numbers |= {f"{name}.trained_steps": each.trained_steps for name, each in self.simulations.items()}
        for key, steps in numbers.items():
            if steps is None or not isinstance(integrator, AdaptiveSteps):
                continue
            raise ValueError(
                f"{key} = {list(steps)}, but simulation.integrator.kind = {integrator.kind} chooses its steps "
                f"itself; remove {key}, or give bullfrog or fastpm"
            )
        twice = sorted(self.references.keys() & self.validation.keys())
        if twice:
            raise ValueError(f"{', '.join(twice)} in references and in validation; rename or remove one")
        for name, each in self.simulations.items():
            if isinstance(each, ParticleMeshReference) and each.mesh_factor <= self.simulation.mesh_factor:
                raise ValueError(
                    f"{name} has mesh_factor = {each.mesh_factor}, no finer than the trained simulation's "
                    f"({self.simulation.mesh_factor}); raise it"
                )
            if isinstance(each, ParticleMeshReference) and each.Omega_m <= self.cosmology.Omega_b:
                raise ValueError(
                    f"{name} has Omega_m = {each.Omega_m:g}, of which cosmology.Omega_b = {self.cosmology.Omega_b:g} "
                    "leaves nothing for dark matter; raise it"
                )
        return self

    def integrators(self, name: str) -> tuple[Integrator, ...]:
        """Time integrations of the simulation that learns from a reference."""
        integrator, steps = self.simulation.integrator, self.references[name].trained_steps or self.steps
        if steps is None or isinstance(integrator, AdaptiveSteps):
            return (integrator,)
        return tuple(integrator.model_copy(update={"steps": each}) for each in steps)

    @property
    def all_steps(self) -> tuple[int, ...] | None:
        """Numbers of steps in the training, increasing; None where only those of the simulation are trained."""
        listed = [each.trained_steps or self.steps for each in self.references.values()]
        if not any(listed) or isinstance(self.simulation.integrator, AdaptiveSteps):
            return None
        found = (steps or (self.simulation.integrator.steps,) for steps in listed)
        return tuple(sorted({each for steps in found for each in steps}))

    @property
    def simulations(self) -> dict[str, ParticleMeshReference | SnapshotsReference]:
        """References and validation together."""
        return {**self.references, **self.validation}

    def reference(self, name: str) -> ReferenceDescription:
        """What a reference depends on, by its name."""
        start = StartSection.model_validate(self.simulation.model_dump(exclude={"integrator"}))
        reference = self.simulations[name].model_copy(update={"weight": 1.0, "trained_steps": None})
        return ReferenceDescription(cosmology=self.cosmology, a=self.a, simulation=start, reference=reference)
