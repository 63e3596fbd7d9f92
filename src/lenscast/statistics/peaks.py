"""Counts of starlet peaks in bins of signal-to-noise ratio.

Conventions: nu is the normalised starlet coefficient over the rms of the shape noise there; peaks are pixels above
their 8 neighbours, counted in bins of nu with open ends [peaks per region]. Masked pixels are 0 to the filter, and what
is near them does not count (`stencil`). On the stencil "pixel" the neighbours are the adjacent pixels. On "scale" they
are 2^(j-1) pixels away, half the scale of level j, and counts are averaged over the 4^(j-1) grids of that spacing:
peaks of nu as sampled at half its scale. How peaks are counted, and why the derivative of `Peaks.expected` is unbiased,
is told in `local_maxima`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float64

from lenscast.statistics.binning import check_edges, counts_from_tails, open_intervals
from lenscast.statistics.local_maxima import hard_tails, masked_tails, mean_tails, soft_tails
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet, starlet_reach
from lenscast.statistics.statistic import Bin, Statistic
from lenscast.statistics.stencil import Stencil, noise_stencil, uneven_stencil

__all__ = ["Peaks", "stencil_spacing"]


class Peaks(Statistic):
    """Peak counts; the data vector runs over scales, sources and bins of nu, the last fastest.

    Parameters
    ----------
    name : key of the statistic in the config.
    region : part of the map in which the peaks are.
    noise : shape noise of the maps.
    levels : starlet levels.
    snr_edges : inner edges of the bins of nu.
    stencil : which pixels are neighbours, "pixel" or "scale".
    counts : "hard", or "soft" for `soft_tails` in both `measured` and `expected`.
    softness : width of soft counts; hard ones have none.

    Raises
    ------
    ValueError : if the edges do not increase, an option is unknown, soft counts have no softness, or the mask or the
        depth allow no peaks, see `uneven_stencil`.
    """

    name: str = eqx.field(static=True)
    region: Region = eqx.field(static=True)
    noise: ShapeNoise
    levels: tuple[int, ...] = eqx.field(static=True)
    snr_edges: tuple[float, ...] = eqx.field(static=True)
    counts: str = eqx.field(static=True)
    softness: float | None = eqx.field(static=True)
    stencils: tuple[Stencil, ...]

    def __init__(
        self,
        name: str,
        region: Region,
        noise: ShapeNoise,
        levels: Sequence[int],
        snr_edges: Sequence[float],
        stencil: str,
        counts: str,
        softness: float | None = None,
    ) -> None:
        self.name, self.region, self.noise = name, region, noise
        self.levels, self.snr_edges = tuple(levels), check_edges(snr_edges, f"{name}.snr_edges")
        self.counts, self.softness = counts, softness
        spacings = [stencil_spacing(level, stencil) for level in self.levels]
        self.stencils = tuple(
            noise_stencil(level, spacing) if noise.depth is None else uneven_stencil(level, spacing, region, noise)
            for level, spacing in zip(self.levels, spacings, strict=True)
        )

    def __check_init__(self) -> None:
        if (self.counts, self.softness is None) not in (("hard", True), ("soft", False)):
            raise ValueError(
                f"{self.name}.counts = {self.counts!r} with softness = {self.softness}: choose hard without one, "
                "or soft with one such as 0.1"
            )
        if self.softness is not None and not self.softness > 0:
            raise ValueError(f"{self.name}.softness = {self.softness}: give a width above 0, such as 0.1")

    @staticmethod
    def border(settings: Mapping[str, Any]) -> int:
        """Reach of the starlet and distance of the neighbours [pixels]."""
        return max(starlet_reach(level) + stencil_spacing(level, settings["stencil"]) for level in settings["levels"])

    def bins(self) -> list[Bin]:
        """One record per element; bins of nu, counts in the region."""
        return [
            Bin(
                statistic=self.name,
                source_1=source,
                source_2=None,
                scale_arcmin=2**level * self.region.pixel_arcmin,
                low=interval.low,
                high=interval.high,
                centre=interval.centre,
                unit="peaks per region",
            )
            for level, source, interval in product(
                self.levels, range(self.noise.n_sources), open_intervals(self.snr_edges)
            )
        ]

    def measured(self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"]) -> Float64[Array, " bin"]:
        """Counts in kappa + noise, hard or soft."""
        tails = hard_tails if self.softness is None else partial(soft_tails, softness=self.softness)
        return self._counts(tails, kappa + noise)

    def expected(self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"]) -> Float64[Array, " bin"]:
        """Hard counts averaged over the contrast of the noise at each pixel, given the rest of it; or soft counts."""
        if self.softness is not None:
            return self.measured(kappa, noise)
        return self._counts(mean_tails, kappa + noise, noise)

    def through_mask(
        self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"], width: float = 0.25
    ) -> Float64[Array, " bin"]:
        """Counts with edges ``width`` wide in nu behind a hard mask: for checks of derivatives, not for forecasts."""
        return self._counts(partial(masked_tails, width=width), kappa + noise)

    def _counts(
        self, tails: Callable[..., Float64[Array, "tail source"]], *maps: Float[Array, "source y x"]
    ) -> Float64[Array, " bin"]:
        """Data vector made by a function of the maps' nu on one level, its stencil and the edges."""
        coefficients = [starlet(self.noise.snr(each), self.levels) for each in maps]
        counts = []
        for stencil, *snr in zip(self.stencils, *coefficients, strict=True):
            inside = [self.region.crop(each, margin=stencil.spacing) for each in snr]
            if stencil.local is not None:
                inside = [each / stencil.local.rms[None] for each in inside]
            counts.append(counts_from_tails(tails(*inside, stencil=stencil, snr_edges=self.snr_edges)).T.ravel())
        return jnp.concatenate(counts)


def stencil_spacing(level: int, stencil: str) -> int:
    """Distance of the neighbours that a peak on level j exceeds [pixels].

    Parameters
    ----------
    level : level j.
    stencil : "pixel" or "scale".

    Raises
    ------
    ValueError : if the stencil is another.
    """
    spacings = {"pixel": 1, "scale": 2 ** (level - 1)}
    if stencil not in spacings:
        raise ValueError(f"peaks.stencil = {stencil!r}: choose {' or '.join(spacings)}")
    return spacings[stencil]
