"""Suppression of the power of lens planes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import baryon_suppression
from lenscast.lensing import suppression_wavenumbers, with_feedback, with_suppressed_power
from lenscast.sections.lightcone import Lightcone

LIGHTCONE = Lightcone(box_size=200.0, slabs_per_box=2, planes=2, plane_mesh=32, field_deg=5.0, pixels=16)
FILTER = jax.jit(with_suppressed_power, static_argnums=2)


def planes(seed):
    return np.random.default_rng(seed).normal(size=(2, 3, 2, 32, 32)).astype(np.float32)


def table(function):
    k = suppression_wavenumbers(LIGHTCONE)
    return jnp.stack([jnp.asarray(function(k, plane)) for plane in range(2)])


def test_wavenumbers_span_the_modes_of_a_plane():
    k = suppression_wavenumbers(LIGHTCONE)
    np.testing.assert_allclose([k[0], k[-1]], [2 * np.pi / 200, 2**0.5 * np.pi * 32 / 200])
    np.testing.assert_allclose(np.diff(np.log(k)), np.log(k[1] / k[0]))


def test_a_mode_is_multiplied_by_the_root_of_the_suppression_at_its_wavenumber():
    y, x = np.meshgrid(np.arange(32), np.arange(32), indexing="ij")
    wave = np.cos(2 * np.pi * (3 * y - 4 * x) / 32).astype(np.float32)  # k = 5 x 2 pi / 200
    original = np.broadcast_to(wave, (2, 3, 2, 32, 32))
    found = FILTER(jnp.asarray(original), table(lambda k, plane: 1 / (1 + (plane + 1) * k)), LIGHTCONE)
    k = 5 * 2 * np.pi / 200
    for plane in range(2):
        # linear between knots of 7 %
        np.testing.assert_allclose(found[plane, 1, 1], wave / (1 + (plane + 1) * k) ** 0.5, atol=2e-4)


def test_no_suppression_leaves_the_planes():
    original = planes(0)
    # a Fourier transform and back in float32
    np.testing.assert_allclose(
        FILTER(jnp.asarray(original), table(lambda k, _: 0 * k + 1), LIGHTCONE), original, atol=2e-6
    )


def test_power_is_multiplied_by_the_suppression():
    original = planes(1)
    found = FILTER(jnp.asarray(original), table(lambda k, _: 1 - 0.3 * k / (1 + k)), LIGHTCONE)
    frequency = 2 * np.pi * np.fft.fftfreq(32, 200 / 32)
    k = np.hypot(frequency[:, None], frequency)
    ratio = np.abs(np.fft.fft2(found)) ** 2 / np.abs(np.fft.fft2(original)) ** 2
    expected = 1 - 0.3 * k / (1 + k)
    away = (k > 0) & (np.abs(frequency[:, None]) < 0.5) & (np.abs(frequency) < 0.5)  # from the Nyquist modes
    np.testing.assert_allclose(ratio[..., away], np.broadcast_to(expected, ratio.shape)[..., away], rtol=2e-3)


def test_suppression_differentiates_in_both_modes():
    original, direction = jnp.asarray(planes(2)), jnp.asarray(planes(3))
    suppression, change = table(lambda k, plane: 1 - 0.3 * k / (1 + k)), table(lambda k, plane: np.cos(3 * k + plane))

    def function(density, power):
        return with_suppressed_power(density, power, LIGHTCONE)

    tangent = jax.jit(lambda *x: jax.jvp(function, x, (direction, change))[1])(original, suppression)
    step = 1e-2
    ends = [FILTER(original + s * step * direction, suppression + s * step * change, LIGHTCONE) for s in (1, -1)]
    # third order of the step, and rounding over it
    difference = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(tangent, difference, rtol=0, atol=3e-4 * np.abs(difference).max())
    gradients = jax.jit(lambda *x: jax.vjp(function, *x)[1](tangent))(original, suppression)
    backward = sum(np.vdot(g, d) for g, d in zip(gradients, (direction, change), strict=True))
    np.testing.assert_allclose(backward, np.vdot(tangent, tangent), rtol=1e-4)


@pytest.mark.slow
def test_tangent_of_feedback_agrees_with_differences_to_1e_3(cosmos):
    fine = Lightcone(box_size=30.0, slabs_per_box=2, planes=2, plane_mesh=32, field_deg=5.0, pixels=16)
    original, step = jnp.asarray(planes(4)), 0.02

    @jax.jit
    def both(T):
        return jax.jvp(lambda x: with_feedback(original, cosmos, x, fine), (T,), (jnp.ones(()),))

    value, tangent = both(jnp.array(7.8))
    plus, minus = (np.asarray(both(jnp.array(7.8 + sign * step))[0], np.float64) for sign in (1, -1))
    difference = (plus - minus) / (2 * step)
    assert np.linalg.norm(difference) > 0.02 * np.linalg.norm(value)
    # second order of the step, 2e-4; rounding of planes, 1e-7 / step
    assert np.linalg.norm(tangent - difference) < 1e-3 * np.linalg.norm(difference)
    k, a = suppression_wavenumbers(fine), cosmos.distances.scale_factor(jnp.asarray(fine.chi))
    by_hand = with_suppressed_power(original, baryon_suppression(jnp.asarray(k), a, cosmos, jnp.array(7.8)), fine)
    np.testing.assert_allclose(value, by_hand, atol=1e-5)
    assert with_feedback(original, cosmos, None, fine) is original
