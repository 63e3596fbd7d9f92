"""Starlet l1-norm: sums of the absolute values of the coefficients in bins of signal to noise.

Conventions: nu is the filtered map over the rms of its shape noise (`filtered`). The l1-norm of a bin is the sum of
|nu| over the pixels with nu in it [S/N per region], Ajani, Starck & Pettorino (2021), arXiv:2101.01542. The outer
bins are open. The coarse scale, which the paper takes too, is the filter ``smoothing``.

The noise of nu at a pixel is a unit normal variable. For a signal S the mean of |nu| where nu is above an edge e >= 0
is

    T(e) = S Phi(S - e) + phi(S - e),

and 2 T(0) - T(e) for e < 0: `L1Norm.expected` is the mean of `L1Norm.measured` over the noise, exactly.
"""

from typing import Any, ClassVar

from jaxtyping import Float, Float64
from pydantic import Field

from lenscast.sections.section import Heights
from lenscast.statistics.binning import open_intervals
from lenscast.statistics.filtered import FilteredStatistic
from lenscast.statistics.statistic import Bin, Observation

__all__ = ["L1Norm"]


class L1Norm(FilteredStatistic):
    """Sums of |nu| of the noisy filtered maps in bins of nu.

    The data vector runs over scales, sources and bins of nu, the last fastest.
    """

    label: ClassVar[str] = r"starlet $\ell_1$-norm"
    axis: ClassVar[str] = r"$\nu$ [S/N]"
    needs_noise: ClassVar[bool] = False

    snr_edges: Heights = Field(
        min_length=2, description="inner edges of the S/N bins; outer bins are open: n edges make n + 1 bins"
    )

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element; sum over the pixels of the region."""
        return self._records(observation, open_intervals(self.snr_edges), "S/N per region")

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Sums of |nu| of kappa + noise."""
        import jax.numpy as jnp

        def tails(nu: Any) -> Any:
            size, edges = jnp.abs(nu), jnp.asarray(self.snr_edges, nu.dtype)[:, None, None, None]
            return jnp.concatenate([size[None], jnp.where(nu[None] > edges, size[None], 0)])

        return self._norms(tails, jnp.add(kappa, noise), observation)

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Mean sums over the noise, exact for any realisation of it."""
        import jax.numpy as jnp
        from jax.scipy.special import ndtr
        from jax.scipy.stats.norm import pdf

        def tails(nu: Any) -> Any:
            def positive(edge: float) -> Any:
                return nu * ndtr(nu - edge) + pdf(nu - edge)

            # the mean of nu above minus infinity is nu itself
            above = [nu, *(positive(edge) for edge in self.snr_edges)]
            is_negative = [True, *(edge < 0 for edge in self.snr_edges)]
            at_zero = 2 * positive(0.0)
            return jnp.stack(
                [at_zero - each if negative else each for each, negative in zip(above, is_negative, strict=True)]
            )

        return self._norms(tails, kappa, observation)

    def _norms(self, tails: Any, maps: Float[Any, "source y x"], observation: Observation) -> Float64[Any, " bin"]:
        """Norms from the sums above each edge, the first below all values."""
        import jax.numpy as jnp

        from lenscast.statistics.local_maxima import counts_from_tails
        from lenscast.statistics.pixel_sums import pixel_sums

        norms = [
            counts_from_tails(pixel_sums(tails, noise.counted, snr).T).T.ravel()
            for _, noise, (snr,) in self._filtered(observation, maps)
        ]
        return jnp.concatenate(norms)
