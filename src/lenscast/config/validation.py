"""Section of the config that decides how the maps are validated, and its check."""

import math
from collections.abc import Iterator

from pydantic import Field

from .errors import Problem
from .geometry import comoving_distance
from .section import IncreasingPositive
from .simulation import AdaptiveSteps, CosmologyConfig, FixedSteps, LightconeConfig, SeedsConfig, SimulationConfig


class ValidationConfig(SeedsConfig):
    """Maps beside those of a finer simulation of the same boxes, and beside theory."""

    boxes: int = Field(ge=2, le=10**6, description="number of boxes, each one simulated coarse and fine")
    z_source: IncreasingPositive = Field(
        min_length=1, description="redshifts of the sources, increasing; the planes reach behind the last one"
    )
    refinement: int = Field(ge=2, le=16, description="particles per side of the finer simulation / those of simulation")
    integrator: FixedSteps | AdaptiveSteps = Field(
        discriminator="kind", description="time integration of the finer simulation, as of simulation"
    )

    def planes(self, cosmology: CosmologyConfig, thickness: float) -> int:
        """Number of planes of this thickness [Mpc/h] that reach behind the sources."""
        return math.ceil(comoving_distance(self.z_source[-1], cosmology) / thickness)


def check_validation(
    cosmology: CosmologyConfig, simulation: SimulationConfig, lightcone: LightconeConfig, validation: ValidationConfig
) -> Iterator[Problem]:
    """The planes in front of the farthest source end after the simulation starts."""
    thickness = simulation.box_size / lightcone.slabs_per_box
    planes = validation.planes(cosmology, thickness)
    chi_start = comoving_distance(1.0 / simulation.a_start - 1.0, cosmology)
    if planes * thickness > chi_start:
        yield Problem(
            "validation.z_source",
            f"z_source = {validation.z_source[-1]:g} needs {planes} planes of {thickness:g} Mpc/h up to chi = "
            f"{planes * thickness:.0f}, before the simulation starts at a = {simulation.a_start:g} "
            f"(chi = {chi_start:.0f}); lower it or simulation.a_start",
        )
