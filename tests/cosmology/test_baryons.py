from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.interpolate import CubicSpline

from lenscast.cosmology import Parameters, baryon_suppression, basis, cosmology
from lenscast.cosmology.halo_model import haloes, variances
from lenscast.cosmology.halo_profile import nfw_transform
from lenscast.cosmology.power import PowerTable
from lenscast.numerics.interpolation import UniformHermiteTable

ORACLES = Path(__file__).parents[1] / "oracles" / "hmcode2020"
COSMOLOGIES = ["planck15", "low_sigma8", "high_sigma8"]

suppression = jax.jit(baryon_suppression)


def header(path):
    return [line[2:] for line in path.read_text().splitlines() if line.startswith("#")]


def columns(path):
    return dict(zip(header(path)[-1].split(), np.loadtxt(path, unpack=True), strict=True))


@pytest.fixture(scope="module", params=COSMOLOGIES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def table(name):
    """Wavenumbers, scale factors, and the columns of CAMB's table on them."""
    flat = columns(ORACLES / f"{name}.txt")
    z = np.unique(flat.pop("z"))
    k = np.unique(flat.pop("k"))
    by_redshift = {key: value.reshape(z.size, k.size) for key, value in flat.items()}
    return jnp.asarray(k), jnp.asarray(1 / (1 + z)), by_redshift


@pytest.fixture(scope="module")
def oracle_parameters(name):
    words = header(ORACLES / f"{name}.txt")[1].split()
    return Parameters.of({key: float(value) for key, value in (word.split("=") for word in words)})


@pytest.fixture(scope="module")
def oracle_cosmology(oracle_parameters):
    return jax.jit(cosmology)(oracle_parameters)


@pytest.fixture(scope="module")
def cosmos(w0wa):
    """The general cosmology, for what need not be tested twice."""
    return jax.jit(cosmology)(w0wa)


def camb_linear_power(name):
    """CAMB's linear spectrum in the place of Eisenstein & Hu's."""
    linear = columns(ORACLES / "linear_power.txt")
    ln_k = np.log(linear["k"])
    spline = CubicSpline(ln_k, np.log(linear[name]))
    values, slopes = jnp.asarray(spline(ln_k)), jnp.asarray(spline(ln_k, 1))
    return PowerTable(UniformHermiteTable(values, slopes, start=float(ln_k[0]), spacing=float(ln_k[1] - ln_k[0])))


@pytest.mark.parametrize("log10_T_AGN", [7.6, 7.8, 8.0])
def test_suppression_agrees_with_camb(table, oracle_cosmology, log10_T_AGN):
    k, a, expected = table
    difference = np.abs(suppression(k, a, oracle_cosmology, log10_T_AGN) - expected[f"S_{log10_T_AGN}"])
    # the fit of Eisenstein & Hu misses the slope of small scales, which tells where stars dominate, most at z = 2
    assert difference[:, k < 10.1].max() < 3e-3
    assert difference[a > 0.4][:, k < 10.1].max() < 2e-3


@pytest.mark.parametrize("log10_T_AGN", [7.6, 7.8, 8.0])
def test_suppression_agrees_with_camb_on_its_linear_power(name, table, oracle_cosmology, log10_T_AGN):
    k, a, expected = table
    cosmo = eqx.tree_at(lambda c: c.power, oracle_cosmology, camb_linear_power(name))
    difference = np.abs(suppression(k, a, cosmo, log10_T_AGN) - expected[f"S_{log10_T_AGN}"])
    # CAMB interpolates 64 variances, and has radiation in its linear growth
    assert difference[:, k < 10.1].max() < 2e-4
    assert difference.max() < 6e-4


@pytest.mark.slow
def test_derivative_with_respect_to_temperature_agrees_with_differences_of_camb(table, oracle_cosmology):
    k, a, expected = table
    _, slope = jax.jit(lambda T: jax.jvp(lambda T: baryon_suppression(k, a, oracle_cosmology, T), (T,), (1.0,)))(7.8)
    scale = np.abs(expected["dS_dlog10_T_AGN"][:, k < 10.1]).max()
    difference = np.abs(slope - expected["dS_dlog10_T_AGN"])[:, k < 10.1]
    # as the suppression, most at z = 2, and the curvature over CAMB's step of 0.05
    assert difference.max() < 0.01 * scale


@pytest.mark.slow
def test_derivative_with_respect_to_baryons_agrees_with_differences_of_camb(table, oracle_parameters):
    k, a, expected = table
    unit = jax.tree.map(lambda tangent: tangent[0], basis(oracle_parameters, ["Omega_b"]))
    _, slope = jax.jit(
        lambda p: jax.jvp(lambda p: baryon_suppression(k, a, cosmology(p), 7.8), (p,), (unit,))
    )(oracle_parameters)  # fmt: skip
    scale = np.abs(expected["dS_dOmega_b"][:, k < 10.1]).max()
    difference = np.abs(slope - expected["dS_dOmega_b"])[:, k < 10.1]
    # baryons change the shape of the linear spectrum too, where Eisenstein & Hu are a fit
    assert difference.max() < 0.015 * scale


def test_suppression_vanishes_on_large_scales(cosmos):
    a = jnp.array([0.3, 0.5, 1.0])
    k = jnp.array([1e-4, 1e-3, 0.01])
    ratio = suppression(k, a, cosmos, 8.3)
    # one-halo terms are damped as k^4
    np.testing.assert_allclose(ratio, 1.0, atol=1e-3)
    np.testing.assert_allclose(ratio[:, :2], 1.0, atol=1e-7)


def test_suppression_grows_with_temperature_where_gas_is_lost(cosmos):
    a, k = jnp.array([0.5, 1.0]), jnp.geomspace(0.3, 5.0, 7)
    ratios = [suppression(k, a, cosmos, temperature) for temperature in (7.6, 7.8, 8.0, 8.3)]
    assert np.all(np.diff(ratios, axis=0) < 0)
    assert np.max(ratios) < 1


@pytest.mark.slow
def test_stars_are_at_most_all_baryons(cosmos):
    z, k = 4.0, 10.0
    a = jnp.asarray(1 / (1 + z))
    baryons = cosmos.parameters.Omega_b / cosmos.parameters.Omega_m
    cold = 1 - baryons
    assert 0.0201 * 10 ** (0.409 * z) > 2 * baryons
    now = haloes(a, variances(cosmos.power), cosmos)
    gravity, feedback = (
        nfw_transform(jnp.asarray(k), now.radius, concentration * now.formation)
        for concentration in (4.0, 3.44 * 10 ** (-0.0671 * z))
    )
    growth = cosmos.growth.D1(a)
    linear = growth**2 * cosmos.power(jnp.asarray(k))
    damping = 1 / (1 + (0.05618 * (cosmos.parameters.sigma8 * growth) ** -1.013 / k) ** 4)
    powers = [jnp.sum(now.one_halo * profile**2) for profile in (cold * feedback + baryons, gravity)]
    expected = (linear + damping * powers[0]) / (linear + damping * powers[1])
    ratio = suppression(jnp.array([k]), jnp.array([a]), cosmos, 7.8)[0, 0]
    assert ratio == pytest.approx(float(expected), rel=1e-10)
    assert ratio > 1.01


@pytest.mark.slow
def test_suppression_derivatives_match_finite_differences(assert_derivatives):
    k, a = jnp.array([0.05, 0.4, 2.0, 9.0]), jnp.array([0.4, 1.0])
    # haloes that begin to form now bend the sum over haloes as one passes another node
    assert_derivatives(lambda p: baryon_suppression(k, a, cosmology(p), 7.8), rtol=1e-4)


@pytest.mark.slow
def test_suppression_derivatives_with_respect_to_temperature_scale_and_time_match_finite_differences(cosmos):
    k, a = jnp.array([0.05, 0.4, 2.0, 9.0]), jnp.array([0.4, 1.0])
    function = jax.jit(lambda ln_k, a, T: baryon_suppression(jnp.exp(ln_k), a, cosmos, T))
    check_grads(function, (jnp.log(k), 0.99 * a, jnp.asarray(7.8)), order=1, modes=("fwd", "rev"), rtol=1e-4, atol=1e-6)
