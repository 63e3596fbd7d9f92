"""Random maps with a spectrum like that of lensing, and comparisons that several statistics share."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

PIXEL_ARCMIN = 300 / 256
PIXEL = np.radians(PIXEL_ARCMIN / 60)
SIGMA_PIXEL = 0.26 / np.sqrt(20 * PIXEL_ARCMIN**2)


def _spectrum(ell):
    """C_ell [sr] that falls like that of convergence, of rms 0.017 on these pixels."""
    return 2.8e-9 / (1 + (ell / 150) ** 2) ** 0.7


def _amplitude(pixels):
    """Rms of the modes of `rfft2` over that for white noise of unit rms."""
    frequency_y, frequency_x = np.fft.fftfreq(pixels, PIXEL), np.fft.rfftfreq(pixels, PIXEL)
    power = _spectrum(2 * np.pi * np.hypot(frequency_y[:, None], frequency_x)) / PIXEL**2
    power[0, 0] = 0
    return np.sqrt(power)


@pytest.fixture(scope="session")
def spectrum():
    return _spectrum


@pytest.fixture(scope="session")
def amplitude():
    return _amplitude


@pytest.fixture(scope="session")
def gaussian_map():
    """Periodic Gaussian map [y x] of a key, from `spectrum`."""

    @partial(jax.jit, static_argnums=1)
    def draw(key, pixels):
        white = jnp.fft.rfft2(jax.random.normal(key, (pixels, pixels)))
        return jnp.fft.irfft2(white * _amplitude(pixels), s=(pixels, pixels)).astype(jnp.float32)

    return draw


@pytest.fixture(scope="session")
def lognormal_map(gaussian_map):
    """Lognormal map [source=1 y x] of a key, with an amplitude of fluctuations that can be differentiated by."""
    floor = 0.03

    def draw(key, pixels, scaling):
        gauss = scaling * gaussian_map(key, pixels) / floor
        variance = (scaling / floor / pixels) ** 2 * np.sum(np.abs(np.fft.fft2(np.fft.irfft2(_amplitude(pixels)))) ** 2)
        return (floor * jnp.expm1(gauss - variance / 2))[None].astype(jnp.float32)

    return draw


@pytest.fixture(scope="session")
def uneven_depth():
    """Depth with a wave over the field, a step and round holes, of a number of pixels."""

    def depth(pixels):
        y, x = np.mgrid[:pixels, :pixels]
        rng = np.random.default_rng(pixels)
        values = (1 + 0.3 * np.sin(2 * np.pi * y / 30)) * np.where(x > pixels // 2, 1.5, 1.0)
        for _ in range(pixels // 8):
            row, column = rng.uniform(0, pixels, 2)
            values[np.hypot(y - row, x - column) < rng.uniform(1, 4)] = 0
        return values

    return depth


@pytest.fixture(scope="session")
def probability():
    """Probability that the mean of draws whose true mean is 0 is as far from 0, by Hotelling's distribution.

    The covariance is that of the draws, and a tolerance of each element is added to it in quadrature.
    """

    def of(draws, tolerance=0.0):
        number, bins = draws.shape
        mean = draws.mean(axis=0)
        covariance = np.cov(draws, rowvar=False).reshape(bins, bins) / number
        covariance += np.diag(np.broadcast_to(tolerance, bins) ** 2)
        distance = mean @ np.linalg.solve(covariance, mean)
        return stats.f.sf(distance * (number - bins) / (bins * (number - 1)), bins, number - bins)

    return of


@pytest.fixture(scope="session")
def assert_derivatives():
    """Hold jvp and vjp of a function of maps, in double precision, against a central difference along a direction."""

    @partial(jax.jit, static_argnums=0)
    def derivatives(function, maps, direction, step):
        value, forward = jax.jvp(function, (maps,), (direction,))
        difference = (function(maps + step * direction) - function(maps - step * direction)) / (2 * step)
        weights = jnp.cos(jnp.arange(value.size, dtype=value.dtype))
        (backward,) = jax.vjp(function, maps)[1](weights)
        return forward, difference, jnp.vdot(weights, forward), jnp.vdot(backward, direction)

    def check(function, maps, direction, step, rtol):
        forward, difference, through_forward, through_backward = derivatives(function, maps, direction, step)
        np.testing.assert_allclose(forward, difference, rtol=rtol, atol=rtol * np.abs(difference).max())
        # the adjoint is that of the jvp, to rounding
        np.testing.assert_allclose(through_backward, through_forward, rtol=1e-9)

    return check
