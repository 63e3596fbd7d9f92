r"""Minkowski functionals of the filtered convergence: area, boundary and Euler characteristic above thresholds.

Conventions: nu is the filtered map over the rms of its shape noise (`filtered`); derivatives are central differences of
neighbouring pixels, per arcmin. Per area, Kratochvil et al. (2012), arXiv:1109.6334, after Schmalzing & Gorski
(1998), astro-ph/9710185:

    V0 = <Theta(nu - t)>
    V1 = <delta(nu - t) |g|> / 4                                                            [1/arcmin]
    V2 = <delta(nu - t) (2 g_x g_y h_xy - g_x^2 h_yy - g_y^2 h_xx) / |g|^2> / (2 pi)        [1/arcmin^2]

with the gradient g and the second derivatives h of nu. In V1 and V2 the delta function is 1 / width in a bin of nu, as
in LensTools (Petri 2016, arXiv:1606.01903); V0 is taken at the middle of the bin.

`minkowski_sums` has the means over the noise.
"""

from typing import Any, ClassVar, Literal

from jaxtyping import Float, Float64
from pydantic import Field

from lenscast.sections.section import Heights
from lenscast.statistics.binning import closed_intervals
from lenscast.statistics.filtered import FilteredStatistic
from lenscast.statistics.statistic import Bin, Observation

__all__ = ["Minkowski"]

UNITS = {"V0": "1", "V1": "1/arcmin", "V2": "1/arcmin^2"}


class Minkowski(FilteredStatistic):
    """One Minkowski functional of the noisy filtered maps, in bins of the threshold.

    The data vector runs over scales, sources and bins of nu, the last fastest.
    """

    axis: ClassVar[str] = r"threshold $\nu$ [S/N]"

    functional: Literal["V0", "V1", "V2"] = Field(
        description="V0: area above the threshold; V1: length of its boundary; V2: its Euler characteristic"
    )
    snr_edges: Heights = Field(min_length=2, description="edges of the bins of the threshold: n edges make n - 1 bins")

    @property
    def label(self) -> str:  # type: ignore[override]
        """Symbol of the functional."""
        return f"Minkowski $V_{self.functional[1]}$"

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element; functionals per area."""
        return self._records(observation, closed_intervals(self.snr_edges), UNITS[self.functional])

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Functional of kappa + noise."""
        import jax.numpy as jnp

        from lenscast.statistics.minkowski_sums import differences, measured_sums

        values = [
            measured_sums(self.functional, self.snr_edges, differences(snr), here.counted) / here.pixels
            for _, here, (snr,) in self._filtered(observation, jnp.add(kappa, noise))
        ]
        return self._per_area(jnp.stack(values), observation)

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Mean functional: of V0, and where depth is uniform, over all of the noise; else over the noise of nu."""
        import jax.numpy as jnp

        from lenscast.statistics.minkowski_sums import (
            differences,
            mean_sums,
            mean_sums_given_derivatives,
            noise_of_differences,
        )

        values, kind = [], (self.functional, self.snr_edges)
        is_exact = observation.noise.depth is None or self.functional == "V0"
        for level, here, snr in self._filtered(observation, kappa, noise):
            signal, drawn = (differences(each) for each in snr)
            local = noise_of_differences(self.filter, level, observation)
            if is_exact:
                sums = mean_sums(*kind, signal, here.counted, local)
            else:
                sums = mean_sums_given_derivatives(*kind, signal, drawn, here.counted, local)
            values.append(sums / here.pixels)
        return self._per_area(jnp.stack(values), observation)

    def _margin(self) -> int:
        """Neighbours of the differences."""
        return 1

    def _per_area(
        self, values: Float64[Any, "scale source threshold"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Functionals per arcmin, from those per pixel side."""
        return values.ravel() / observation.region.pixel_arcmin ** ["V0", "V1", "V2"].index(self.functional)
