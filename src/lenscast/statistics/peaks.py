"""Counts of starlet peaks in bins of signal-to-noise ratio.

Conventions: nu is the normalised starlet coefficient over the rms of the shape noise there. Peaks are pixels above
their 8 neighbours, counted in bins of nu with open ends [peaks per region]. Masked pixels are 0 to the filter, and
peaks near them do not count (`stencil`). On the stencil "pixel" the neighbours are the adjacent pixels. On "scale" they
are 2^(j-1) pixels away, half the scale of level j, and counts are averaged over the 4^(j-1) grids of that spacing:
peaks of nu as sampled at half its scale. The cross map of two sources is the map of all their galaxies, the mean of
both with the inverse variance of their noise as weights (Martinet et al. 2021, arXiv:2010.07376; Harnois-Deraps et al.
2021, arXiv:2012.02777). `local_maxima` says how peaks are counted, and why the derivative of `Peaks.expected` is
unbiased; `independent_stencils` says the same of `Peaks.estimate`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import combinations, product
from math import hypot
from typing import Any, ClassVar, Literal

from jaxtyping import Float, Float64
from pydantic import Field, model_validator

from lenscast.geometry import starlet_levels, starlet_reach
from lenscast.sections.section import Heights
from lenscast.statistics.binning import open_intervals
from lenscast.statistics.region import Region
from lenscast.statistics.starlet import ScalesArcmin, scale_problems, starlet
from lenscast.statistics.statistic import Bin, Observation, Statistic
from lenscast.statistics.stencil import Stencil, noise_stencil
from lenscast.statistics.stencil_noise import StencilNoise, noise_of_stencil
from lenscast.statistics.uneven_stencil import uneven_stencil

__all__ = ["Peaks", "stencil_spacing"]


class Peaks(Statistic):
    """Counts of local maxima on starlet scales, in bins of signal to noise.

    The data vector runs over scales, sources with their cross maps last, and bins of nu, the last fastest.
    """

    label: ClassVar[str] = "peaks"
    axis: ClassVar[str] = r"height $\nu$ [S/N]"
    is_count: ClassVar[bool] = True
    sacc_type: ClassVar[str] = "peak_count"
    unit: ClassVar[str] = "peaks per region"

    scales_arcmin: ScalesArcmin
    snr_edges: Heights = Field(
        min_length=2, description="inner edges of the S/N bins; outer bins are open: n edges make n + 1 bins"
    )
    stencil: Literal["pixel", "scale"] = Field(
        description="the 8 neighbours that a peak exceeds: 1 pixel off, or 2^(j-1) pixels off on level j"
    )
    counts: Literal["hard", "soft"] = Field(
        description="hard: a pixel is a peak or not; soft: a sigmoid of the height above the neighbours"
    )
    softness: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="width of the sigmoid of soft counts [rms half second difference of the noise]",
    )

    cross_maps: Literal["none", "pairs"] = Field(
        default="none", description="none: count in the maps of sources; pairs: in the cross maps of their pairs too"
    )

    @model_validator(mode="after")
    def _softness_of_soft_counts(self) -> "Peaks":
        if self.counts == "soft" and self.softness is None:
            raise ValueError("counts = soft without a softness; add one such as softness: 0.1, or give counts: hard")
        if self.counts == "hard" and self.softness is not None:
            raise ValueError(f"counts = hard with softness = {self.softness:g}; remove softness, or give counts: soft")
        return self

    def reach(self, pixel_arcmin: float) -> int:
        """Reach of the starlet and distance of the neighbours [pixels]."""
        return max(self._reach(level) for level in starlet_levels(self.scales_arcmin, pixel_arcmin))

    def problems(self, region: Region) -> Iterator[tuple[str, str]]:
        """Scales that the maps do not have."""
        yield from scale_problems(self.scales_arcmin, region, self._reach)

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element; bins of nu, counts in the region."""
        region, noise = observation
        return [
            Bin(
                statistic=self.name,
                source_1=first,
                source_2=second,
                scale_arcmin=2**level * region.pixel_arcmin,
                low=interval.low,
                high=interval.high,
                centre=interval.centre,
                unit=self.unit,
            )
            for level, (first, second), interval in product(
                starlet_levels(self.scales_arcmin, region.pixel_arcmin),
                [*((source, None) for source in range(noise.sources)), *self._pairs(noise.sources)],
                open_intervals(self.snr_edges),
            )
        ]

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Counts in kappa + noise, hard or soft."""
        from lenscast.statistics.local_maxima import hard_tails, soft_tails

        tails = hard_tails if self.softness is None else partial(soft_tails, softness=self.softness)
        return self._counts(tails, observation, kappa + noise)

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Hard counts averaged over the contrast of the noise at each pixel, given the rest of it; or soft counts."""
        from lenscast.statistics.local_maxima import mean_tails

        if self.softness is not None:
            return self.measured(kappa, noise, observation)
        return self._counts(mean_tails, observation, kappa + noise, noise)

    def estimate(self, kappa: Float[Any, "source y x"], key: Any, observation: Observation) -> Float64[Any, " bin"]:
        """Mean hard counts from noise that each pixel draws for its own stencil; or soft counts in a map of noise."""
        import jax
        import jax.numpy as jnp

        from lenscast.statistics.independent_stencils import independent_tails
        from lenscast.statistics.local_maxima import counts_from_tails

        if self.softness is not None:
            return super().estimate(kappa, key, observation)
        counts = []
        for level, stencil, (snr,) in self._levels(observation, kappa):
            noise = _noise(level, self.stencil, observation)
            tails = independent_tails(snr, jax.random.fold_in(key, level), stencil, noise, self.snr_edges)
            counts.append(counts_from_tails(tails).T.ravel())
        return jnp.concatenate(counts)

    def through_mask(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Counts with edges 0.25 wide in nu behind a hard mask: for checks of derivatives, not for forecasts."""
        from lenscast.statistics.local_maxima import masked_tails

        return self._counts(partial(masked_tails, width=0.25), observation, kappa + noise)

    def _reach(self, level: int) -> int:
        """Farthest pixel that a peak on a starlet level depends on."""
        return starlet_reach(level) + stencil_spacing(level, self.stencil)

    def _counts(
        self,
        tails: Callable[..., Float64[Any, "tail source"]],
        observation: Observation,
        *maps: Float[Any, "source y x"],
    ) -> Float64[Any, " bin"]:
        """Data vector made by a function of the maps' nu on one level, its stencil and the edges."""
        import jax.numpy as jnp

        from lenscast.statistics.local_maxima import counts_from_tails

        return jnp.concatenate(
            [
                counts_from_tails(tails(*snr, stencil=stencil, snr_edges=self.snr_edges)).T.ravel()
                for _, stencil, snr in self._levels(observation, *maps)
            ]
        )

    def _levels(
        self, observation: Observation, *maps: Float[Any, "source y x"]
    ) -> Iterator[tuple[int, Stencil, list[Float[Any, "source y2 x2"]]]]:
        """Each starlet level with its stencil, and nu of the maps in the region and around it."""
        region, noise = observation
        levels = starlet_levels(self.scales_arcmin, region.pixel_arcmin)
        coefficients = [starlet(self._with_cross_maps(noise.snr(each), noise.rms), levels) for each in maps]
        for level, *snr in zip(levels, *coefficients, strict=True):
            stencil = _stencil(level, self.stencil, observation)
            inside = [region.crop(each, margin=stencil.spacing) for each in snr]
            if stencil.local is not None:
                inside = [each / stencil.local.rms[None] for each in inside]
            yield level, stencil, inside

    def _pairs(self, sources: int) -> list[tuple[int, int]]:
        """Pairs of sources that have a cross map."""
        return [*combinations(range(sources), 2)] if self.cross_maps == "pairs" else []

    def _with_cross_maps(self, snr: Float[Any, "source y x"], rms: Sequence[float]) -> Float[Any, "map y x"]:
        """Maps over the rms of their noise, followed by cross maps over the rms of theirs."""
        import jax.numpy as jnp

        pairs = self._pairs(len(rms))
        # of kappa_a / s_a^2 + kappa_b / s_b^2 the noise has the variance 1 / s_a^2 + 1 / s_b^2
        cross = [(rms[b] * snr[a] + rms[a] * snr[b]) / hypot(rms[a], rms[b]) for a, b in pairs]
        return jnp.concatenate([snr, jnp.stack(cross)]) if cross else snr


def stencil_spacing(level: int, stencil: str) -> int:
    """Distance of the neighbours that a peak on level j exceeds [pixels].

    Parameters
    ----------
    level
        Starlet level j.
    stencil
        "pixel" for the adjacent pixels, "scale" for pixels half the scale away.
    """
    return {"pixel": 1, "scale": 2 ** (level - 1)}[stencil]


@lru_cache
def _stencil(level: int, stencil: str, observation: Observation) -> Stencil:
    """Stencil of a level, computed once for each observation, since uneven depth makes it costly."""
    region, noise = observation
    spacing = stencil_spacing(level, stencil)
    if noise.depth is None:
        return noise_stencil(level, spacing)
    return uneven_stencil(level, spacing, region, noise)


@lru_cache
def _noise(level: int, stencil: str, observation: Observation) -> StencilNoise:
    """Noise of the stencils of a level, computed once for each observation.

    Close neighbours need the score of the gradients; on a wide stencil the path alone scatters less.
    """
    noise = noise_of_stencil(level, _stencil(level, stencil, observation), *observation)
    return noise if stencil == "pixel" else noise._replace(gradient=noise.gradient[:0])
