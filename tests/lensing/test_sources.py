"""Redshift distributions, and the lensing weights and shares of galaxies that planes have for them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from lenscast.cosmology import PARAMETER_NAMES, basis, cosmology
from lenscast.lensing import Lightcone, lensing_weights, plane_strength, source_shares
from lenscast.lensing.sources import source_planes, tabulated, tomographic

Z_SOURCE = (0.31, 0.7)
PLANES = source_planes(Z_SOURCE)
UNSHIFTED = jnp.zeros(2)
WEIGHTS = jax.jit(lensing_weights, static_argnums=(0, 3))
SHARES = jax.jit(source_shares, static_argnums=(0, 3))
STEPS = dict(zip(PARAMETER_NAMES, (0.002, 0.001, 0.02, 0.02, 0.02, 0.01, 0.02), strict=True))


def scale_factor(chi, parameters, distance):
    return 1 / (1 + brentq(lambda z: distance(z, parameters) - chi, 0, 10, xtol=1e-12))


def test_weights_agree_with_quadrature(parameters, cosmos, lightcone, distance):
    weights = WEIGHTS(PLANES, UNSHIFTED, cosmos, lightcone)
    expected = np.zeros((11, 2))
    for plane, chi in enumerate(200.0 * (np.arange(11) + 0.5)):
        a = scale_factor(chi, parameters, distance)
        for source, z in enumerate(Z_SOURCE):
            share = max(1 - chi / distance(z, parameters), 0)
            expected[plane, source] = 1.5 * parameters.Omega_m / 2997.92458**2 * chi * share / a * 200.0
    # distances from tables, to 6e-8; near the source the share is a small difference
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-8 * expected.max())


def test_planes_behind_the_source_have_no_weight(parameters, cosmos, lightcone, distance):
    weights = np.asarray(WEIGHTS(PLANES, UNSHIFTED, cosmos, lightcone))
    for source, z in enumerate(Z_SOURCE):
        behind = lightcone.chi > distance(z, parameters)
        assert 0 < behind.sum() < len(behind)
        np.testing.assert_array_equal(weights[behind, source], 0)
        assert np.all(weights[~behind, source] > 0)


def test_a_uniform_overdensity_has_the_convergence_of_the_line_of_sight(parameters, cosmos, distance):
    planes = Lightcone(box_size=20.0, slabs_per_box=1, planes=100, plane_mesh=8, field_deg=5.0, pixels=8)
    total = WEIGHTS(source_planes([0.6]), jnp.zeros(1), cosmos, planes).sum()
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
    return jax.jit(lambda p: lensing_weights(PLANES, UNSHIFTED, cosmology(p), lightcone))


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


# Means of the bins of the DESC SRD (arXiv:1809.01669) to four digits, from an independent calculation.
@pytest.mark.parametrize(
    ("z0", "alpha", "means"),
    [
        (0.13, 0.78, [0.2506, 0.4561, 0.6546, 0.9173, 1.5266]),
        (0.11, 0.68, [0.3093, 0.5890, 0.8671, 1.2410, 2.0528]),
    ],
    ids=["Year 1", "Year 10"],
)
def test_bins_have_the_mean_redshifts_of_the_srd(z0, alpha, means):
    sources = tomographic(z0, alpha, bins=5, sigma_z=0.05, z_max=3.5)
    np.testing.assert_allclose(sources.mean, means, rtol=0, atol=5e-5)
    np.testing.assert_allclose(sources.share.sum(axis=1), 1)
    assert len(sources) == 5


def test_bins_without_scatter_are_slices_of_equal_numbers():
    sources = tomographic(0.13, 0.78, bins=4, sigma_z=0.0, z_max=2.0)
    number = lambda low, high: quad(lambda z: z**2 * np.exp(-((z / 0.13) ** 0.78)), low, high)[0]  # noqa: E731
    edges = [brentq(lambda z, q=q: number(0, z) - q * number(0, 2), 0, 2) for q in (0, 0.25, 0.5, 0.75, 1)]
    for each, low, high in zip(sources.share, edges[:-1], edges[1:], strict=True):
        outside = (sources.high < low - 1e-9) | (sources.low > high + 1e-9)
        # the cells that an edge cuts belong to two bins
        assert each[outside].sum() < 1e-3
        assert each[~outside].sum() > 0.98


def test_a_table_is_linear_between_its_rows():
    sources = tabulated(np.array([[0.2, 0.5, 0.6]]), np.array([[0.0, 4.0, 0.0], [1.0, 1.0, 1.0]]))
    # of a triangle the mean of its corners, of a uniform distribution the middle
    np.testing.assert_allclose(sources.mean, [1.3 / 3, 0.4])
    # of the left part of the triangle, (z - 0.2)^2 / (0.3 x 0.4)
    np.testing.assert_allclose(sources.share[0][sources.high <= 0.5 + 1e-9].sum(), 0.75)


BROAD = tabulated(np.array([[0.1, 0.3, 0.5, 0.8]]), np.array([[0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 2.0]]))


def test_weights_of_a_distribution_are_the_mean_of_those_of_planes(cosmos, lightcone):
    weights = WEIGHTS(BROAD, UNSHIFTED, cosmos, lightcone)
    for source, n in enumerate(([0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 2.0])):
        z = (np.arange(700) + 0.5) / 700 * 0.7 + 0.1
        share = np.interp(z, [0.1, 0.3, 0.5, 0.8], n)
        single = WEIGHTS(source_planes(z.tolist()), jnp.zeros(700), cosmos, lightcone)
        # cells of 1/256 in z, and midpoints of 1e-3, over a width of 0.7
        expected = single @ share / share.sum()
        np.testing.assert_allclose(weights[:, source], expected, rtol=1e-4, atol=2e-5 * expected.max())


def test_galaxies_are_in_the_slab_that_their_redshift_is_in(parameters, cosmos, lightcone, distance):
    shares = np.asarray(SHARES(BROAD, UNSHIFTED, cosmos, lightcone))
    edges = [brentq(lambda z, c=c: distance(z, parameters) - c, 0, 3) for c in 200.0 * np.arange(12)]
    z = (np.arange(70000) + 0.5) / 70000 * 0.7 + 0.1
    for source, n in enumerate(([0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 2.0])):
        number = np.interp(z, [0.1, 0.3, 0.5, 0.8], n)
        expected = np.histogram(z, edges, weights=number / number.sum())[0]
        np.testing.assert_allclose(shares[:, source], expected, rtol=0, atol=2e-5)
    at_once = np.asarray(SHARES(PLANES, UNSHIFTED, cosmos, lightcone))
    home = [int(distance(z, parameters) // 200) for z in Z_SOURCE]
    np.testing.assert_array_equal(at_once, np.eye(11)[:, home])


@pytest.mark.parametrize("function", [lensing_weights, source_shares])
@pytest.mark.parametrize("sources", [BROAD, PLANES], ids=["broad", "planes"])
def test_a_shift_moves_the_redshifts(function, sources, cosmos, lightcone):
    moved = function(sources, jnp.array([0.03, 0.0]), cosmos, lightcone)
    by_hand = type(sources)(sources.low + 0.03, sources.high + 0.03, sources.share, sources.tilt)
    np.testing.assert_allclose(
        moved[:, 0], function(by_hand, UNSHIFTED, cosmos, lightcone)[:, 0], rtol=1e-9, atol=1e-15
    )
    np.testing.assert_array_equal(moved[:, 1], function(sources, UNSHIFTED, cosmos, lightcone)[:, 1])


@pytest.mark.parametrize("function", [lensing_weights, source_shares])
def test_derivatives_by_shift_agree_with_differences_in_both_modes(function, cosmos, lightcone):
    compiled = jax.jit(lambda shift: function(BROAD, shift, cosmos, lightcone))
    at, step = jnp.array([0.01, -0.02]), 2e-3
    tangent = jax.jit(lambda x: jax.jvp(compiled, (x,), (jnp.ones(2),))[1])(at)
    difference = (compiled(at + step) - compiled(at - step)) / (2 * step)
    # distributions are continuous with kinks: second order of the step over their width of 0.2
    np.testing.assert_allclose(tangent, difference, rtol=0, atol=3e-4 * np.abs(difference).max())
    covector = jnp.cos(jnp.arange(22.0)).reshape(11, 2)
    gradient = jax.jit(lambda x: jax.vjp(compiled, x)[1](covector)[0])(at)
    np.testing.assert_allclose(gradient.sum(), (covector * tangent).sum(), rtol=1e-9)


def test_plane_strength_is_the_weight_of_sources_at_infinity(cosmos, lightcone):
    strength = plane_strength(cosmos, lightcone)
    weights = WEIGHTS(PLANES, UNSHIFTED, cosmos, lightcone)
    chi_source = cosmos.distances.comoving_distance(1 / (1 + jnp.array(Z_SOURCE)))
    efficiency = np.maximum(1 - lightcone.chi[:, None] / np.asarray(chi_source), 0)
    np.testing.assert_allclose(strength[:, None] * efficiency, weights, rtol=1e-12)
