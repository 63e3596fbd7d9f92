"""How noisy the convergence of a survey is: shape noise of each source, depth over the field, and the mask.

Convention: depth is the number of galaxies in a pixel over their nominal number, the same for all sources; 0 means
masked. Noise has no correlations and the variance rms^2 / depth, so that depth is its inverse variance too. A masked
pixel has neither signal nor noise: statistics see 0 there.

Free of JAX at import, as everything that a config is checked with.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64

from lenscast.sections.array_file import read_array
from lenscast.sections.survey import MapSurvey, Survey
from lenscast.statistics.region import Region

__all__ = ["ShapeNoise"]

SMALLEST_DEPTH = 1e-3
"""Least depth over the largest: a pixel with fewer galaxies has noise that hides the noise of all others."""


@dataclass(frozen=True, eq=False)
class ShapeNoise:
    """Rms of the shape noise per pixel, and its variation over the field.

    Attributes
    ----------
    rms
        Rms per pixel of nominal depth, of each source: sigma_e / sqrt(n_gal A_pix), van Waerbeke (2000),
        astro-ph/9909160.
    depth
        Galaxies per pixel over their nominal number; None where it is 1 everywhere.
    max_masked
        Share of the squared weights of a filter that masked pixels may hold where its peaks count.

    Raises
    ------
    ValueError
        If a source has no noise, a depth is negative, not finite, or tiny but not 0, or if more than half of a filter
        may be masked.
    """

    rms: tuple[float, ...]
    depth: Float64[np.ndarray, "y x"] | None = None
    max_masked: float = 0.0

    def __post_init__(self) -> None:
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

    @classmethod
    def of_survey(cls, survey: Survey | MapSurvey, pixel_arcmin: float) -> "ShapeNoise":
        """Shape noise of a survey on pixels of this side [arcmin]."""
        rms = tuple(float(survey.sigma_e / (n_gal**0.5 * pixel_arcmin)) for n_gal in survey.n_gal)
        if survey.depth.kind == "uniform":
            return cls(rms)
        return cls(rms, read_array(survey.depth.file).astype(float), survey.depth.max_masked)

    @property
    def sources(self) -> int:
        """Number of sources."""
        return len(self.rms)

    def rms_maps(self) -> Float32[Any, "source _ _"]:
        """Rms of the noise per pixel, 0 where masked; one pixel stands for all where depth is uniform."""
        import jax.numpy as jnp

        rms = jnp.array(self.rms, jnp.float32)[:, None, None]
        if self.depth is None:
            return rms
        visible = self.depth > 0
        return rms * jnp.where(visible, jnp.where(visible, self.depth, 1) ** -0.5, 0)[None].astype(jnp.float32)

    def snr(self, maps: Float[Any, "source y x"]) -> Float[Any, "source y x"]:
        """Maps over the rms of the noise of nominal depth, with 0 for masked pixels."""
        import jax.numpy as jnp

        visible = maps if self.depth is None else jnp.where((self.depth > 0)[None], maps, 0)
        return visible / jnp.array(self.rms, maps.dtype)[:, None, None]

    def weights(self, region: Region, margin: int = 0) -> Float64[np.ndarray, "y x"]:
        """Depth in a region and a frame around it: the weights of the mean with the least noise.

        Parameters
        ----------
        region
            Part of the map.
        margin
            Width of the frame around the region [pixels].

        Raises
        ------
        ValueError
            If the depth has another number of pixels, or the whole region is masked.
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
