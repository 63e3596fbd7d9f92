"""Lensing weights of single source planes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from lenscast.cosmology import PARAMETER_NAMES, basis, cosmology
from lenscast.lensing import Lightcone, lensing_weights

Z_SOURCE = (0.31, 0.7)
WEIGHTS = jax.jit(lensing_weights, static_argnums=2)
STEPS = dict(zip(PARAMETER_NAMES, (0.002, 0.001, 0.02, 0.02, 0.02, 0.01, 0.02), strict=True))


def scale_factor(chi, parameters, distance):
    return 1 / (1 + brentq(lambda z: distance(z, parameters) - chi, 0, 10, xtol=1e-12))


def test_weights_agree_with_quadrature(parameters, cosmos, lightcone, distance):
    weights = WEIGHTS(jnp.array(Z_SOURCE), cosmos, lightcone)
    expected = np.zeros((11, 2))
    for plane, chi in enumerate(200.0 * (np.arange(11) + 0.5)):
        a = scale_factor(chi, parameters, distance)
        for source, z in enumerate(Z_SOURCE):
            share = max(1 - chi / distance(z, parameters), 0)
            expected[plane, source] = 1.5 * parameters.Omega_m / 2997.92458**2 * chi * share / a * 200.0
    # distances from tables, to 6e-8; near the source the share is a small difference
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-8 * expected.max())


def test_planes_behind_the_source_have_no_weight(parameters, cosmos, lightcone, distance):
    weights = np.asarray(WEIGHTS(jnp.array(Z_SOURCE), cosmos, lightcone))
    for source, z in enumerate(Z_SOURCE):
        behind = lightcone.chi > distance(z, parameters)
        assert 0 < behind.sum() < len(behind)
        np.testing.assert_array_equal(weights[behind, source], 0)
        assert np.all(weights[~behind, source] > 0)


def test_a_uniform_overdensity_has_the_convergence_of_the_line_of_sight(parameters, cosmos, distance):
    planes = Lightcone(box_size=20.0, slabs_per_box=1, planes=100, plane_mesh=8, field_deg=5.0, pixels=8)
    total = WEIGHTS(jnp.array([0.6]), cosmos, planes).sum()
    far = distance(0.6, parameters)

    def integrand(z):  # d chi = distance to z + dz less that to z
        chi, step = distance(z, parameters), 1e-3
        return chi * (1 - chi / far) * (1 + z) * (distance(z + step, parameters) - distance(z - step, parameters))

    exact = 1.5 * parameters.Omega_m / 2997.92458**2 * quad(integrand, 1e-3, 0.6, epsrel=1e-5)[0] / 2e-3
    # the midpoint rule, (20 / 1500)^2; below z = 1e-3 lie 1e-5
    np.testing.assert_allclose(total, exact, rtol=2e-4)


@pytest.fixture(scope="module")
def of_parameters(lightcone):
    """Weights as a function of the parameters, with redshifts of sources that stay."""
    return jax.jit(lambda p: lensing_weights(jnp.array(Z_SOURCE), cosmology(p), lightcone))


def test_derivatives_hold_redshifts_and_planes_fixed(parameters, of_parameters):
    units, covector = basis(parameters, PARAMETER_NAMES), jnp.cos(jnp.arange(22.0)).reshape(11, 2)

    @jax.jit
    def both_modes(p):
        forward = jax.vmap(lambda unit: jax.jvp(of_parameters, (p,), (unit,))[1])(units)
        return forward, jax.grad(lambda p: (covector * of_parameters(p)).sum())(p)

    tangents, gradient = both_modes(parameters)
    for number, (name, step) in enumerate(STEPS.items()):
        up, down = (
            of_parameters(jax.tree.map(lambda x, u, s=sign * step, n=number: x + s * u[n], parameters, units))
            for sign in (1, -1)
        )
        # third order of the steps, 1e-5 to 1e-4
        difference = (up - down) / (2 * step)
        atol = 2e-4 * np.abs(difference).max()
        np.testing.assert_allclose(tangents[number], difference, rtol=0, atol=atol, err_msg=name)
        assert (np.abs(difference).max() > 0) == (name in ("Omega_c", "Omega_b", "w0", "wa"))
    backward = np.array([getattr(gradient, name) for name in PARAMETER_NAMES])
    forward = (covector[None] * tangents).sum(axis=(1, 2))
    np.testing.assert_allclose(backward, forward, rtol=1e-9, atol=1e-15)
