from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.geometry import starlet_level, starlet_levels, starlet_reach
from lenscast.statistics.region import Region
from lenscast.statistics.starlet import (
    noise_correlation,
    noise_rms,
    scale_problems,
    starlet,
    starlet_kernel,
    starlet_transfer,
)

ORACLES = Path(__file__).parents[1] / "oracles" / "lenspack"
LEVELS = (1, 2, 3)

transform = jax.jit(starlet, static_argnums=1)


def impulse_response(level):
    """Coefficients of a pixel of height 1, in double precision, on all pixels that see it."""
    side = 4 * starlet_reach(level) + 1
    return np.asarray(transform(jnp.zeros((side, side)).at[side // 2, side // 2].set(1.0), (level,))[0])


def test_starlet_agrees_with_lenspack():
    white = jnp.asarray(np.loadtxt(ORACLES / "map.txt"), jnp.float32)
    for level, coefficients in zip(LEVELS, transform(white, LEVELS), strict=True):
        theirs = np.loadtxt(ORACLES / f"coefficients_{level}.txt")
        # lenspack does not normalise; maps of rms 1 have rounding errors of 1e-7 in single precision
        np.testing.assert_allclose(coefficients[::5, ::5] * noise_rms(level), theirs, atol=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_starlet_scales_plane_waves_by_its_transfer_function(level):
    theta_y, theta_x = 0.31, -0.17
    y, x = np.meshgrid(np.arange(64.0), np.arange(64.0), indexing="ij")
    wave = jnp.asarray(np.cos(theta_y * y + theta_x * x + 0.4))
    transfer = starlet_transfer(level, np.full((1, 1), theta_y), np.full((1, 1), theta_x)) / noise_rms(level)
    reach = starlet_reach(level)
    inside = wave[reach:-reach, reach:-reach]
    np.testing.assert_allclose(transform(wave, (level,))[0], transfer * inside, atol=1e-13)


def test_starlet_transfer_functions_of_all_levels_add_up_to_that_of_the_map():
    theta_y, theta_x = np.meshgrid(np.linspace(0, np.pi, 9), np.linspace(0.3, np.pi, 7), indexing="ij")
    total = sum(starlet_transfer(level, theta_y, theta_x) for level in range(1, 12))
    # what is left is c_11, whose transfer function is 1 at ell = 0 and vanishes at theta_x >= 0.3
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_starlet_reach_is_that_of_its_kernel(level):
    kernel, reach = impulse_response(level), starlet_reach(level)
    assert kernel.shape == (2 * reach + 1, 2 * reach + 1)
    assert kernel[0, reach] != 0
    assert kernel[-1, reach] != 0
    np.testing.assert_allclose(starlet_kernel(level), kernel, atol=1e-15)
    np.testing.assert_allclose(np.sum(starlet_kernel(level) ** 2), 1, rtol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_noise_correlation_is_the_autocorrelation_of_the_kernel(level):
    kernel, correlation = impulse_response(level), noise_correlation(level)
    transform = np.fft.rfft2(kernel, s=(2 * len(kernel), 2 * len(kernel)))
    autocorrelation = np.fft.irfft2(np.abs(transform) ** 2)[: len(kernel), : len(kernel)]
    # its value at lag 0 is the response to white noise, which normalisation makes 1
    np.testing.assert_allclose(correlation, autocorrelation, atol=1e-14)
    assert correlation[0, 0] == 1


def test_starlet_is_linear_and_differentiable_in_both_modes(assert_derivatives):
    maps, direction = jax.random.normal(jax.random.key(0), (2, 2, 40, 40))

    def coefficients(x):
        return jnp.concatenate([each.ravel() for each in starlet(x, (1, 3))])

    assert_derivatives(coefficients, maps, direction, step=1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("scale", "pixel", "level"), [(9.4, 300 / 256, 3), (9.33, 300 / 1024, 5), (37.38, 300 / 1024, 7)]
)
def test_starlet_level_is_found_by_a_rounded_scale(scale, pixel, level):
    assert starlet_level(scale, pixel) == level


@pytest.mark.parametrize("scale", [7.0, 1.2])
def test_starlet_level_refuses_scales_that_are_not_a_power_of_two(scale):
    with pytest.raises(ValueError, match=rf"{scale:g} arcmin is not 2\^j pixels of 1.172 arcmin within 10 %"):
        starlet_level(scale, 300 / 256)
    problems = list(scale_problems((scale,), Region(256, 5.0, 0), starlet_reach))
    assert problems == [
        (
            "scales_arcmin",
            f"{scale:g} arcmin is not 2^j pixels of 1.172 arcmin within 10 %; allowed: 2.344, 4.688, 9.375, 18.75, "
            "37.5 arcmin",
        )
    ]


def test_scales_that_leave_too_little_of_the_map_or_come_twice_are_problems():
    region = Region(96, 96 * 5.0 / 256, 0)
    assert starlet_levels((4.7, 9.3), region.pixel_arcmin) == (2, 3)
    assert not list(scale_problems((4.7, 9.3), region, starlet_reach))
    keys, texts = zip(*scale_problems((37.5,), region, starlet_reach), strict=True)
    assert keys == ("scales_arcmin",)
    assert texts == (
        "37.5 arcmin reaches 62 pixels into the map from each side, which leaves 0 of 96; allowed: 2.344, 4.688, "
        "9.375, 18.75 arcmin",
    )
    (problem,) = scale_problems((9.3, 9.4), region, starlet_reach)
    assert problem == ("scales_arcmin", "9.3 and 9.4 arcmin are the same scale; keep one")
