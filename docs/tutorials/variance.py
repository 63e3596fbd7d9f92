"""Variance of the noisy maps."""

from typing import ClassVar

from pydantic import Field

from lenscast.statistics import Bin, Statistic


class Variance(Statistic):
    """Variance of the noisy maps inside the region."""

    label: ClassVar[str] = "variance"
    axis: ClassVar[str] = "scale"

    power: int = Field(ge=1, description="power of the variance")

    def bins(self, observation):
        """One bin for each source."""
        region, noise = observation
        empty = {"source_2": None, "scale_arcmin": None, "low": None, "high": None}
        return [
            Bin(statistic=self.name, source_1=source, centre=region.pixel_arcmin, unit="1", **empty)
            for source in range(noise.sources)
        ]

    def measured(self, kappa, noise, observation):
        """Variance of each map."""
        import jax.numpy as jnp  # here, since configs are read without JAX

        return jnp.var(observation.region.crop(kappa + noise).astype(jnp.float64), axis=(-2, -1)) ** self.power

    def expected(self, kappa, noise, observation):
        """The same: smooth in kappa, and unbiased by itself."""
        return self.measured(kappa, noise, observation)
