"""Section of the lens planes and of the maps that look through them; `lenscast.lensing` takes it as it is.

Convention: plane i is a slab of the box, box_size / slabs_per_box thick and centred on chi_i = (i + 1/2) thickness,
whatever the cosmology.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from lenscast.sections.section import Section

MOST_PLANES = 10_000
"""Lens planes of half a Mpc/h up to redshift 5."""


class Lightcone(Section):
    """Lens planes cut from the box, and the maps that look through them."""

    box_size: SkipJsonSchema[float] = Field(
        gt=0.0, le=1e5, exclude=True, description="comoving side of the box [Mpc/h]; a config gives it in simulation"
    )
    # slabs thinner than 0.1 Mpc/h are thinner than what a mesh resolves; a map of 2^30 pixels takes 4 GB
    slabs_per_box: int = Field(ge=1, le=1000, description="slabs that a box is cut into, each as thick as a plane")
    planes: int = Field(
        ge=1, le=MOST_PLANES, description="number of lens planes; the last one ends behind every source"
    )
    plane_mesh: int = Field(ge=8, le=65_536, description="mesh points per side of a plane")
    # from a few arcseconds, the size of galaxies, to where a flat sky is 1 % off
    field_deg: float = Field(ge=1e-3, le=20.0, description="side of the square map on a flat sky [deg]")
    pixels: int = Field(ge=16, le=32_768, multiple_of=2, description="pixels per side of the map")
    realisations_per_box: int = Field(
        default=1,
        ge=1,
        le=10**9,
        description="maps from one box, each with its own rotations, flips and shifts",
    )
    projection: Literal["born", "ray_tracing"] = Field(
        default="born", description="how light travels: straight (born), or deflected by every plane (ray_tracing)"
    )

    @property
    def thickness(self) -> float:
        """Thickness of a plane [Mpc/h]."""
        return self.box_size / self.slabs_per_box

    @property
    def chi(self) -> Float[np.ndarray, " plane"]:
        """Comoving distance to the middle of each plane, nearest first [Mpc/h]."""
        return (np.arange(self.planes) + 0.5) * self.thickness

    @property
    def angles(self) -> Float[np.ndarray, " pixel"]:
        """Angle of pixel centres from the middle of the field, along one side [rad]."""
        return np.deg2rad(self.field_deg) * ((np.arange(self.pixels) + 0.5) / self.pixels - 0.5)

    @property
    def pixel_arcmin(self) -> float:
        """Side of a pixel [arcmin]."""
        return 60.0 * self.field_deg / self.pixels
