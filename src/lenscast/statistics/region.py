"""The part of the sky that all statistics of a data vector share.

Convention: convergence maps are not periodic, so that a filtered map is right only where the filter does not reach over
an edge. All statistics of a data vector are measured on one square `Region`, the map without a border as wide as the
farthest reach of any of them. Their Fisher matrices then scale alike, with the survey area over the area of the region
that is not masked (`ShapeNoise.area_deg2`).
"""

from dataclasses import dataclass
from math import radians
from typing import Any

from jaxtyping import Float

__all__ = ["Region"]


@dataclass(frozen=True)
class Region:
    """Square of the sky on which all statistics of a data vector are measured.

    Attributes
    ----------
    pixels
        Pixels per side of the whole map.
    field_deg
        Side of the whole map [deg].
    border
        Pixels cut from each side of the map.

    Raises
    ------
    ValueError
        If the border leaves less than a quarter of the map's side.
    """

    pixels: int
    field_deg: float
    border: int

    def __post_init__(self) -> None:
        if 4 * self.side < self.pixels:
            raise ValueError(
                f"a border of {self.border} pixels leaves {max(self.side, 0)} of {self.pixels} pixels per side, less "
                "than a quarter; leave out the largest starlet scale or widen field_deg"
            )

    @property
    def side(self) -> int:
        """Pixels per side of the region."""
        return self.pixels - 2 * self.border

    @property
    def pixel_arcmin(self) -> float:
        """Side of a pixel [arcmin]."""
        return 60.0 * self.field_deg / self.pixels

    @property
    def pixel_radian(self) -> float:
        """Side of a pixel [rad]."""
        return radians(self.field_deg / self.pixels)

    @property
    def area_deg2(self) -> float:
        """Sky area that one map contributes [deg^2]."""
        return (self.side * self.field_deg / self.pixels) ** 2

    def crop(self, maps: Float[Any, "*maps y x"], margin: int = 0) -> Float[Any, "*maps y2 x2"]:
        """Part of the maps inside the region.

        Parameters
        ----------
        maps
            Maps that have the same centre as the region.
        margin
            Width of the frame around the region that is kept too [pixels].
        """
        cut = (maps.shape[-1] - self.side) // 2 - margin
        inside = slice(cut, maps.shape[-1] - cut)
        return maps[..., inside, inside]
