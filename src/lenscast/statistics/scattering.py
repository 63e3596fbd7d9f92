r"""Wavelet scattering coefficients of the convergence, of first and second order.

Conventions: maps are filtered with Morlet wavelets psi_(j,l) of `angles` orientations theta_l = pi l / angles, and
coefficients are averaged over orientations, Cheng et al. (2020), arXiv:2006.08561:

    S1(j) = < |kappa * psi_(j,l)| >_l,      S2(j1, j2) = < ||kappa * psi_(j1,l1)| * psi_(j2,l2)| >_(l1,l2),   j2 > j1,

and over the pixels of the region that are not masked, of those of the map every 2^(j - 2)-th of each row and column, j
being that of the last wavelet: its envelope, of rms 0.4 2^j, makes those between say the same, and their transforms
would be two thirds of the time. Where that does not divide the side of the map it is the largest divisor of both.
The wavelet of the scale 2^j pixels is that of kymatio
(Andreux et al. 2020, arXiv:1812.11214) with its number j - 1: in pixels x, rotated by theta,

    psi(x) = [exp(i xi x_1) - K] exp(-(x_1^2 + s^2 x_2^2) / (2 sigma^2)) s / (2 pi sigma^2),

with sigma = 0.4 2^j, xi = 3 pi / (2 2^j), s = 4 / angles, and K such that the mean of psi is 0. Its wavelength is 4/3
of the scale. Convolutions take the whole map as periodic. The region keeps three sigma of the largest wavelet away from
the edges, so that what comes from the other side is below 1 % of a wavelet.

Moduli are smooth functions of the noisy map, and coefficients of noisy maps are their own estimate of the mean.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import ceil, gcd
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Complex128, Float, Float64
from pydantic import Field

from lenscast.geometry import starlet_levels, starlet_scale
from lenscast.statistics.binning import octaves
from lenscast.statistics.region import Region
from lenscast.statistics.starlet import ScalesArcmin, scale_problems
from lenscast.statistics.statistic import Bin, Observation, Statistic

__all__ = ["Scattering", "morlet"]


class Scattering(Statistic):
    """Scattering coefficients of the noisy maps.

    The data vector runs over sources, and for each over first orders by scale, then over second orders by both scales.
    """

    label: ClassVar[str] = "scattering coefficients"
    axis: ClassVar[str] = "scale [arcmin]"

    scales_arcmin: ScalesArcmin
    angles: int = Field(ge=2, le=16, description="number of orientations of the wavelets; 4 is usual")

    def reach(self, pixel_arcmin: float) -> int:
        """Three sigma of the largest wavelet [pixels]."""
        return max(_reach(level) for level in starlet_levels(self.scales_arcmin, pixel_arcmin))

    def problems(self, region: Region) -> Iterator[tuple[str, str]]:
        """Scales that the maps do not have."""
        yield from scale_problems(self.scales_arcmin, region, _reach)

    def bins(self, observation: Observation) -> list[Bin]:
        """One record for each element: second orders have the scale of the first wavelet, and bins of the second."""
        region, noise = observation
        levels = starlet_levels(self.scales_arcmin, region.pixel_arcmin)
        scales = [starlet_scale(level, region.pixel_arcmin) for level in levels]
        blocks = [(None, scales), *((scale, scales[index + 1 :]) for index, scale in enumerate(scales))]
        return [
            Bin(
                statistic=self.name,
                source_1=source,
                source_2=None,
                scale_arcmin=first,
                low=interval.low,
                high=interval.high,
                centre=interval.centre,
                unit="1",
            )
            for source in range(noise.sources)
            for first, others in blocks
            for interval in octaves(others)
        ]

    def measured(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Coefficients of kappa + noise."""
        import jax.numpy as jnp

        region, shape_noise = observation
        levels = starlet_levels(self.scales_arcmin, region.pixel_arcmin)
        visible = np.pad(shape_noise.weights(region) > 0, region.border)
        maps = shape_noise.snr(jnp.add(kappa, noise))
        maps = maps * jnp.asarray(shape_noise.rms, maps.dtype)[:, None, None]

        def filtered(hat: Any, level: int, spacing: int) -> Any:
            """Moduli of the maps with these Fourier transforms, for each orientation, at every spacing-th pixel."""
            transforms = jnp.asarray(_transforms(level, self.angles, region.pixels), hat.dtype)
            product = hat[..., None, :, :] * transforms.reshape((1,) * (hat.ndim - 2) + transforms.shape)
            side = region.pixels // spacing
            # values at every n-th pixel have the sum of all modes that look the same there
            folded = product.reshape(*product.shape[:-2], spacing, side, spacing, side).sum(axis=(-4, -2))
            return _modulus(jnp.fft.ifft2(folded / spacing**2))

        def mean(moduli: Any, spacing: int) -> Any:
            """Mean over visible pixels and orientations, for each source."""
            here, each = visible[::spacing, ::spacing], moduli.reshape(len(kappa), -1, *moduli.shape[-2:])
            sums = jnp.sum(jnp.where(here[None, None], each, 0), axis=(-2, -1), dtype=jnp.float64)
            return sums.mean(axis=1) / np.count_nonzero(here)

        spacings = [_spacing(level, region.pixels) for level in levels]
        hat, first, second = jnp.fft.fft2(maps), [], []
        for index, level in enumerate(levels):
            later = [*zip(levels, spacings, strict=True)][index + 1 :]
            modulus = filtered(hat, level, 1 if later else spacings[index])
            every = spacings[index] if later else 1
            first.append(mean(modulus[..., ::every, ::every], spacings[index]))
            if later:
                of_modulus = jnp.fft.fft2(modulus)
                second += [mean(filtered(of_modulus, *each), each[1]) for each in later]
        return jnp.stack([*first, *second], axis=1).ravel()

    def expected(
        self, kappa: Float[Any, "source y x"], noise: Float[Any, "source y x"], observation: Observation
    ) -> Float64[Any, " bin"]:
        """Coefficients of kappa + noise, which are smooth in kappa."""
        return self.measured(kappa, noise, observation)


def morlet(level: int, angle: float, angles: int, pixels: int) -> Complex128[np.ndarray, "y x"]:
    """Morlet wavelet of the scale 2^level pixels on a periodic map, its centre at the first pixel.

    Parameters
    ----------
    level
        Level j.
    angle
        Orientation theta, from the x axis [rad].
    angles
        Number of orientations, from which the elongation follows.
    pixels
        Pixels per side of the map.
    """
    sigma, frequency, elongation = 0.4 * 2**level, 1.5 * np.pi / 2**level, 4 / angles
    position = np.fft.fftfreq(pixels, 1 / pixels)
    y, x = np.meshgrid(position, position, indexing="ij")
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    envelope = np.exp(-(along**2 + elongation**2 * across**2) / (2 * sigma**2)) * elongation / (2 * np.pi * sigma**2)
    wave = envelope * np.exp(1j * frequency * along)
    return np.asarray(wave - envelope * (wave.sum() / envelope.sum()))


@lru_cache
def _transforms(level: int, angles: int, pixels: int) -> Complex128[np.ndarray, "angle y x"]:
    """Fourier transforms of the wavelets of a level, one for each orientation."""
    return np.stack([np.fft.fft2(morlet(level, np.pi * each / angles, angles, pixels)) for each in range(angles)])


def _modulus(values: Any) -> Any:
    """Absolute value, with the derivative 0 where it is 0."""
    import jax.numpy as jnp

    square = values.real**2 + values.imag**2
    is_zero = square == 0
    return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, square)))


def _spacing(level: int, pixels: int) -> int:
    """Distance of the pixels at which a map with the wavelets of a level is averaged [pixels]."""
    return gcd(pixels, 2 ** max(level - 2, 0))


def _reach(level: int) -> int:
    """Three sigma of the wavelet of a level [pixels]."""
    return ceil(1.2 * 2**level)
