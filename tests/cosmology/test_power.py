from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from lenscast.cosmology.power import linear_power, power_table, sigma_R, transfer

K = jnp.geomspace(2e-4, 80.0, 997)


def test_power_agrees_with_the_same_fit_in_ccl(parameters, read_table):
    table = read_table("power")
    power = linear_power(jnp.asarray(table["k"]), parameters)
    # CCL interpolates its table of P(k), and integrates its sigma8, to 1e-6
    np.testing.assert_allclose(power, table["ccl_eisenstein_hu"], rtol=2e-6)


def test_power_agrees_with_camb_to_the_accuracy_of_the_fit(parameters, read_table):
    table = read_table("power")
    # below 0.005 h/Mpc dark energy clusters in CAMB; the fit misses the phase of the wiggles by percents
    k = table["k"][table["k"] > 0.005]
    ratio = linear_power(jnp.asarray(k), parameters) / table["camb"][table["k"] > 0.005]
    assert np.abs(ratio - 1).max() < 0.05
    assert np.abs(ratio - 1).mean() < 0.015


@pytest.fixture(scope="module")
def table(w0wa):
    return jax.jit(power_table)(w0wa)


def spherical_rms(radius, parameters):
    """Sigma(R) by adaptive quadrature over k itself, with its own window."""
    power = jax.jit(lambda k: linear_power(k, parameters))

    def integrand(k):
        x = k * radius
        window = 3 * (np.sin(x) / x - np.cos(x)) / x**2 if x > 1e-3 else 1 - x**2 / 10
        return k**2 * float(power(k)) * window**2 / (2 * np.pi**2)

    edges = np.array([0.0, 1.0, 10.0, 100.0]) / radius
    parts = [quad(integrand, *panel, limit=200, epsabs=0, epsrel=1e-7)[0] for panel in pairwise(edges)]
    return np.sqrt(sum(parts))


def test_power_gives_sigma8_back(w0wa):
    # the tail beyond k R = 100 is below 1e-6 of the variance
    assert spherical_rms(8.0, w0wa) == pytest.approx(float(w0wa.sigma8), rel=1e-6)


def test_sigma_R_agrees_with_independent_integral(w0wa):
    radii = jnp.array([2.0, 30.0])
    expected = [spherical_rms(float(radius), w0wa) for radius in radii]
    np.testing.assert_allclose(sigma_R(radii, w0wa), expected, rtol=3e-6)


@pytest.mark.parametrize("radius", [0.4, 3.0, 25.0])
def test_gaussian_rms_agrees_with_independent_integral(w0wa, table, radius):
    power = jax.jit(lambda k: linear_power(k, w0wa))

    def integrand(k):
        return k**2 * float(power(k)) * np.exp(-((k * radius) ** 2)) / (2 * np.pi**2)

    edges = np.array([0.0, 0.02, 0.3, 1.5, 6.0]) / radius
    parts = [quad(integrand, *panel, limit=200, epsabs=0, epsrel=1e-8)[0] for panel in pairwise(edges)]
    # the table is good to 1e-6, and begins at 1e-4 h/Mpc
    assert table.gaussian_rms(radius) == pytest.approx(np.sqrt(sum(parts)), rel=2e-6)


def test_transfer_is_one_on_large_scales(w0wa):
    assert transfer(jnp.asarray(0.0), w0wa) == 1.0
    np.testing.assert_allclose(transfer(jnp.array([1e-6, 1e-5]), w0wa), 1.0, rtol=1e-4)


def test_power_scales_with_sigma8(w0wa):
    louder = eqx.tree_at(lambda p: p.sigma8, w0wa, replace_fn=lambda sigma8: 2 * sigma8)
    np.testing.assert_allclose(linear_power(K, louder), 4 * linear_power(K, w0wa), rtol=1e-12)


def test_power_table_agrees_with_the_fit(w0wa, table):
    np.testing.assert_allclose(table(K), linear_power(K, w0wa), rtol=2e-6)
    np.testing.assert_allclose(table.root(K) ** 2, table(K), rtol=1e-13)


@pytest.mark.slow
def test_power_table_evaluates_float32_meshes(w0wa, table):
    k = K[:990].reshape(2, 11, 45)
    power = table(k.astype(jnp.float32))
    assert power.dtype == jnp.float32
    # P ~ k^-3 triples the rounding of k, and ln k is rounded at 4e-7
    np.testing.assert_allclose(power, linear_power(k, w0wa), rtol=1e-5)


def test_power_table_goes_on_as_power_laws(table):
    k = jnp.array([1e-6, 1e-5, 2e2, 2e3])
    slope = jnp.diff(jnp.log(table(k)))[::2] / jnp.log(10.0)
    # the tilt of the primordial spectrum, and n_s - 4 with a logarithm
    assert slope[0] == pytest.approx(0.9667, abs=1e-3)
    assert -3.1 < slope[1] < -2.6


@pytest.mark.parametrize("name", ["linear_power", "table", "root"])
def test_power_vanishes_at_zero_with_finite_derivatives(name, w0wa):
    functions = {
        "linear_power": linear_power,
        "table": lambda k, p: power_table(p)(k),
        "root": lambda k, p: power_table(p).root(k),
    }
    value, slopes = jax.jit(jax.value_and_grad(functions[name], argnums=(0, 1)))(jnp.asarray(0.0), w0wa)
    assert value == 0
    assert all(jnp.isfinite(leaf) for leaf in jax.tree.leaves(slopes))


def test_power_knows_nothing_of_dark_energy(w0wa):
    slope = jax.jit(jax.grad(lambda p: linear_power(K, p).sum()))(w0wa)
    assert (slope.w0, slope.wa) == (0.0, 0.0)


@pytest.mark.slow
def test_power_derivatives_match_finite_differences(assert_derivatives):
    k = jnp.array([1e-3, 0.02, 0.071, 0.2, 1.3, 12.0])

    def everything(parameters):
        table = power_table(parameters)
        by_k = [linear_power(k, parameters), transfer(k, parameters), table(k), table.root(k)]
        rms = jnp.stack([table.gaussian_rms(0.5), table.gaussian_rms(5.0)])
        return jnp.concatenate([*by_k, sigma_R(jnp.array([4.0, 20.0]), parameters), rms])

    # third derivatives with respect to Omega_b are largest, in the wiggles
    assert_derivatives(everything, rtol=1e-5)


def test_power_derivative_with_respect_to_wavenumber_matches_finite_differences(w0wa, table):
    ln_k = jnp.log(jnp.array([1e-3, 0.071, 1.3]))
    for function in (table, lambda k: linear_power(k, w0wa)):
        logarithm = jax.jit(lambda x, power=function: jnp.log(power(jnp.exp(x))))
        check_grads(logarithm, (ln_k,), order=1, modes=("fwd", "rev"), rtol=1e-5)
