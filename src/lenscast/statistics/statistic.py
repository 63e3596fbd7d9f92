"""What a summary statistic is.

All statistics of a data vector are measured on one `Region`, through one `ShapeNoise`. Which statistics there are, and
the border of the region that follows from a config, is `registry`'s business.
"""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

import equinox as eqx
from jaxtyping import Array, Float, Float64

from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise

__all__ = ["Bin", "Statistic"]


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


class Statistic(eqx.Module):
    """Summary statistic of the convergence maps of all sources, seen through shape noise.

    `measured` is what a survey reports; its scatter is the covariance. `expected` estimates the mean of `measured` over
    the noise without bias, and so does its derivative: it gives the mean and the Jacobian. The two are kept apart
    because counts have a mean that is differentiable, but are not so themselves. Where `expected` is the same for all
    noise, `needs_noise` is False. Maps of noise are realisations of `noise`.
    """

    needs_noise: ClassVar[bool] = True
    name: eqx.AbstractVar[str]
    region: eqx.AbstractVar[Region]
    noise: eqx.AbstractVar[ShapeNoise]

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
