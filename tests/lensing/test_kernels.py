"""Lensing kernels and shares of the planes, the Born sum and the Limber sum."""

from itertools import combinations_with_replacement

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from lenscast.cosmology import basis, cosmology
from lenscast.lensing import (
    Kernels,
    VisiblePlanes,
    convergence,
    convergence_born,
    lensing_kernel,
    limber_sum,
    plane_strength,
    source_planes,
    source_shares,
)
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.lightcone import Lightcone

Z_SOURCE = (0.31, 0.7)
PLANES = source_planes(Z_SOURCE)
UNSHIFTED = jnp.zeros(2)
KERNEL = jax.jit(lensing_kernel, static_argnums=(0, 3))
SHARES = jax.jit(source_shares, static_argnums=(0, 3))
STEPS = dict(zip(COSMOLOGICAL, (0.002, 0.001, 0.02, 0.02, 0.02, 0.01, 0.02), strict=True))


def scale_factor(chi, parameters, distance):
    return 1 / (1 + brentq(lambda z: distance(z, parameters) - chi, 0, 10, xtol=1e-12))


def test_lensing_kernel_agrees_with_quadrature(parameters, cosmos, lightcone, distance):
    kernel = KERNEL(PLANES, UNSHIFTED, cosmos, lightcone)
    expected = np.zeros((11, 2))
    for plane, chi in enumerate(200.0 * (np.arange(11) + 0.5)):
        a = scale_factor(chi, parameters, distance)
        for source, z in enumerate(Z_SOURCE):
            share = max(1 - chi / distance(z, parameters), 0)
            expected[plane, source] = 1.5 * parameters.Omega_m / 2997.92458**2 * chi * share / a * 200.0
    # distances from tables, to 6e-8; near the source the share is a small difference
    np.testing.assert_allclose(kernel, expected, rtol=1e-6, atol=1e-8 * expected.max())


def test_planes_behind_the_source_have_no_kernel(parameters, cosmos, lightcone, distance):
    kernel = np.asarray(KERNEL(PLANES, UNSHIFTED, cosmos, lightcone))
    for source, z in enumerate(Z_SOURCE):
        behind = lightcone.chi > distance(z, parameters)
        assert 0 < behind.sum() < len(behind)
        np.testing.assert_array_equal(kernel[behind, source], 0)
        assert np.all(kernel[~behind, source] > 0)


def test_a_uniform_overdensity_has_the_convergence_of_the_line_of_sight(parameters, cosmos, distance):
    planes = Lightcone(box_size=20.0, slabs_per_box=1, planes=100, plane_mesh=8, field_deg=5.0, pixels=16)
    total = KERNEL(source_planes([0.6]), jnp.zeros(1), cosmos, planes).sum()
    far = distance(0.6, parameters)

    def integrand(z):  # d chi = distance to z + dz less that to z
        chi, step = distance(z, parameters), 1e-3
        return chi * (1 - chi / far) * (1 + z) * (distance(z + step, parameters) - distance(z - step, parameters))

    exact = 1.5 * parameters.Omega_m / 2997.92458**2 * quad(integrand, 1e-3, 0.6, epsrel=1e-5)[0] / 2e-3
    # the midpoint rule, (20 / 1500)^2; below z = 1e-3 lie 1e-5
    np.testing.assert_allclose(total, exact, rtol=2e-4)


@pytest.fixture(scope="module")
def of_parameters(lightcone):
    """Lensing kernel as a function of the parameters, with redshifts of sources that stay."""
    return jax.jit(lambda p: lensing_kernel(PLANES, UNSHIFTED, cosmology(p), lightcone))


@pytest.mark.slow
def test_derivatives_hold_redshifts_and_planes_fixed(parameters, of_parameters):
    units, covector = basis(parameters, COSMOLOGICAL), jnp.cos(jnp.arange(22.0)).reshape(11, 2)

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
    backward = np.array([getattr(gradient, name) for name in COSMOLOGICAL])
    forward = (covector[None] * tangents).sum(axis=(1, 2))
    np.testing.assert_allclose(backward, forward, rtol=1e-9, atol=1e-15)


def test_kernel_of_a_distribution_is_the_mean_of_those_of_planes(broad, cosmos, lightcone):
    kernel = KERNEL(broad, UNSHIFTED, cosmos, lightcone)
    for source, n in enumerate(([0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 2.0])):
        z = (np.arange(700) + 0.5) / 700 * 0.7 + 0.1
        share = np.interp(z, [0.1, 0.3, 0.5, 0.8], n)
        single = KERNEL(source_planes(z.tolist()), jnp.zeros(700), cosmos, lightcone)
        # cells of 1/256 in z, and midpoints of 1e-3, over a width of 0.7
        expected = single @ share / share.sum()
        np.testing.assert_allclose(kernel[:, source], expected, rtol=1e-4, atol=2e-5 * expected.max())


def test_galaxies_are_in_the_slab_that_their_redshift_is_in(broad, parameters, cosmos, lightcone, distance):
    shares = np.asarray(SHARES(broad, UNSHIFTED, cosmos, lightcone))
    edges = [brentq(lambda z, c=c: distance(z, parameters) - c, 0, 3) for c in 200.0 * np.arange(12)]
    z = (np.arange(70000) + 0.5) / 70000 * 0.7 + 0.1
    for source, n in enumerate(([0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 2.0])):
        number = np.interp(z, [0.1, 0.3, 0.5, 0.8], n)
        expected = np.histogram(z, edges, weights=number / number.sum())[0]
        np.testing.assert_allclose(shares[:, source], expected, rtol=0, atol=2e-5)
    at_once = np.asarray(SHARES(PLANES, UNSHIFTED, cosmos, lightcone))
    home = [int(distance(z, parameters) // 200) for z in Z_SOURCE]
    np.testing.assert_array_equal(at_once, np.eye(11)[:, home])


@pytest.mark.slow
@pytest.mark.parametrize("function", [lensing_kernel, source_shares])
@pytest.mark.parametrize("kind", ["broad", "planes"])
def test_a_shift_moves_the_redshifts(function, kind, broad, cosmos, lightcone):
    sources = {"broad": broad, "planes": PLANES}[kind]
    shifted = function(sources, jnp.array([0.03, 0.0]), cosmos, lightcone)
    by_hand = type(sources)(sources.low + 0.03, sources.high + 0.03, sources.share, sources.tilt)
    np.testing.assert_allclose(
        shifted[:, 0], function(by_hand, UNSHIFTED, cosmos, lightcone)[:, 0], rtol=1e-9, atol=1e-15
    )
    np.testing.assert_array_equal(shifted[:, 1], function(sources, UNSHIFTED, cosmos, lightcone)[:, 1])


@pytest.mark.parametrize("function", [lensing_kernel, source_shares])
def test_derivatives_with_respect_to_shifts_agree_with_differences_in_both_modes(function, broad, cosmos, lightcone):
    compiled = jax.jit(lambda shift: function(broad, shift, cosmos, lightcone))
    at, step = jnp.array([0.01, -0.02]), 2e-3
    tangent = jax.jit(lambda x: jax.jvp(compiled, (x,), (jnp.ones(2),))[1])(at)
    difference = (compiled(at + step) - compiled(at - step)) / (2 * step)
    # distributions are continuous with kinks: second order of the step over their width of 0.2
    np.testing.assert_allclose(tangent, difference, rtol=0, atol=3e-4 * np.abs(difference).max())
    covector = jnp.cos(jnp.arange(22.0)).reshape(11, 2)
    gradient = jax.jit(lambda x: jax.vjp(compiled, x)[1](covector)[0])(at)
    np.testing.assert_allclose(gradient.sum(), (covector * tangent).sum(), rtol=1e-9)


def test_plane_strength_is_the_kernel_of_sources_at_infinity(cosmos, lightcone):
    strength = plane_strength(cosmos, lightcone)
    kernel = KERNEL(PLANES, UNSHIFTED, cosmos, lightcone)
    chi_source = cosmos.distances.comoving_distance(1 / (1 + jnp.array(Z_SOURCE)))
    efficiency = np.maximum(1 - lightcone.chi[:, None] / np.asarray(chi_source), 0)
    np.testing.assert_allclose(strength[:, None] * efficiency, kernel, rtol=1e-12)


BORN = jax.jit(convergence_born)


@pytest.fixture
def draw():
    rng = np.random.default_rng(0)
    return lambda: (rng.normal(size=(5, 4, 6)).astype(np.float32), rng.normal(size=(5, 3)))


def test_convergence_is_the_sum_of_kernel_times_overdensity(draw):
    sky, kernel = draw()
    kappa = BORN(jnp.asarray(sky), jnp.asarray(kernel))
    assert kappa.dtype == jnp.float32
    expected = np.zeros((3, 4, 6))
    for plane in range(5):
        for source in range(3):
            expected[source] += kernel[plane, source] * sky[plane].astype(np.float64)
    # five products of order one in float32
    np.testing.assert_allclose(kappa, expected, rtol=0, atol=5e-6)


def test_convergence_differentiates_in_both_modes(draw):
    (sky, kernel), (sky_dot, kernel_dot) = primals, tangents = [tuple(map(jnp.asarray, draw())) for _ in range(2)]
    tangent = jax.jit(lambda x, dx: jax.jvp(convergence_born, x, dx)[1])(primals, tangents)
    # bilinear: the difference is exact but for rounding
    ends = [BORN(sky + sign * sky_dot, kernel + sign * kernel_dot) for sign in (1, -1)]
    np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / 2, rtol=0, atol=2e-5)
    gradients = jax.jit(lambda x, dy: jax.vjp(convergence_born, *x)[1](dy))(primals, tangent)
    backward = sum(np.vdot(gradient, dot) for gradient, dot in zip(gradients, tangents, strict=True))
    np.testing.assert_allclose(backward, np.vdot(tangent, tangent), rtol=1e-5)


def test_alignments_add_their_kernel_times_the_matter(draw):
    (lensing, kernel), (matter, alignment) = (tuple(map(jnp.asarray, draw())) for _ in range(2))
    kappa = convergence(VisiblePlanes(lensing, matter), Kernels(kernel, alignment, jnp.ones(5)))
    np.testing.assert_array_equal(kappa, convergence_born(lensing, kernel) + convergence_born(matter, alignment))


@pytest.mark.slow
def test_limber_sum_over_thin_planes_is_the_limber_integral(parameters, cosmos, distance):
    ell, far = np.array([300.0, 1000.0]), distance(Z_SOURCE[-1], parameters)
    thin = Lightcone(box_size=far / 400, slabs_per_box=1, planes=400, plane_mesh=8, field_deg=5.0, pixels=16)
    a = CubicSpline(grid := np.linspace(1.0, far, 2000), cosmos.distances.scale_factor(jnp.asarray(grid)))

    def power(k, a):
        return 1e4 * (k / 0.1) ** -1.5 * a

    def integrand(chi, ell, first, second):
        efficiency = np.prod([1 - chi / distance(Z_SOURCE[source], parameters) for source in (first, second)])
        strength = 1.5 * float(parameters.Omega_m) / 2997.92458**2 * chi / a(chi)
        return strength**2 * efficiency / chi**2 * power(ell / chi, a(chi))

    expected = [
        [
            quad(integrand, 1.0, distance(Z_SOURCE[pair[0]], parameters), args=(each, *pair), epsrel=1e-7)[0]
            for each in ell
        ]
        for pair in combinations_with_replacement(range(2), 2)
    ]
    chi = thin.chi[:, None]
    plane_power = power(ell / chi, a(chi)) / (chi**2 * thin.thickness)
    spectra = limber_sum(plane_power, np.asarray(KERNEL(PLANES, UNSHIFTED, cosmos, thin)))
    # midpoints of planes that are 1 / 200 of the way to the nearer source: the square of it
    np.testing.assert_allclose(spectra, expected, rtol=1e-4)
