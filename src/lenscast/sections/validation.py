"""Section that decides how the maps are validated."""

import math

from pydantic import Field

from lenscast.geometry import comoving_distance

from .box import Integrator
from .cosmology import FlatCosmology
from .seeds import Seeds
from .survey import Redshifts


class Validation(Seeds):
    """Boxes whose maps are compared with those of a finer simulation of the same boxes, and with theory."""

    boxes: int = Field(ge=2, le=10**6, description="number of boxes, each one simulated coarse and fine")
    z_source: Redshifts = Field(
        min_length=1, description="redshifts of the sources, increasing; the planes reach behind the last one"
    )
    refinement: int = Field(ge=2, le=16, description="particles per side of the finer simulation / those of simulation")
    integrator: Integrator = Field(
        discriminator="kind", description="time integration of the finer simulation, as of simulation"
    )

    def planes(self, cosmology: FlatCosmology, thickness: float) -> int:
        """Number of planes of this thickness [Mpc/h] that reach behind the sources."""
        return math.ceil(comoving_distance(self.z_source[-1], cosmology) / thickness)
