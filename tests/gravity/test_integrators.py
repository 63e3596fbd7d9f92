"""Growth-matched steps, each against what defines it."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology.background import expansion
from lenscast.gravity.integrators import BullFrog, FastPM, GrowthInterpolation, bullfrog_factors, growth_momentum

SOLVERS = pytest.mark.parametrize("solver", [BullFrog(), FastPM()], ids=["bullfrog", "fastpm"])
STEPS = pytest.mark.parametrize(("a0", "a1"), [(0.02, 0.05), (0.1, 1.0), (0.7, 0.75)])


def perturbative(t, state, args):
    """Forces on perturbations: row 0 is the displacement of first order, row 1 that of second order.

    In units of the linear potential's gradients, the acceleration is D1 at first order and D2 - D1^2 at second.
    """
    (first, second, none), momentum = state
    return momentum, jnp.stack([first, second - first**2, none])


def growing_mode(a, cosmos):
    """D1 and D2 as displacements, with their momenta."""
    growth = cosmos.growth
    a = jnp.float64(a)
    velocity = a**3 * expansion(a, cosmos.parameters)
    displacement = jnp.stack([growth.D1(a), growth.D2(a), 0 * a])[:, None]
    momentum = velocity * jnp.stack([growth.dD1_da(a), growth.dD2_da(a), 0 * a])[:, None]
    return displacement.astype(jnp.float32), momentum.astype(jnp.float32)


@pytest.fixture(scope="module")
def step(cosmos):
    """One step of a solver in a field of forces."""

    def advance(solver, forces, a0, a1, state):
        terms = diffrax.ODETerm(forces)
        t0, t1 = jnp.float32(a0), jnp.float32(a1)
        carried = solver.init(terms, t0, t1, state, cosmos)
        return solver.step(terms, t0, t1, state, cosmos, carried, False)[0]

    return jax.jit(advance, static_argnums=(0, 1))


@SOLVERS
@STEPS
def test_a_step_of_any_width_follows_zeldovich(step, cosmos, solver, a0, a1):
    displacement, momentum = step(solver, perturbative, a0, a1, growing_mode(a0, cosmos))
    expected = growing_mode(a1, cosmos)
    # float32 displacements, and scale factors that it rounds by 6e-8
    np.testing.assert_allclose(displacement[0], expected[0][0], rtol=1e-6)
    np.testing.assert_allclose(momentum[0], expected[1][0], rtol=2e-6)


@STEPS
def test_a_bullfrog_step_gives_velocities_of_second_order(step, cosmos, a0, a1):
    bullfrog, fastpm = (
        step(solver, perturbative, a0, a1, growing_mode(a0, cosmos)) for solver in (BullFrog(), FastPM())
    )
    displacement, momentum = growing_mode(a1, cosmos)
    np.testing.assert_allclose(bullfrog[1][1], momentum[1], rtol=5e-6)
    # displacements to the rule of the drift: exact were D2 = -3/7 D1^2, which holds to 2 % from early times to today
    np.testing.assert_allclose(bullfrog[0][1], displacement[1], rtol=2e-2)
    errors = [np.abs(state[1][1] / momentum[1] - 1).item() for state in (bullfrog, fastpm)]
    assert errors[1] > 100 * errors[0]


@STEPS
def test_bullfrog_factors_keep_both_orders(cosmos, a0, a1):
    alpha, beta = bullfrog_factors(jnp.float64(a0), jnp.float64(a1), cosmos)
    growth, a = cosmos.growth, jnp.array([a0, a1])
    D1, D2, slope = growth.D1(a), growth.D2(a), growth.dD2_dD1(a)
    middle = D1.mean()
    drifted = D2[0] + slope[0] * (middle - D1[0])
    np.testing.assert_allclose(alpha + beta * middle, 1, rtol=1e-13)
    np.testing.assert_allclose(alpha * slope[0] + beta * (drifted - middle**2), slope[1], rtol=1e-12)


def test_growth_momentum_changes_as_gravity_demands(cosmos):
    # dF/da = (3/2) Omega_m D1 / (a^2 E): the growth equation, whatever dark energy does
    a, step = jnp.array([0.1, 0.3, 0.6, 0.95]), 1e-4
    difference = (growth_momentum(a + step, cosmos) - growth_momentum(a - step, cosmos)) / (2 * step)
    gravity = 1.5 * cosmos.parameters.Omega_m * cosmos.growth.D1(a) / (a**2 * expansion(a, cosmos.parameters))
    # (step / a)^2 = 1e-6, tables to 1e-8 of which the quotient makes 1e-5 at most
    np.testing.assert_allclose(difference, gravity, rtol=1e-5)


@SOLVERS
@pytest.mark.parametrize("a", [0.2, 0.9])
def test_short_steps_obey_the_equations_of_motion(step, cosmos, solver, a):
    # dx/da = p / (a^3 E) and dp/da = (3/2) Omega_m A / (a^2 E), in a cosmology where w is not -1
    def push(t, state, args):  # a unit force along y alone
        displacement, momentum = state
        return momentum, jnp.zeros_like(displacement).at[1].set(1)

    width = 0.02
    state = jnp.zeros((3, 1), jnp.float32), jnp.zeros((3, 1), jnp.float32).at[0].set(1)
    displacement, momentum = step(solver, push, a - width / 2, a + width / 2, state)
    middle = jnp.float64(a)
    rate = expansion(middle, cosmos.parameters)
    # second order in width / a: 1e-2 x a factor of order one
    tolerance = (width / a) ** 2
    np.testing.assert_allclose(displacement[0, 0] / width, 1 / (middle**3 * rate), rtol=tolerance)
    gravity = 1.5 * cosmos.parameters.Omega_m / (middle**2 * rate)
    np.testing.assert_allclose(momentum[1, 0] / width, gravity, rtol=tolerance)


@pytest.mark.slow
def test_interpolation_is_exact_for_cubics_in_growth(cosmos):
    coefficients = np.array([0.3, -1.2, 0.7, 0.4])

    def exact(a):
        D, F = cosmos.growth.D1(jnp.float64(a)), growth_momentum(jnp.float64(a), cosmos)
        value = sum(c * D**n for n, c in enumerate(coefficients))
        slope = sum(n * c * D ** (n - 1) for n, c in enumerate(coefficients) if n)
        return jnp.full((3, 1), value, jnp.float32), jnp.full((3, 1), F * slope, jnp.float32)

    ends = 0.3, 0.8
    between = GrowthInterpolation(*map(jnp.float32, ends), *map(exact, ends), cosmos)
    for a in (0.3, 0.41, 0.6, 0.8):
        displacement, momentum = between.evaluate(jnp.float32(a))
        np.testing.assert_allclose(displacement, exact(a)[0], rtol=2e-6)
        np.testing.assert_allclose(momentum, exact(a)[1], rtol=5e-6)
    change = between.evaluate(jnp.float32(0.41), jnp.float32(0.6))
    np.testing.assert_allclose(change[0], exact(0.6)[0] - exact(0.41)[0], rtol=1e-5)
