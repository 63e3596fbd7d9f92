"""What a summary statistic is: a section of the config that measures maps.

A statistic is one file. Its fields are the keys of its section in the config; its methods say how far it reaches, which
bins it has, and how it is measured. Files of statistics import JAX inside the methods that measure only, because the
workflow reads configs in a process that must not load it.

All statistics of a data vector are measured on one `Region`, through one `ShapeNoise`: an `Observation`.
"""

import abc
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, NotRequired, TypedDict

from jaxtyping import Float, Float64
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from lenscast.sections.input_file import InputFile
from lenscast.sections.section import Section
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise

__all__ = ["Bin", "Observation", "Statistic"]


class Bin(TypedDict):
    """Element of a data vector, by what selects it; None where an entry does not apply.

    ``source_1`` and ``source_2`` are indices of source bins, and ``source_3`` where an element is of three different
    ones. ``scale_arcmin`` is the size of the filter. ``low``, ``high`` and ``centre`` are values of what the statistic
    is binned in; an open end is None. ``unit`` is the unit of the element itself.
    """

    statistic: str
    source_1: int
    source_2: int | None
    source_3: NotRequired[int]
    scale_arcmin: float | None
    low: float | None
    high: float | None
    centre: float
    unit: str


class Observation(NamedTuple):
    """How maps are observed: the region that statistics share, and the shape noise."""

    region: Region
    noise: ShapeNoise


class Statistic(Section, abc.ABC):
    """Summary statistic of the convergence maps of all sources, seen through shape noise.

    `measured` is what a survey reports; its scatter is the covariance. `expected` estimates the mean of `measured` over
    the noise without bias, and so does its derivative. The two are kept apart because counts have a mean that is
    differentiable, but are not differentiable themselves. `estimate` has the means of `expected` and draws its random
    numbers itself: it gives the mean of the data vector and its Jacobian. A statistic that knows no better way than a
    map of noise leaves `estimate` as it is.

    Class attributes: `label` names the statistic in figures, `axis` what it is binned in; `needs_noise` is False where
    `expected` is the same for all realisations of the noise; `is_count` is True where `measured` has a derivative of 0
    almost everywhere, so that finite differences of `measured` are compared with derivatives of `expected`;
    `is_spectrum` is True for power spectra, which are drawn on a logarithmic axis and from which the mean of the noise
    is subtracted, `is_plain_spectrum` for that of the maps as they are, which theory knows; `is_two_point` is True
    where the mean follows from the correlation functions of the maps, by `from_correlation`. `sacc_type` is what
    follows ``galaxy_convergence_`` in the type of its data in SACC files; without it the name of the statistic does.
    """

    label: ClassVar[str]
    axis: ClassVar[str]
    needs_noise: ClassVar[bool] = True
    is_count: ClassVar[bool] = False
    is_spectrum: ClassVar[bool] = False
    is_plain_spectrum: ClassVar[bool] = False
    is_two_point: ClassVar[bool] = False
    sacc_type: ClassVar[str] = ""

    name: SkipJsonSchema[str] = Field(
        default="", exclude=True, description="key of the section in the config, and name of the statistic in files"
    )
    kind: str | None = Field(
        default=None, description="name of the statistic that a section of another name measures; by default its own"
    )
    file: InputFile | None = Field(
        default=None, description="Python file of a statistic that does not come with lenscast, one class"
    )

    def reach(self, pixel_arcmin: float) -> int:
        """Pixels beyond the region that the statistic depends on, for pixels of this side [arcmin]."""
        return 0

    def problems(self, region: Region) -> Iterator[tuple[str, str]]:
        """Keys of the section that the maps do not allow, each with a sentence.

        Parameters
        ----------
        region
            Region that all statistics of the experiment leave.
        """
        yield from ()

    @abc.abstractmethod
    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element of the data vector, in its order."""

    def length(self, observation: Observation) -> int:
        """Number of bins; statistics whose bins take long to list say it without listing them."""
        return len(self.bins(observation))

    @abc.abstractmethod
    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Statistic of the noisy maps kappa + noise."""

    @abc.abstractmethod
    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Estimate, from one realisation of the noise, of the mean of `measured`; differentiable in kappa."""

    def from_correlation(
        self, correlation: Float64[Any, "pair lag lag"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Mean of `measured` over the noise, for maps with these correlation functions; linear in them.

        Parameters
        ----------
        correlation
            Mean of kappa_1 kappa_2 for all pairs of sources, at the lags 0, 1, ... pixels along y and x, even in both.
        observation
            Region and shape noise.
        """
        raise NotImplementedError(f"the correlation functions of the maps do not say what the mean of {self.name} is")

    def estimate(self, kappa: Float[Any, "source y x"], key: Any, observation: Observation) -> Float64[Any, " bin"]:
        """Estimate, from random numbers of its own, of the mean of `measured`; differentiable in kappa.

        Value and derivative have the means of those of `expected`, and may scatter less: the random numbers need not be
        a map of noise. Their scatter is no estimate of the scatter of `measured`.

        Parameters
        ----------
        kappa
            Convergence without noise.
        key
            Random key.
        observation
            Region and shape noise.
        """
        import jax
        import jax.numpy as jnp

        if not self.needs_noise:
            return self.expected(kappa, jnp.zeros_like(kappa), observation)
        noise = observation.noise.rms_maps() * jax.random.normal(key, kappa.shape, jnp.float32)
        return self.expected(kappa, noise, observation)

    def through_mask(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """What plain automatic differentiation takes for `measured`, for checks of derivatives."""
        return self.measured(kappa, noise, observation)
