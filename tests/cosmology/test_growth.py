import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lenscast.cosmology import Parameters
from lenscast.cosmology.background import LN_A, Omega_m_a, expansion
from lenscast.cosmology.growth import _derivative, _growing_mode, growth

A = jnp.array([0.01, 0.0321, 1 / 7, 0.3, 0.55, 0.8, 0.97, 1.0])
# the derivative of a cubic interpolant is one order less accurate than its value
INTERPOLATION = 1e-6


@pytest.mark.parametrize("code", ["ccl", "camb"])
@pytest.mark.parametrize("quantity", ["D1", "f1"])
def test_linear_growth_agrees_with(code, quantity, cosmo, read_table):
    table = read_table("background")
    value = getattr(cosmo.growth, quantity)(jnp.asarray(table["a"]))
    # what is left of radiation in CAMB, its rate at a = 0.02 most (5e-5), and CCL's integration (1e-6)
    np.testing.assert_allclose(value, table[f"{quantity}_{code}"], rtol=1e-4)
    late = table["a"] >= 0.1
    np.testing.assert_allclose(value[late], table[f"{quantity}_{code}"][late], rtol=6e-6)


def f2(table, a):
    """Second-order growth rate dlnD2 / dlna."""
    return table.dD2_da(a) * a / table.D2(a)


def growth_in_conformal_form(parameters, a_start=1e-4):
    """D1, f1, D2, f2 from another form of the equations: (a^3 E D')' = source a^3 / (a^2 E), primes d/da."""
    Om, w0, wa = (float(x) for x in (parameters.Omega_m, parameters.w0, parameters.wa))

    def hubble(a):
        return np.sqrt(Om * a**-3 + (1 - Om) * a ** (-3 * (1 + w0 + wa)) * np.exp(-3 * wa * (1 - a)))

    def slope(a, y):
        D1, p1, D2, p2 = y
        kick = 1.5 * Om / (a**2 * hubble(a))
        drift = 1 / (a**3 * hubble(a))
        return [p1 * drift, kick * D1, p2 * drift, kick * (D2 - D1**2)]

    momentum = a_start**3 * hubble(a_start)
    start = [a_start, momentum, -3 / 7 * a_start**2, -6 / 7 * a_start * momentum]
    y = solve_ivp(slope, (a_start, 1.0), start, "DOP853", t_eval=A, rtol=1e-12, atol=0.0).y
    rate = np.asarray(A) ** -2 / hubble(np.asarray(A))
    return y[0] / y[0, -1], y[1] * rate / y[0], y[2] / y[0, -1] ** 2, y[3] * rate / y[2]


def test_growth_agrees_with_independent_solution(parameters, cosmo):
    expected = growth_in_conformal_form(parameters)
    table = cosmo.growth
    # dark energy at the independent start, of the order of its share (1e-7 at w0 + wa = -0.7), sets the tolerance
    for value, target in zip((table.D1(A), table.f1(A), table.D2(A), f2(table, A)), expected, strict=True):
        np.testing.assert_allclose(value, target, rtol=1e-6)


@pytest.mark.parametrize(("w0", "rtol"), [(-1.0, 1e-8), (-3.0, 5e-7)])
def test_growth_between_the_steps_of_the_solver_has_their_accuracy(parameters, w0, rtol):
    """Against the equations solved to 1e-12 from the same start, at the knots and between them."""
    changed = eqx.tree_at(lambda p: p.w0, parameters, jnp.asarray(w0))
    ln_a = np.linspace(LN_A[0], 0, 1000)
    start, slope = _growing_mode(changed), jax.jit(lambda t, y: _derivative(jnp.asarray(t), jnp.asarray(y), changed))
    found = solve_ivp(slope, (ln_a[0], 0), start, "DOP853", t_eval=ln_a, rtol=1e-12, atol=0.0).y.T
    expected = found / found[-1, 0] ** np.array([1, 1, 2, 2])
    np.testing.assert_allclose(growth(changed).unknowns(jnp.asarray(ln_a)), expected, rtol=rtol)


def test_growth_of_matter_alone_is_einstein_de_sitter():
    table = growth(Parameters(Omega_c=0.95, Omega_b=0.05, h=0.7, n_s=1.0, sigma8=0.8, w0=-1.0, wa=0.0))
    np.testing.assert_allclose(table.D1(A), A, rtol=1e-10)
    np.testing.assert_allclose(table.f1(A), 1.0, rtol=1e-10)
    np.testing.assert_allclose(table.D2(A), -3 / 7 * A**2, rtol=1e-10)
    np.testing.assert_allclose(f2(table, A), 2.0, rtol=1e-10)


def test_growth_tends_to_einstein_de_sitter_early(cosmo):
    # before the first knot too
    for a in jnp.array([3e-4, 2e-3]):
        table = cosmo.growth
        assert table.f1(a) == pytest.approx(1.0, abs=1e-5)
        assert f2(table, a) == pytest.approx(2.0, abs=1e-5)
        assert table.D2(a) / table.D1(a) ** 2 == pytest.approx(-3 / 7, rel=1e-5)


def test_growth_rates_follow_known_fits(parameters, cosmo):
    # f1 = Omega_m^0.55 and f2 = 2 Omega_m^(6/11) (Bouchet et al. 1995) are fits for w = -1, good to a percent
    Om = Omega_m_a(A, parameters)
    np.testing.assert_allclose(cosmo.growth.f1(A), Om**0.55, rtol=0.015)
    np.testing.assert_allclose(f2(cosmo.growth, A), 2 * Om ** (6 / 11), rtol=0.025)


def test_growth_is_normalised_today(cosmo):
    assert cosmo.growth.D1(jnp.asarray(1.0)) == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(("value", "derivative"), [("D1", "dD1_da"), ("D2", "dD2_da")])
def test_growth_derivative_is_that_of(value, derivative, cosmo):
    slope = jax.vmap(jax.grad(getattr(cosmo.growth, value)))(A[:-1])
    np.testing.assert_allclose(slope, getattr(cosmo.growth, derivative)(A[:-1]), rtol=INTERPOLATION)


def test_derivative_of_second_order_growth_with_respect_to_linear_growth(cosmo):
    D1 = cosmo.growth.D1(A[:-1])
    slope = jax.vmap(jax.grad(lambda D: cosmo.growth.D2(cosmo.growth.scale_factor(D))))(D1)
    np.testing.assert_allclose(slope, cosmo.growth.dD2_dD1(A[:-1]), rtol=INTERPOLATION)


def test_growth_momentum_changes_by_the_force(parameters, cosmo):
    """d(a^3 E dD1/da)/da = (3/2) Omega_m D1 / (a^2 E), what a growth-matched kick integrates, at w != -1 too."""

    def momentum(a):
        return a**3 * expansion(a, parameters) * cosmo.growth.dD1_da(a)

    force = 1.5 * parameters.Omega_m * cosmo.growth.D1(A) / (A**2 * expansion(A, parameters))
    np.testing.assert_allclose(jax.vmap(jax.grad(momentum))(A[:-1]), force[:-1], rtol=INTERPOLATION)


def test_growth_scale_factor_inverts_linear_growth(cosmo):
    np.testing.assert_allclose(cosmo.growth.scale_factor(cosmo.growth.D1(A)), A, rtol=1e-7)


@pytest.mark.slow
def test_growth_derivatives_match_finite_differences(assert_derivatives):
    def everything(parameters):
        table = growth(parameters)
        methods = (table.D1, table.f1, table.D2, table.dD1_da, table.dD2_da, table.dD2_dD1)
        return jnp.stack([*(method(A[:-1]) for method in methods), table.scale_factor(A[:-1])])

    assert_derivatives(everything, rtol=1e-6)
