import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from lenscast.cosmology import cosmology
from lenscast.cosmology.background import Omega_m_a
from lenscast.cosmology.halo_model import LN_RADIUS, NODES_PER_PERCENT, collapse, haloes, variances
from lenscast.cosmology.halo_profile import nfw_transform
from lenscast.cosmology.power import sigma_R

A = jnp.asarray(0.6)


@pytest.fixture(scope="module")
def LCDM(w0wa):
    """The cosmology of `w0wa`, with a cosmological constant."""
    return eqx.tree_at(lambda p: (p.w0, p.wa), w0wa, (-jnp.ones(()), jnp.zeros(())))


@jax.jit
def population(parameters):
    """Haloes at A, the density field they are made from, the cosmology, and collapse at A."""
    cosmo = cosmology(parameters)
    field = variances(cosmo.power)
    return haloes(A, field, cosmo), field, cosmo, collapse(A, cosmo)


def test_variances_agree_with_sigma_R(w0wa):
    field = population(w0wa)[1]
    inside = (np.exp(LN_RADIUS) > 1.0) & (np.exp(LN_RADIUS) < 40.0)
    radius = jnp.asarray(np.exp(LN_RADIUS[inside]))
    # sigma_R ends at 100 h/Mpc, which counts below 1 Mpc/h; beyond k R = 140 the grid misses oscillations of the window
    np.testing.assert_allclose(field.sigma[inside], sigma_R(radius, w0wa), rtol=1e-5)
    ln_sigma = [jnp.log(sigma_R(radius * jnp.exp(step), w0wa)) for step in (1e-3, -1e-3)]
    np.testing.assert_allclose(field.slope[inside], (ln_sigma[0] - ln_sigma[1]) / 2e-3, atol=1e-4)


def test_haloes_hold_the_share_of_matter_of_the_mass_function(w0wa):
    now, field, cosmo, (delta_c, _) = population(w0wa)
    share = now.one_halo * 2.77536627e11 * w0wa.Omega_m / now.mass
    nu = delta_c / (cosmo.growth.D1(A) * field.sigma[NODES_PER_PERCENT:])
    # Sheth & Tormen with nu = delta_c / sigma, from the smallest haloes on
    expected, _ = quad(lambda x: 0.21616 * (1 + (0.707 * x**2) ** -0.3) * np.exp(-0.707 * x**2 / 2), nu[0], np.inf)
    # the sum counts half of the first node too much; the rest of the trapezoidal rule is an error of the end, 1e-3
    assert share.sum() - share[0] / 2 == pytest.approx(expected, rel=1e-3)
    everything, _ = quad(lambda x: 0.21616 * (1 + (0.707 * x**2) ** -0.3) * np.exp(-0.707 * x**2 / 2), 0, np.inf)
    assert everything == pytest.approx(1.0, abs=1e-4)


def test_mass_is_that_of_the_sphere(w0wa):
    now, _, _, (_, overdensity) = population(w0wa)
    density = 2.77536627e11 * w0wa.Omega_m
    np.testing.assert_allclose(now.mass, 4 / 3 * np.pi * density * overdensity * now.radius**3, rtol=1e-12)
    assert now.mass[0] < 5e8
    assert now.mass[-1] > 1e16


def test_collapse_is_spherical_in_matter_alone(LCDM):
    matter = eqx.tree_at(lambda p: p.Omega_c, LCDM, 0.9999 - LCDM.Omega_b)
    delta_c, overdensity = population(matter)[3]
    # the fit itself is off by 1e-4 there
    assert delta_c == pytest.approx(3 / 20 * (12 * np.pi) ** (2 / 3), rel=2e-4)
    assert overdensity == pytest.approx(18 * np.pi**2, rel=2e-3)


def test_collapse_agrees_with_older_fits_in_LCDM(LCDM):
    delta_c, overdensity = population(LCDM)[3]
    Omega_m = float(Omega_m_a(A, LCDM))
    # Nakamura & Suto (1997); Bryan & Norman (1998), per mean density, 4 % denser than the fit of Mead here
    assert delta_c == pytest.approx(1.68647 * (1 + 0.0123 * np.log10(Omega_m)), rel=1e-3)
    x = Omega_m - 1
    assert overdensity == pytest.approx((18 * np.pi**2 + 82 * x - 39 * x**2) / Omega_m, rel=0.1)


def test_haloes_form_when_one_percent_of_their_mass_collapses(LCDM):
    now, field, cosmo, (delta_c, _) = population(LCDM)
    a_formation = A / now.formation
    peak = cosmo.growth.D1(a_formation) * field.sigma[:-NODES_PER_PERCENT]
    early = np.asarray(a_formation) < 0.999 * float(A)
    assert 20 < early.sum() < early.size
    # dark energy corrects nothing here, so that formation is a alone; tables of growth are good to 1e-7
    np.testing.assert_allclose(peak[early], delta_c, rtol=1e-6)
    np.testing.assert_allclose(now.formation[~early], 1.0, rtol=1e-6)


def test_dark_energy_corrects_concentrations_by_growth(w0wa, LCDM):
    now, _, cosmo, _ = population(w0wa)
    reference = population(LCDM)[2]
    early = jnp.asarray(1 / 11)
    growth = [c.growth.D1(early) / c.growth.D1(A) for c in (cosmo, reference)]
    # the heaviest haloes form now; growth is from two solutions of the growth equation, good to 1e-7
    np.testing.assert_allclose(now.formation[-1], growth[0] / growth[1], rtol=1e-6)
    assert abs(now.formation[-1] - 1) > 0.01


def profile_by_quadrature(k, radius, concentration):
    """Transform of the profile as an integral over radii."""
    x = k * radius / concentration

    def shell(s):
        return s / (1 + s) ** 2

    edge = concentration
    value, _ = quad(lambda s: np.sinc(s * x / np.pi) * shell(s), 0, edge, limit=2000, epsabs=1e-11, epsrel=1e-11)
    mass, _ = quad(shell, 0, edge, epsabs=1e-13, epsrel=1e-13)
    return value / mass


@pytest.mark.parametrize("k", [1e-4, 0.1, 3.0, 20.0, 100.0])
def test_nfw_transform_agrees_with_quadrature(k):
    radius, concentration = jnp.array([0.01, 0.3, 1.0, 3.0]), jnp.array([30.0, 10.0, 6.0, 2.5])
    expected = [
        profile_by_quadrature(k, *pair) for pair in zip(np.asarray(radius), np.asarray(concentration), strict=True)
    ]
    # the table of auxiliary functions is cubic, to spacing^4 / 384
    np.testing.assert_allclose(nfw_transform(jnp.asarray(k), radius, concentration), expected, atol=3e-8)


def test_nfw_transform_derivatives_match_finite_differences():
    radius, concentration = jnp.array([0.02, 0.3, 1.0, 3.0]), jnp.array([20.0, 10.0, 6.0, 2.5])
    for k in (0.01, 1.0, 20.0):
        # logarithms, so that one step suits all
        check_grads(
            lambda k, radius, concentration: nfw_transform(jnp.exp(k), jnp.exp(radius), jnp.exp(concentration)),
            (jnp.log(k), jnp.log(radius), jnp.log(concentration)),
            order=1,
            modes=("fwd", "rev"),
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.slow
def test_halo_derivatives_match_finite_differences(assert_derivatives):
    def everything(parameters):
        cosmo = cosmology(parameters)
        field = variances(cosmo.power)
        now = haloes(A, field, cosmo)
        logarithms = [jnp.log(part) for part in jax.tree.leaves(now)]
        return jnp.concatenate([*field, *logarithms, jnp.stack(collapse(A, cosmo))])

    # rare haloes have large third derivatives with respect to sigma8
    assert_derivatives(everything, rtol=1e-5)
