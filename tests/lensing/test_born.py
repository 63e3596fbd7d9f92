"""The Born sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.lensing import convergence_born

BORN = jax.jit(convergence_born)


@pytest.fixture
def draw():
    rng = np.random.default_rng(0)
    return lambda: (rng.normal(size=(5, 4, 6)).astype(np.float32), rng.normal(size=(5, 3)))


def test_convergence_is_the_weighted_sum_over_planes(draw):
    sky, weights = draw()
    kappa = BORN(jnp.asarray(sky), jnp.asarray(weights))
    assert kappa.dtype == jnp.float32
    expected = np.zeros((3, 4, 6))
    for plane in range(5):
        for source in range(3):
            expected[source] += weights[plane, source] * sky[plane].astype(np.float64)
    # five products of order one in float32
    np.testing.assert_allclose(kappa, expected, rtol=0, atol=5e-6)


def test_convergence_differentiates_in_both_modes(draw):
    (sky, weights), (sky_dot, weights_dot) = primals, tangents = [tuple(map(jnp.asarray, draw())) for _ in range(2)]
    tangent = jax.jit(lambda x, dx: jax.jvp(convergence_born, x, dx)[1])(primals, tangents)
    # bilinear: the difference is exact but for rounding
    ends = [BORN(sky + sign * sky_dot, weights + sign * weights_dot) for sign in (1, -1)]
    np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / 2, rtol=0, atol=2e-5)
    gradients = jax.jit(lambda x, dy: jax.vjp(convergence_born, *x)[1](dy))(primals, tangent)
    backward = sum(np.vdot(gradient, dot) for gradient, dot in zip(gradients, tangents, strict=True))
    np.testing.assert_allclose(backward, np.vdot(tangent, tangent), rtol=1e-5)
