"""Scattering coefficients against sums over pixels, and the wavelets against those of kymatio."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics import Observation, Region, ShapeNoise
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.scattering import morlet

KYMATIO = Path(__file__).parents[1] / "oracles" / "kymatio"
PIXELS, ANGLES = 32, 2
SIZE = 300 / 256


def wavelet(level, angle, y, x):
    """Morlet wavelet at some distances, from the equation, with the mean subtracted on these pixels."""
    sigma, frequency, slant = 0.4 * 2**level, 1.5 * np.pi / 2**level, 4 / ANGLES
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    envelope = slant / (2 * np.pi * sigma**2) * np.exp(-(along**2 + (slant * across) ** 2) / (2 * sigma**2))
    wave = np.exp(1j * frequency * along)
    return envelope * (wave - np.sum(wave * envelope) / np.sum(envelope))


def convolved(field, level, angle):
    """Periodic convolution as a sum over pairs of pixels."""
    wrapped = (np.arange(PIXELS) + PIXELS // 2) % PIXELS - PIXELS // 2
    kernel = wavelet(level, angle, *np.meshgrid(wrapped, wrapped, indexing="ij"))
    shifted = (np.arange(PIXELS)[:, None] - np.arange(PIXELS)) % PIXELS
    return np.einsum("abcd,bd->ac", kernel[shifted[:, :, None, None], shifted[None, None]], field)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
def test_coefficients_are_those_of_sums_over_pixels(masked):
    statistic = statistics_from_config({"scattering": {"scales_arcmin": [4 * SIZE, 8 * SIZE], "angles": ANGLES}})
    depth = None
    if masked:
        depth = np.ones((PIXELS, PIXELS))
        depth[13:17, 12:20] = 0
    region = Region(PIXELS, PIXELS * SIZE / 60, 10)
    observation = Observation(region, ShapeNoise((0.05,), depth, 0.2))
    kappa, noise = np.random.default_rng(6).normal(size=(2, 1, PIXELS, PIXELS))
    found = statistic["scattering"].measured(jnp.asarray(kappa), jnp.asarray(noise), observation)
    visible = np.ones((PIXELS, PIXELS)) if depth is None else depth
    field = visible * (kappa + noise)[0]
    angles = [0, np.pi / 2]
    first, other = (np.array([np.abs(convolved(field, level, angle)) for angle in angles]) for level in (2, 3))
    second = np.array([np.abs(convolved(modulus, 3, angle)) for modulus in first for angle in angles])
    # all pixels of the region at level 2; at level 3 those whose row and column are even
    expected = []
    for moduli, every in ((first, 1), (other, 2), (second, 2)):
        inside = np.s_[10:22:every, 10:22:every]
        expected.append(np.average(moduli.mean(axis=0)[inside], weights=visible[inside]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_bins_have_the_scales_of_both_wavelets():
    sizes = [2 * SIZE, 4 * SIZE, 8 * SIZE]
    statistic = statistics_from_config({"scattering": {"scales_arcmin": sizes, "angles": 4}})["scattering"]
    bins = statistic.bins(Observation(Region(64, 64 * SIZE / 60, 10), ShapeNoise((0.05,))))
    assert [(each["scale_arcmin"], each["centre"]) for each in bins] == [
        *((None, size) for size in sizes),
        (sizes[0], sizes[1]),
        (sizes[0], sizes[2]),
        (sizes[1], sizes[2]),
    ]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_wavelets_are_those_of_kymatio(level):
    """Its orientations are the same set, and its normalisation has 3.1415 for pi."""
    table = np.loadtxt(KYMATIO / f"wavelets_{level}.txt")
    found = np.stack([np.abs(np.fft.fft2(morlet(level, np.pi * each / 4, 4, 64))) for each in range(4)])
    # of each orientation, the transform at every fourth mode
    # rounded to 1e-7; it sums periodic images, whose share is below 1e-6 on 64 pixels
    np.testing.assert_allclose(found[:, ::4, ::4].reshape(4, -1) * np.pi / 3.1415, table, atol=2e-6)
