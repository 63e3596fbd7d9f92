"""Flat-sky auto and cross power spectra of convergence maps in bins of ell, raw or band-passed to starlet scales.

Conventions: C_ell [sr] of two maps is the mean of Re(kappa_1 kappa_2^*) over the Fourier modes of a bin, over the solid
angle of the region; the pixel window is left in. The region has no apodisation. For spectra like those of lensing its
sharp edges change C_ell by less than 1 % where ell is more than four times the fundamental mode 2 pi / side, and a
cosine taper over 5 to 20 % of each side is no better there, at the cost of 10 to 40 % of the modes; at lower ell either
window smooths the spectrum, by some per cent. Where depth varies, maps are weighted by it, the inverse variance of
their noise, and C_ell is divided by the mean of the squared weights: what that changes is multipoles mixed
(`region_window`).

A band-pass to a starlet scale multiplies each mode of the region by the transfer function of c_(j-1) - c_j, not
normalised. That keeps the same accuracy in every bin, where maps that are filtered first and cut afterwards leak by
tens of per cent and more into bins that the filter suppresses.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations_with_replacement, pairwise
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int
from pydantic import Field

from lenscast.geometry import starlet_levels, starlet_reach
from lenscast.sections.section import Ascending
from lenscast.statistics.binning import fourier_modes, has_mode
from lenscast.statistics.region import Region
from lenscast.statistics.region_window import mode_waves, pixel_pairs
from lenscast.statistics.starlet import ScalesArcmin, scale_problems, starlet_transfer
from lenscast.statistics.statistic import Bin, Observation, Statistic

__all__ = ["PowerSpectrum", "StarletPowerSpectrum", "source_pairs"]

# from the whole sky to ell = 10^6, less than an arcsecond, the size of the galaxies whose shapes are measured
Multipole = Annotated[float, Field(ge=1.0, le=1e6)]


class _Modes(NamedTuple):
    """Constants of a measurement: modes of the region by bin, and the mean of the noise.

    Attributes
    ----------
    flat_index
        Index of each mode in the flattened real Fourier transform of the region.
    bin
        Bin of each mode.
    weight
        Weight of each mode in the mean over its bin, by scale.
    ell_mean
        Mean multipole of each bin.
    noise_mean
        Mean of the spectra of the noise [sr].
    pixel_weight
        Weight of each pixel, of unit mean square.
    """

    flat_index: Int[np.ndarray, " mode"]
    bin: Int[np.ndarray, " mode"]
    weight: Float64[np.ndarray, "scale mode"]
    ell_mean: Float64[np.ndarray, " ell"]
    noise_mean: Float64[np.ndarray, "scale pair ell"]
    pixel_weight: Float64[np.ndarray, "y x"]


class PowerSpectrum(Statistic):
    """Flat-sky C_ell of the maps, of all pairs of sources.

    The data vector runs over scales (one, here), pairs and bins of ell, the last fastest.
    """

    label: ClassVar[str] = r"$C_\ell$"
    axis: ClassVar[str] = r"multipole $\ell$"
    needs_noise: ClassVar[bool] = False
    is_spectrum: ClassVar[bool] = True
    is_plain_spectrum: ClassVar[bool] = True
    is_two_point: ClassVar[bool] = True
    sacc_type: ClassVar[str] = "cl"

    ell_edges: Annotated[tuple[Multipole, ...], Ascending] = Field(
        min_length=2, description="edges of the multipole bins, increasing; n edges make n - 1 bins"
    )

    def levels(self, pixel_arcmin: float) -> tuple[int, ...] | None:
        """Starlet levels to which the maps are band-passed; None for the maps as they are."""
        return None

    def problems(self, region: Region) -> Iterator[tuple[str, str]]:
        """Bins that the pixels do not resolve or that hold no mode of the region."""
        spacing = 2.0 * math.pi / (region.side * region.pixel_radian)
        largest = math.pi / region.pixel_radian
        if self.ell_edges[-1] > largest:
            yield (
                "ell_edges",
                f"ell = {self.ell_edges[-1]:g} is not resolved by pixels of {region.pixel_arcmin:.4g} arcmin; "
                f"end at ell = {math.floor(largest)} or raise lightcone.pixels",
            )
        for low, high in pairwise(self.ell_edges):
            if low < largest and not has_mode(region.side, low / spacing, high / spacing):
                yield (
                    "ell_edges",
                    f"no mode in {low:g} <= ell < {high:g}: modes of the {region.side} pixels inside the border are "
                    f"{spacing:.0f} apart; widen the bin",
                )

    def length(self, observation: Observation) -> int:
        """Number of scales, times pairs of sources, times bins of ell."""
        levels = self.levels(observation.region.pixel_arcmin)
        pairs = len(source_pairs(observation.noise.sources))
        return (1 if levels is None else len(levels)) * pairs * (len(self.ell_edges) - 1)

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element; the centre of a bin is the mean ell of its modes."""
        region, noise = observation
        levels, ell_mean = self.levels(region.pixel_arcmin), _modes(self, observation).ell_mean
        scales = [None] if levels is None else [2**level * region.pixel_arcmin for level in levels]
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
            for source_1, source_2 in source_pairs(noise.sources)
            for (low, high), centre in zip(pairwise(self.ell_edges), ell_mean, strict=True)
        ]

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Spectra of kappa + noise, the spectra of the noise included [sr]."""
        return self._spectra(kappa + noise, observation).ravel()

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Spectra of kappa plus the exact mean of the spectra of the noise [sr], for any realisation of it."""
        return (self._spectra(kappa, observation) + _modes(self, observation).noise_mean).ravel()

    def from_correlation(
        self, correlation: Float64[Any, "pair lag lag"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Mean spectra [sr] of maps with these correlation functions, the mean of the spectra of the noise included.

        A measured spectrum is a sum over pairs of pixels, so that its mean is a sum of the correlation function over
        lags, whatever the distribution of kappa.
        """
        import jax.numpy as jnp

        weights = jnp.asarray(_lag_weights(self, observation))
        side = observation.region.side
        spectra = jnp.einsum("slyx,pyx->spl", weights, correlation[:, :side, :side])
        return (spectra + _modes(self, observation).noise_mean).ravel()

    def pixel_weight(self, observation: Observation) -> Float64[np.ndarray, "y x"]:
        """Weight of each pixel of the region, of unit mean square."""
        return _modes(self, observation).pixel_weight

    def _spectra(self, maps: Float[Any, "source y x"], observation: Observation) -> Float64[Any, "scale pair ell"]:
        """Binned spectra of maps [sr]."""
        import jax
        import jax.numpy as jnp

        region, modes = observation.region, _modes(self, observation)
        weighted = region.crop(maps).astype(jnp.float64) * modes.pixel_weight[None]
        amplitude = jnp.fft.rfft2(weighted).reshape(len(maps), -1)[:, modes.flat_index]
        first, second = (np.array(sources) for sources in zip(*source_pairs(len(maps)), strict=True))
        product = jnp.real(amplitude[first] * jnp.conj(amplitude[second]))
        terms = jnp.einsum("sm,pm->msp", modes.weight, product)
        spectra = jax.ops.segment_sum(terms, modes.bin, num_segments=len(self.ell_edges) - 1)
        return jnp.moveaxis(spectra, 0, -1) * (region.pixel_radian / region.side) ** 2


class StarletPowerSpectrum(PowerSpectrum):
    """Flat-sky C_ell of the maps band-passed to starlet scales."""

    is_plain_spectrum: ClassVar[bool] = False
    sacc_type: ClassVar[str] = ""

    scales_arcmin: ScalesArcmin

    def levels(self, pixel_arcmin: float) -> tuple[int, ...]:
        """Starlet levels to which the maps are band-passed."""
        return starlet_levels(self.scales_arcmin, pixel_arcmin)

    def problems(self, region: Region) -> Iterator[tuple[str, str]]:
        """Scales that the maps do not have, and bins without modes."""
        # the band-pass acts on modes of the region and needs no border, but a scale as large as the region is no scale
        yield from scale_problems(self.scales_arcmin, region, starlet_reach)
        yield from super().problems(region)


def source_pairs(sources: int) -> list[tuple[int, int]]:
    """Pairs of sources in the order of the data vector, the first source not after the second."""
    return list(combinations_with_replacement(range(sources), 2))


@lru_cache
def _modes(spectrum: PowerSpectrum, observation: Observation) -> _Modes:
    """Constants of a measurement, made once for each statistic and observation."""
    region, noise = observation
    levels = spectrum.levels(region.pixel_arcmin)
    modes = fourier_modes(region.side, region.pixel_radian, spectrum.ell_edges)
    theta_y, theta_x = modes.ell_y * region.pixel_radian, modes.ell_x * region.pixel_radian
    bands = [1.0] if levels is None else [starlet_transfer(level, theta_y, theta_x) ** 2 for level in levels]
    mode_weight = np.stack([band * modes.weight for band in bands])
    weights = noise.weights(region)
    power = (region.pixel_radian * np.array(noise.rms)) ** 2 * np.mean(weights) / np.mean(weights**2)
    of_pairs = np.array([power[first] if first == second else 0.0 for first, second in source_pairs(noise.sources)])
    in_bins = np.stack([np.bincount(modes.bin, weight) for weight in mode_weight])
    return _Modes(
        flat_index=modes.flat_index,
        bin=modes.bin,
        weight=mode_weight,
        ell_mean=np.bincount(modes.bin, modes.weight * np.hypot(modes.ell_y, modes.ell_x)),
        noise_mean=of_pairs[:, None] * in_bins[:, None],
        pixel_weight=weights / np.sqrt(np.mean(weights**2)),
    )


@lru_cache
def _lag_weights(spectrum: PowerSpectrum, observation: Observation) -> Float64[np.ndarray, "scale ell lag lag"]:
    """Weights of the correlation function in each spectrum, at the lags 0, 1, ... along y and x [sr].

    They are (pixel / side)^2 sum_x w(x) w(x + d) sum_modes W cos(ell d), those of lags of both signs added up.
    """
    side, modes = observation.region.side, _modes(spectrum, observation)
    pairs = (observation.region.pixel_radian / side) ** 2 * pixel_pairs(modes.pixel_weight)

    def of_bin(weight: Float64[np.ndarray, " mode"], index: int) -> Float64[np.ndarray, "lag lag"]:
        chosen = modes.bin == index
        both_signs = pairs * mode_waves(side, modes.flat_index[chosen], weight[chosen])
        for _ in range(2):  # no two pixels of the region are a side apart: the first lag has no pair
            both_signs[side + 1 :] += both_signs[side - 1 : 0 : -1]
            both_signs = both_signs[side:].T
        return both_signs

    bins = range(len(spectrum.ell_edges) - 1)
    return np.stack([[of_bin(weight, index) for index in bins] for weight in modes.weight])
