"""What a summary statistic is, and the part of the sky that all statistics of a data vector share.

Convention: convergence maps are not periodic, so that a filtered map is right only where the filter does not reach over
an edge. All statistics of a data vector are measured on one square `Region`, the map less a border as wide as the
farthest reach of any of them. Their Fisher matrices then scale alike, with survey area / `Region.area_deg2`.

Which statistics there are, and the border that follows from a config, is `registry`'s business.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from math import radians
from typing import Any, ClassVar, TypedDict

import equinox as eqx
from jaxtyping import Array, Float, Float64

__all__ = ["Bin", "Region", "Statistic"]


class Bin(TypedDict):
    """Element of a data vector, by what selects it; None where an entry does not apply.

    `source_1` and `source_2` are indices of source planes, `scale_arcmin` is the size of the starlet scale. `low`,
    `high` and `centre` are values of what the statistic is binned in, ell or S/N; an open end is None. `unit` is that
    of the element itself.
    """

    statistic: str
    source_1: int
    source_2: int | None
    scale_arcmin: float | None
    low: float | None
    high: float | None
    centre: float
    unit: str


@dataclass(frozen=True)
class Region:
    """Square of the sky on which all statistics of a data vector are measured.

    Parameters
    ----------
    pixels : pixels per side of the whole map.
    field_deg : side of the whole map [deg].
    border : pixels cut from each side.

    Raises
    ------
    ValueError : if the border leaves less than a quarter of the map's side.
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

    def crop(self, maps: Float[Array, "*maps y x"], margin: int = 0) -> Float[Array, "*maps y2 x2"]:
        """Region and so many pixels around it, of maps that have the same centre."""
        cut = (maps.shape[-1] - self.side) // 2 - margin
        inside = slice(cut, maps.shape[-1] - cut)
        return maps[..., inside, inside]


class Statistic(eqx.Module):
    """Summary statistic of the convergence maps of all sources, seen through white shape noise.

    `measured` is what a survey reports; its scatter is the covariance. `expected` estimates the mean of `measured` over
    the noise without bias, and so does its derivative: it gives the mean and the Jacobian. The two are kept apart
    because counts have a mean that is differentiable, but are not so themselves. Where `expected` is the same for all
    noise, `needs_noise` is False.
    """

    needs_noise: ClassVar[bool] = True
    name: eqx.AbstractVar[str]
    region: eqx.AbstractVar[Region]

    @staticmethod
    @abc.abstractmethod
    def border(settings: Mapping[str, Any]) -> int:
        """Pixels beyond its region that a statistic with these settings depends on."""

    @abc.abstractmethod
    def bins(self) -> list[Bin]:
        """One record per element of the data vector, in its order."""

    @abc.abstractmethod
    def measured(self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"]) -> Float64[Array, " bin"]:
        """Statistic of the noisy maps kappa + noise."""

    @abc.abstractmethod
    def expected(self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"]) -> Float64[Array, " bin"]:
        """Estimate, from one realisation of the noise, of the mean of `measured`; differentiable in kappa."""
