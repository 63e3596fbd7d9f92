"""How noisy the convergence of a survey is: shape noise of each source, depth over the field, and what is masked.

Convention: depth is the number of galaxies in a pixel over their nominal number, the same for all sources; 0 is masked.
Noise has no correlations and the variance rms^2 / depth, so that depth is its inverse variance too. A masked pixel has
neither signal nor noise: statistics see 0 there.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from lenscast.statistics.region import Region

__all__ = ["ShapeNoise"]

SMALLEST_DEPTH = 1e-3
"""Least depth over the largest: pixels with less than one galaxy in many have noise that hides that of all others."""


class ShapeNoise(eqx.Module):
    """Rms of the shape noise per pixel, and its unevenness.

    Parameters
    ----------
    rms : per pixel of nominal depth, of each source; sigma_e / sqrt(n_gal A_pix).
    depth : galaxies per pixel over their nominal number; None where it is 1 everywhere.
    max_masked : share of the squared weights of a filter that masked pixels may hold where its peaks count.

    Raises
    ------
    ValueError : if a source has no noise, depth is negative, not finite or tiny but not 0, or more than half may be
        masked.
    """

    rms: tuple[float, ...] = eqx.field(static=True)
    depth: Float64[np.ndarray, "y x"] | None = None
    max_masked: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        if not self.rms or not all(each > 0 for each in self.rms):
            raise ValueError(f"rms = {self.rms}: heights of peaks are in units of it, give one above 0 for each source")
        if not 0 <= self.max_masked <= 0.5:
            raise ValueError(f"max_masked = {self.max_masked:g}: give a share between 0 and 0.5")
        if self.depth is None:
            return
        if not (np.isfinite(self.depth) & (self.depth >= 0)).all():
            raise ValueError("depth has values below 0 or not finite: give 0 for masked pixels, 1 for nominal depth")
        least, largest = np.min(self.depth, where=self.depth > 0, initial=np.inf), np.max(self.depth)
        if least < SMALLEST_DEPTH * largest:
            raise ValueError(
                f"depth is between {least:.2g} and {largest:.2g} where it is not 0: give 0 for pixels below "
                f"{SMALLEST_DEPTH:g} of the largest"
            )

    @property
    def n_sources(self) -> int:
        """Number of sources."""
        return len(self.rms)

    def rms_maps(self) -> Float32[Array, "source _ _"]:
        """Rms of the noise per pixel, 0 where masked; one pixel stands for all where depth is uniform."""
        rms = jnp.array(self.rms, jnp.float32)[:, None, None]
        if self.depth is None:
            return rms
        seen = self.depth > 0
        return rms * jnp.where(seen, jnp.where(seen, self.depth, 1) ** -0.5, 0)[None].astype(jnp.float32)

    def snr(self, maps: Float[Array, "source y x"]) -> Float[Array, "source y x"]:
        """Maps over the rms of the noise of nominal depth, with 0 for masked pixels."""
        seen = maps if self.depth is None else jnp.where((self.depth > 0)[None], maps, 0)
        return seen / jnp.array(self.rms, maps.dtype)[:, None, None]

    def weights(self, region: Region, margin: int = 0) -> Float64[np.ndarray, "y x"]:
        """Depth in a region and so many pixels around it: the weights of the least noisy mean.

        Parameters
        ----------
        region : part of the map.
        margin : width of the frame around it [pixels].

        Raises
        ------
        ValueError : if the depth is that of other pixels, or all of the region is masked.
        """
        depth = np.ones((region.pixels, region.pixels)) if self.depth is None else self.depth
        if depth.shape != (region.pixels, region.pixels):
            raise ValueError(
                f"depth has {' x '.join(map(str, depth.shape))} pixels, maps have {region.pixels} x {region.pixels}: "
                "give one value per pixel"
            )
        if not region.crop(depth).any():
            raise ValueError(f"all {region.side} x {region.side} pixels inside the border are masked: unmask some")
        return np.asarray(region.crop(depth, margin))

    def area_deg2(self, region: Region) -> float:
        """Sky area of a region that is not masked [deg^2]."""
        return region.area_deg2 * float(np.mean(self.weights(region) > 0))
