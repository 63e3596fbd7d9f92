"""Moments of the filtered convergence: variances and covariances, third moments of all pairs of sources, kurtosis.

Conventions: kappa_j is the map filtered to a scale, not normalised (`starlet`). Means are over the pixels of the
region that count, about 0, the mean of kappa over the sky:

    order 2    <kappa_a kappa_b>                   of all pairs of sources, the first not after the second
    order 3    <kappa_a^2 kappa_b>                 of all ordered pairs of sources, a = b among them
    order 4    <kappa_a^4> - 3 <kappa_a^2>^2       of each source, 0 for a Gaussian field on a large region

as Gatti et al. (2020), arXiv:1911.05568, have orders 2 and 3, and Petri et al. (2013), arXiv:1309.4460, order 4. Third
moments of three different sources are not measured. Moments hold the shape noise, as counts do.

The noise of two sources is independent. With its variance s^2 at a pixel the mean over the noise of order 2 is
<kappa_a kappa_b> + s_a^2 if a = b, that of order 3 <kappa_a^2 kappa_b> + s_a^2 <kappa_b>, and for a = b
<kappa^3> + 3 s^2 <kappa>: these `Moments.expected` are exact. Order 4 is a smooth function of the noisy map, and its
own estimate.
"""

from typing import Any, ClassVar, Literal

from jaxtyping import Float, Float64
from pydantic import Field

from lenscast.geometry import starlet_levels, starlet_scale
from lenscast.statistics.binning import octaves
from lenscast.statistics.filtered import FilteredStatistic, filter_rms
from lenscast.statistics.statistic import Bin, Observation

__all__ = ["Moments"]


class Moments(FilteredStatistic):
    """Moments of one order of the noisy filtered maps, against the scale.

    The data vector runs over sources or pairs of them and scales, the last fastest.
    """

    axis: ClassVar[str] = "scale [arcmin]"

    order: Literal[2, 3, 4] = Field(
        description="2: variances and covariances of sources; 3: third moments of ordered pairs; 4: connected fourth"
    )

    @property
    def label(self) -> str:  # type: ignore[override]
        """Symbol of the moment."""
        connected = "_c" if self.order == 4 else ""
        return rf"$\langle\kappa^{self.order}\rangle{connected}$"

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element, an octave in scale."""
        region, noise = observation
        scales = [starlet_scale(each, region.pixel_arcmin) for each in self._levels(observation)]
        return [
            Bin(
                statistic=self.name,
                source_1=first,
                source_2=None if noise.sources == 1 or self.order == 4 else second,
                scale_arcmin=None,
                low=interval.low,
                high=interval.high,
                centre=interval.centre,
                unit="1",
            )
            for first, second in self._pairs(noise.sources)
            for interval in octaves(scales)
        ]

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Moments of kappa + noise."""
        import jax.numpy as jnp

        return self._moments(jnp.add(kappa, noise), observation, is_noisy=True)

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Mean moments over the noise: exact for any realisation of it in orders 2 and 3, `measured` in order 4."""
        if self.order == 4:
            return self.measured(kappa, noise, observation)
        return self._moments(kappa, observation, is_noisy=False)

    def _moments(
        self, maps: Float[Any, "source y x"], observation: Observation, is_noisy: bool
    ) -> Float64[Any, " bin"]:
        """Moments of maps that have their noise, or means over the noise of maps without it."""
        import jax.numpy as jnp

        moments, rms = [], jnp.asarray(observation.noise.rms)[:, None, None]
        for level, here, (snr,) in self._filtered(observation, maps):
            noise_rms = filter_rms(self.filter, level) * rms * here.rms[None]
            kappa = snr.astype(jnp.float64) * noise_rms
            variance = jnp.zeros(()) if is_noisy else noise_rms**2
            variance = jnp.broadcast_to(variance, kappa.shape)

            def mean(values: Any, counted: Any = here.counted, pixels: int = here.pixels) -> Any:
                return jnp.sum(jnp.where(counted, values, 0)) / pixels

            def moment(a: int, b: int, kappa: Any = kappa, variance: Any = variance, mean: Any = mean) -> Any:
                same = 1.0 if a == b else 0.0
                if self.order == 2:
                    return mean(kappa[a] * kappa[b] + same * variance[a])
                if self.order == 3:
                    return mean((kappa[a] ** 2 + (1 + 2 * same) * variance[a]) * kappa[b])
                return mean(kappa[a] ** 4) - 3 * mean(kappa[a] ** 2) ** 2

            moments.append(jnp.stack([moment(*pair) for pair in self._pairs(len(kappa))]))
        return jnp.stack(moments, axis=1).ravel()

    def _levels(self, observation: Observation) -> tuple[int, ...]:
        """Starlet levels of the scales."""
        return starlet_levels(self.scales_arcmin, observation.region.pixel_arcmin)

    def _pairs(self, sources: int) -> list[tuple[int, int]]:
        """Sources of each moment, in the order of the data vector."""
        chosen = {2: lambda a, b: a <= b, 3: lambda a, b: True, 4: lambda a, b: a == b}[self.order]
        return [(a, b) for a in range(sources) for b in range(sources) if chosen(a, b)]
