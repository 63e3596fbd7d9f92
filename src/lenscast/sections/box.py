"""Sections of a periodic particle-mesh box: its resolution, how particles move, and the correction of small scales.

`lenscast.gravity` takes these sections as they are.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lenscast import trained
from lenscast.sections.errors import did_you_mean
from lenscast.sections.input_file import InputWeights
from lenscast.sections.section import Section

LARGEST_SIDE = 16384
"""Particles or mesh points per side: 4e12 in all, as in the largest simulations there are."""


class ParticleMesh(Section):
    """Resolution of a particle-mesh simulation."""

    # from a halo to the universe that is observable, about 2e4 Mpc/h; what a mesh of this size takes is another matter
    box_size: float = Field(ge=0.1, le=1e5, description="comoving side of the box [Mpc/h]")
    particles: int = Field(ge=4, le=LARGEST_SIDE, multiple_of=2, description="particles per side of the box")
    mesh_factor: int = Field(default=1, ge=1, le=64, description="force mesh points per particle spacing")
    gradient: Literal["spectral", "finite_difference"] = Field(
        default="spectral",
        description="gradient of the potential on the mesh: spectral, exact for each Fourier mode, or "
        "finite_difference, over 4 points, softer and with half the Fourier transforms",
    )

    @property
    def mesh_size(self) -> int:
        """Force mesh points per side."""
        return self.particles * self.mesh_factor

    @property
    def cell_size(self) -> float:
        """Spacing of the force mesh [Mpc/h]."""
        return self.box_size / self.mesh_size


class FixedSteps(Section):
    """Growth-matched symplectic steps, uniform in the linear growth factor."""

    kind: Literal["bullfrog", "fastpm"] = Field(
        description="bullfrog (arXiv:2409.19049, exact to 2LPT in a step) or fastpm (arXiv:1603.00476)"
    )
    steps: int = Field(ge=1, le=10_000, description="number of steps from a_start to the last output")


class AdaptiveSteps(Section):
    """Adaptive Runge-Kutta steps of diffrax."""

    kind: Literal["tsit5", "dopri5"] = Field(description="Runge-Kutta solver of fifth order")
    rtol: float = Field(ge=1e-7, le=0.1, description="relative tolerance of a step; float32 resolves 1e-7")
    atol: float = Field(ge=1e-9, le=10.0, description="absolute tolerance of positions [Mpc/h] and momenta [H0 Mpc/h]")
    max_steps: int = Field(default=512, ge=1, le=10**6, description="number of steps beyond which a solve fails")


Integrator = FixedSteps | AdaptiveSteps


class StartSection(Section):
    """How a simulation starts, and its force mesh."""

    mesh_factor: Literal[1, 2] = Field(description="force mesh points per particle spacing")
    # before a = 0.001 radiation, which is left out, decides how structure grows
    a_start: float = Field(ge=0.001, lt=1.0, description="scale factor of the LPT start")
    lpt_order: Literal[1, 2] = Field(description="order of the LPT start")
    gradient: Literal["spectral", "finite_difference"] = Field(description="gradient of the potential on the mesh")

    def mesh(self, box_size: float, particles: int) -> "ParticleMesh":
        """The box and the force mesh of a simulation that starts so.

        Parameters
        ----------
        box_size
            Comoving side of the box [Mpc/h].
        particles
            Particles per side.
        """
        return ParticleMesh(
            box_size=box_size, particles=particles, mesh_factor=self.mesh_factor, gradient=self.gradient
        )


class MethodSection(StartSection):
    """How particles move: what a simulation has apart from its box."""

    integrator: Integrator = Field(
        discriminator="kind",
        description="time integration: bullfrog and fastpm have steps, tsit5 and dopri5 have rtol and atol",
    )


def _shipped_or_path(name: str) -> str:
    """Refuse a name that is neither of shipped weights nor a path."""
    if not trained.is_path(name) and name not in trained.shipped():
        raise ValueError(
            f"no weights {name} come with the package{did_you_mean(name, trained.shipped())}; a path has a / in it or "
            "ends in .json"
        )
    return name


class NoCorrection(Section):
    """The particle mesh without a correction."""

    kind: Literal["none"] = Field(description="none: the particle mesh as it is")


class TrainedCorrection(Section):
    """A correction of small scales with trained weights."""

    kind: Literal["hpn", "pgd"] = Field(description="hpn (of the force, arXiv:2207.05509) or pgd (arXiv:1804.00671)")
    weights: Annotated[InputWeights, AfterValidator(_shipped_or_path)] = Field(
        description="name of weights that come with the package, or path of a file that `train_correction` made"
    )


class Simulation(MethodSection, ParticleMesh):
    """One periodic particle-mesh box."""

    particles: int = Field(ge=8, le=LARGEST_SIDE, multiple_of=2, description="particles per side of the box")
    mesh_factor: Literal[1, 2] = Field(description="force mesh points per particle spacing")
    gradient: Literal["spectral", "finite_difference"] = Field(description="gradient of the potential on the mesh")
    correction: NoCorrection | TrainedCorrection = Field(
        discriminator="kind", description="correction of small scales: none, or hpn and pgd, which have weights"
    )
    noise_size: int | None = Field(
        default=None,
        ge=8,
        le=LARGEST_SIDE,
        description="points per side on which the white noise of the initial field is drawn; boxes with the same seed "
        "and noise_size share their large-scale modes at any number of particles; by default the particles per side",
    )
