"""Flat-sky auto and cross power spectra of convergence maps in bins of ell, raw or band-passed to starlet scales.

Conventions: C_ell [sr] of two maps is the mean of Re(kappa_1 kappa_2^*) over the Fourier modes of a bin, over the solid
angle of the region; the pixel window is left in. The region has no apodisation. For spectra like those of lensing its
sharp edges change C_ell by less than 1 % where ell is more than four times the fundamental mode 2 pi / side, and a
cosine taper over 5 to 20 % of each side is no better there, at the cost of 10 to 40 % of the modes; at lower ell either
window smooths the spectrum, by some per cent. Where depth varies, maps are weighted by it, the inverse variance of
their noise, and C_ell is over the mean of the squared weights: what that changes is multipoles mixed (`region_window`).
A band-pass to a starlet scale multiplies each mode of the region by the transfer function of c_(j-1) - c_j, not
normalised. That keeps the same accuracy in every bin, where maps that are filtered first and cut afterwards leak by
tens of per cent and more into bins that the filter suppresses.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement, pairwise
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

from lenscast.statistics.binning import check_edges, fourier_modes
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet_transfer
from lenscast.statistics.statistic import Bin, Statistic

__all__ = ["PowerSpectrum"]


class PowerSpectrum(Statistic):
    """Binned C_ell of all pairs of sources; the data vector runs over scales, pairs and bins of ell, the last fastest.

    Parameters
    ----------
    name : key of the statistic in the config.
    region : part of the map that is measured.
    noise : shape noise of the maps.
    ell_edges : edges of the bins in ell.
    levels : starlet levels to which the maps are band-passed; None for the maps as they are.

    Raises
    ------
    ValueError : if the edges do not increase, a bin has no mode, the last one ends beyond the Nyquist frequency, or as
        `ShapeNoise.weights`.
    """

    needs_noise: ClassVar[bool] = False
    name: str = eqx.field(static=True)
    region: Region = eqx.field(static=True)
    noise: ShapeNoise
    ell_edges: tuple[float, ...] = eqx.field(static=True)
    levels: tuple[int, ...] | None = eqx.field(static=True)
    mode_index: Int[np.ndarray, " mode"]
    mode_bin: Int[np.ndarray, " mode"]
    mode_weight: Float64[np.ndarray, "scale mode"]
    ell_mean: Float64[np.ndarray, " ell"]
    noise_mean: Float64[np.ndarray, "scale pair ell"]
    weights: Float64[np.ndarray, "y x"]

    def __init__(
        self,
        name: str,
        region: Region,
        noise: ShapeNoise,
        ell_edges: Sequence[float],
        levels: Sequence[int] | None = None,
    ) -> None:
        self.name, self.region, self.noise = name, region, noise
        self.ell_edges = check_edges(ell_edges, f"{name}.ell_edges")
        self.levels = None if levels is None else tuple(levels)
        modes = fourier_modes(region.side, region.pixel_radian, self.ell_edges)
        theta_y, theta_x = modes.ell_y * region.pixel_radian, modes.ell_x * region.pixel_radian
        bands = [1.0] if levels is None else [starlet_transfer(level, theta_y, theta_x) ** 2 for level in levels]
        self.mode_index, self.mode_bin = modes.flat_index, modes.bin
        self.mode_weight = np.stack([band * modes.weight for band in bands])
        self.ell_mean = np.bincount(modes.bin, modes.weight * np.hypot(modes.ell_y, modes.ell_x))
        weights = noise.weights(region)
        self.weights = weights / np.sqrt(np.mean(weights**2))
        power = (region.pixel_radian * np.array(noise.rms)) ** 2 * np.mean(weights) / np.mean(weights**2)
        of_pairs = np.array([power[first] if first == second else 0.0 for first, second in self.pairs])
        in_bins = np.stack([np.bincount(modes.bin, weight) for weight in self.mode_weight])
        self.noise_mean = of_pairs[:, None] * in_bins[:, None]

    @staticmethod
    def border(settings: Mapping[str, Any]) -> int:
        """None: band-passes act on modes of the region."""
        return 0

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of sources, source_1 <= source_2."""
        return list(combinations_with_replacement(range(self.noise.n_sources), 2))

    def bins(self) -> list[Bin]:
        """One record per element; the centre of a bin is the mean ell of its modes."""
        pixel = self.region.pixel_arcmin
        scales = [None] if self.levels is None else [2**level * pixel for level in self.levels]
        return [
            Bin(
                statistic=self.name,
                source_1=source_1,
                source_2=source_2,
                scale_arcmin=scale,
                low=low,
                high=high,
                centre=float(centre),
                unit="sr",
            )
            for scale in scales
            for source_1, source_2 in self.pairs
            for (low, high), centre in zip(pairwise(self.ell_edges), self.ell_mean, strict=True)
        ]

    def measured(self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"]) -> Float64[Array, " bin"]:
        """Spectra of kappa + noise, those of the noise included [sr]."""
        return self._spectra(kappa + noise).ravel()

    def expected(self, kappa: Float[Array, "source y x"], noise: Float[Array, "source y x"]) -> Float64[Array, " bin"]:
        """Spectra of kappa plus the exact mean of those of the noise [sr], whatever its realisation."""
        return (self._spectra(kappa) + self.noise_mean).ravel()

    def _spectra(self, maps: Float[Array, "source y x"]) -> Float64[Array, "scale pair ell"]:
        """Binned spectra of maps [sr]."""
        region = self.region.crop(maps).astype(jnp.float64) * self.weights[None]
        amplitude = jnp.fft.rfft2(region).reshape(self.noise.n_sources, -1)[:, self.mode_index]
        first, second = (np.array(sources) for sources in zip(*self.pairs, strict=True))
        product = jnp.real(amplitude[first] * jnp.conj(amplitude[second]))
        terms = jnp.einsum("sm,pm->msp", self.mode_weight, product)
        spectra = jax.ops.segment_sum(terms, self.mode_bin, num_segments=len(self.ell_edges) - 1)
        return jnp.moveaxis(spectra, 0, -1) * (self.region.pixel_radian / self.region.side) ** 2
