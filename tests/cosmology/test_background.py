import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from lenscast.cosmology import Parameters
from lenscast.cosmology.background import (
    A_EARLY,
    Omega_m_a,
    distances,
    expansion,
    expansion_slope,
)
from lenscast.geometry import SPEED_OF_LIGHT_OVER_H0

A = jnp.geomspace(A_EARLY, 1.0, 41)


@pytest.mark.parametrize("code", ["ccl", "camb"])
def test_comoving_distance_agrees_with(code, cosmo, read_table):
    table = read_table("background")
    chi = cosmo.distances.comoving_distance(jnp.asarray(table["a"]))
    # CAMB's photons at 0.5 K bend chi by 7e-7 at a = 0.02; CCL's spline is good to 1e-7
    np.testing.assert_allclose(chi, table[f"chi_{code}"], rtol=1e-6, atol=1e-8)


def test_comoving_distance_of_matter_alone_is_analytic():
    matter = Parameters(Omega_c=0.95, Omega_b=0.05, h=0.7, n_s=1.0, sigma8=0.8, w0=-1.0, wa=0.0)
    chi = distances(matter).comoving_distance(A)
    np.testing.assert_allclose(chi, 2 * SPEED_OF_LIGHT_OVER_H0 * (1 - jnp.sqrt(A)), rtol=1e-8, atol=1e-8)


def test_comoving_distance_agrees_between_knots_with_its_integral(parameters, cosmo):
    def hubble_distance(ln_a):
        return SPEED_OF_LIGHT_OVER_H0 / (np.exp(ln_a) * float(rate(np.exp(ln_a), parameters)))

    rate = jax.jit(expansion)
    # the relative error is largest within the last interval of the table
    for a in (0.0123, 0.2345, 0.9935, 0.9991):
        chi = cosmo.distances.comoving_distance(jnp.asarray(a))
        assert chi == pytest.approx(quad(hubble_distance, np.log(a), 0.0, epsrel=1e-11)[0], rel=7e-8)


def test_scale_factor_inverts_comoving_distance(cosmo):
    chi = cosmo.distances.comoving_distance(A)
    np.testing.assert_allclose(cosmo.distances.scale_factor(chi), A, rtol=1e-8)


def test_scale_factor_slope_is_the_expansion_rate(parameters, cosmo):
    chi = jnp.array([10.0, 102.5, 1517.0, 4000.0])
    a, slope = jax.jvp(cosmo.distances.scale_factor, (chi,), (jnp.ones_like(chi),))
    # the derivative of a cubic interpolant is one order less accurate than its value
    np.testing.assert_allclose(slope, -(a**2) * expansion(a, parameters) / SPEED_OF_LIGHT_OVER_H0, rtol=3e-7)


def test_expansion_is_one_today_and_matter_dominates_early(parameters):
    assert expansion(jnp.asarray(1.0), parameters) == pytest.approx(1.0, rel=1e-15)
    assert Omega_m_a(jnp.asarray(1.0), parameters) == pytest.approx(0.3075, rel=1e-12)
    assert Omega_m_a(jnp.asarray(A_EARLY), parameters) == pytest.approx(1.0, abs=1e-5)


def test_expansion_with_constant_equation_of_state():
    parameters = Parameters(Omega_c=0.25, Omega_b=0.05, h=0.7, n_s=1.0, sigma8=0.8, w0=-0.8, wa=0.0)
    np.testing.assert_allclose(expansion(A, parameters) ** 2, 0.3 * A**-3 + 0.7 * A**-0.6, rtol=1e-13)


def test_expansion_slope_is_the_derivative(parameters):
    slope = jax.vmap(jax.grad(lambda x: jnp.log(expansion(jnp.exp(x), parameters))))(jnp.log(A))
    np.testing.assert_allclose(expansion_slope(A, parameters), slope, rtol=1e-12)


def test_background_derivatives_match_finite_differences(assert_derivatives):
    a, chi = jnp.array([0.02, 0.3, 0.52, 0.9]), jnp.array([50.0, 800.0, 2200.0, 7000.0])

    def everything(parameters):
        table = distances(parameters)
        rates = [function(a, parameters) for function in (expansion, Omega_m_a, expansion_slope)]
        return jnp.stack([*rates, table.comoving_distance(a), table.scale_factor(chi)])

    assert_derivatives(everything, rtol=1e-6)
