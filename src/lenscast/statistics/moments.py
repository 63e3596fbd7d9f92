"""Moments of the filtered convergence: variances and covariances, third moments of up to three sources, kurtosis.

Conventions: kappa_j is the map filtered to a scale, not normalised (`starlet`). Means are over the pixels of the
region that count, about 0, the mean of kappa over the sky:

    order 2    <kappa_a kappa_b>                   of all pairs of sources a <= b
    order 3    <kappa_a kappa_b kappa_c>           of all triples of sources a <= b <= c
    order 4    <kappa_a^4> - 3 <kappa_a^2>^2       of each source, 0 for a Gaussian field on a large region

as Gatti et al. (2020), arXiv:1911.05568, have orders 2 and 3, and Petri et al. (2013), arXiv:1309.4460, order 4.
Moments hold the shape noise, as counts do.

The noise of two sources is independent. With its variance s^2 at a pixel the mean over the noise of order 2 is
<kappa_a kappa_b> + s_a^2 if a = b. That of order 3 is <kappa_a kappa_b kappa_c> for three different sources,
<kappa_a^2 kappa_b> + s_a^2 <kappa_b> for two, and <kappa^3> + 3 s^2 <kappa> for one. These `Moments.expected` are
exact. Order 4 is a smooth function of the noisy map, and its own estimate.
"""

from itertools import combinations_with_replacement
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

    The data vector runs over sources, pairs or triples of them, and scales, the last fastest.
    """

    axis: ClassVar[str] = "scale [arcmin]"

    order: Literal[2, 3, 4] = Field(
        description="2: variances and covariances; 3: third moments of up to three sources; 4: connected fourth"
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
        bins = []
        for factors in self._factors(noise.sources):
            # a third moment of two sources has the squared one first
            first, *others = factors if len({*factors}) == 3 else (factors[0], factors[-1])
            for interval in octaves(scales):
                record = Bin(
                    statistic=self.name,
                    source_1=first,
                    source_2=None if noise.sources == 1 or self.order == 4 else others[0],
                    scale_arcmin=None,
                    low=interval.low,
                    high=interval.high,
                    centre=interval.centre,
                    unit="1",
                )
                if len(others) == 2:
                    record["source_3"] = others[1]
                bins.append(record)
        return bins

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

            def moment(
                a: int, b: int, *others: int, kappa: Any = kappa, variance: Any = variance, mean: Any = mean
            ) -> Any:
                if self.order == 4:
                    return mean(kappa[a] ** 4) - 3 * mean(kappa[a] ** 2) ** 2
                # number of pairs of factors with the same noise; equal factors come first
                pairs = 0.0 if a != b else 3.0 if b in others else 1.0
                product = kappa[a] * kappa[b] + pairs * variance[a]
                return mean(product * kappa[others[0]] if others else product)

            moments.append(jnp.stack([moment(*factors) for factors in self._factors(len(kappa))]))
        return jnp.stack(moments, axis=1).ravel()

    def _levels(self, observation: Observation) -> tuple[int, ...]:
        """Starlet levels of the scales."""
        return starlet_levels(self.scales_arcmin, observation.region.pixel_arcmin)

    def _factors(self, sources: int) -> list[tuple[int, ...]]:
        """Sources of the factors of each moment, equal ones first, in the order of the data vector."""
        if self.order == 4:
            return [(source,) * 4 for source in range(sources)]
        found = combinations_with_replacement(range(sources), self.order)
        return [tuple(sorted(each, key=each.count, reverse=True)) for each in found]
