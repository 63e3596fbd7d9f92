"""One-point probability density of the filtered convergence in bins of signal to noise.

Conventions: nu is the filtered map over the rms of its shape noise (`filtered`). The density of a bin is the share of
the pixels with nu in it over its width, as Liu & Madhavacheril (2019), arXiv:1809.10188, and Boyle et al. (2021),
arXiv:2012.07771, measure it. The tails outside the edges are left out: with them densities times widths would
add up to 1 on every map, and their covariance would have no inverse.

The noise of nu at a pixel is a unit normal variable, so that the probability of a bin is a difference of normal
distribution functions of the signal: `PixelPDF.expected` is the mean of `PixelPDF.measured` over the noise, exactly.
"""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Float64
from pydantic import Field

from lenscast.sections.section import Heights
from lenscast.statistics.binning import closed_intervals
from lenscast.statistics.filtered import FilteredStatistic
from lenscast.statistics.statistic import Bin, Observation

__all__ = ["PixelPDF"]


class PixelPDF(FilteredStatistic):
    """Probability density of the noisy filtered maps in bins of signal to noise.

    The data vector runs over scales, sources and bins of nu, the last fastest.
    """

    label: ClassVar[str] = "PDF"
    axis: ClassVar[str] = r"$\nu$ [S/N]"
    needs_noise: ClassVar[bool] = False

    snr_edges: Heights = Field(min_length=2, description="edges of the S/N bins: n edges make n - 1 bins")

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element; density per unit of nu."""
        return self._records(observation, closed_intervals(self.snr_edges), "1")

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Share of the pixels in each bin of kappa + noise, over its width."""
        import jax.numpy as jnp

        return self._densities(lambda above: (above > 0).astype(above.dtype), jnp.add(kappa, noise), observation)

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Mean density over the noise, exact for any realisation of it."""
        from jax.scipy.special import ndtr

        return self._densities(ndtr, kappa, observation)

    def _densities(self, tail: Any, maps: Float[Any, "source y x"], observation: Observation) -> Float64[Any, " bin"]:
        """Densities from the probability that a pixel is above an edge, given its nu less the edge."""
        import jax.numpy as jnp

        from lenscast.statistics.pixel_sums import pixel_sums

        edges, densities = np.array(self.snr_edges), []
        for _, noise, (snr,) in self._filtered(observation, maps):
            levels = jnp.asarray(edges, snr.dtype)[:, None, None, None]
            tails = pixel_sums(lambda nu, levels=levels: tail(nu[None] - levels), noise.counted, snr)
            densities.append(-jnp.diff(tails, axis=1) / (noise.pixels * np.diff(edges)[None]))
        return jnp.stack(densities).ravel()
