"""Evolution of particles: what is returned and when, its limits, and its derivatives by every adjoint."""

from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicHermiteSpline

from lenscast.corrections import HPN
from lenscast.gravity import AdaptiveSteps, FixedSteps, Method, Particles, lattice, nbody
from lenscast.gravity.integrators import growth_momentum
from lenscast.parameters import COSMOLOGICAL

TIMES = jnp.array([0.2, 0.35, 0.5])
TSIT5 = AdaptiveSteps(kind="tsit5", rtol=1e-5, atol=1e-5)
BULLFROG = FixedSteps(kind="bullfrog", steps=4)
EVOLVE = jax.jit(nbody)
# Steps of central differences: the seven parameters, then the field in units of its direction.
STEPS = dict(zip((*COSMOLOGICAL, "field"), (0.005, 0.001, 0.01, 0.01, 0.01, 0.02, 0.05, 0.02), strict=True))


def assert_equal_particles(first, second, rtol):
    """Displacements and momenta to a share of the largest of each."""
    for name, expected in vars(second).items():
        atol = rtol * np.abs(expected).max()
        np.testing.assert_allclose(getattr(first, name), expected, rtol=0, atol=atol, err_msg=name)


def output(particles, index):
    return jax.tree.map(lambda x: x[index], particles)


def weighted_squares(particles):
    """A smooth number that depends on every value, each with a weight of its own."""
    weights = jax.random.uniform(jax.random.key(5), (2, *particles.momentum.shape), maxval=2.0)
    return (weights[0] * particles.displacement**2 + weights[1] * particles.momentum**2).sum()


def along(gradient, dots):
    """Contraction of a gradient with each of several directions."""
    pairs = zip(jax.tree.leaves(gradient), jax.tree.leaves(dots), strict=True)
    return sum((g[None] * d).reshape(len(d), -1).sum(axis=1, dtype=jnp.float64) for g, d in pairs)


@pytest.fixture(scope="module")
def differences(parameters, tables, initial, no_extra):
    """Central differences of a number along all parameters and one direction of the field."""

    def differentiate(function, direction):
        values = []
        for sign in (1, -1):
            for name, step in STEPS.items():
                moved = {n: getattr(parameters, n) + sign * step * (n == name) for n in COSMOLOGICAL}
                cosmos = tables(type(parameters)(**moved))
                start = initial(cosmos, no_extra + (sign * step * direction if name == "field" else 0))
                values.append(function(cosmos, start))
        return np.subtract(*np.reshape(values, (2, -1))) / (2 * np.array([*STEPS.values()]))

    return differentiate


@pytest.mark.slow
def test_all_adjoints_and_differences_agree(cosmos, start, mesh, initial, no_extra, directions, differences):
    leaves, structure = jax.tree.flatten(HPN.initial(jax.random.key(0), (-3.0, -1.0)))
    keys = jax.random.split(jax.random.key(7), len(leaves))
    correction = jax.tree.unflatten(
        structure, [x + 0.3 * jax.random.normal(k, x.shape, x.dtype) for x, k in zip(leaves, keys, strict=True)]
    )

    def number(cosmos, start, correction, integrator=TSIT5, adjoint=None):
        method = correction.method(mesh, integrator, cosmos)
        return weighted_squares(nbody(start, TIMES, cosmos, method, adjoint=adjoint))

    # What the adjoint equation loses at kinks of the force does not depend on the steps: a tolerance of 1e-4 gives the
    # errors of 1e-5, in 40 % of the time.
    loose = AdaptiveSteps(kind="tsit5", rtol=1e-4, atol=1e-4)
    gradients = [
        jax.jit(jax.grad(partial(number, integrator=integrator, adjoint=adjoint), argnums=(0, 1, 2)))(
            cosmos, start, correction
        )
        for integrator, adjoint in (
            (TSIT5, diffrax.RecursiveCheckpointAdjoint()),
            (loose, diffrax.BacksolveAdjoint()),
        )
    ]
    pull = jax.jit(lambda dot: jax.vjp(lambda extra: initial(cosmos, extra), no_extra)[1](dot)[0])
    fields = [pull(gradient[1]) for gradient in gradients]
    # Along its own gradient all modes of the field add up. Along a random direction they cancel, the derivative is a
    # hundredth of this one, and its relative error is set by the few particles whose force has a kink.
    direction = fields[0] / fields[0].std()
    start_dot = jax.jvp(lambda extra: initial(cosmos, extra), (no_extra,), (direction,))[1]
    dots = (directions[0], jax.tree.map(lambda x, dot: x.at[7].set(dot), directions[1], start_dot))
    value = jax.jit(lambda cosmos, start: number(cosmos, start, correction))
    expected = jax.jit(jax.vmap(lambda dot: jax.jvp(value, (cosmos, start), dot)[1]))(dots)
    # The slope of the force jumps where particles cross borders of cells. Finite differences, and the adjoint equation
    # on its way back, have a few of the 4096 particles on the other side. This changes a derivative by 5e-4 at most, in
    # each of six fields. Another rounding, of SSE4.2 or AVX, changes that by 1e-4.
    difference = differences(value, direction)
    np.testing.assert_array_less(np.abs(difference / expected - 1), 2e-3)
    checkpoints, backwards = (along(gradient[:2], dots) / expected - 1 for gradient in gradients)
    # Checkpoints replay the same steps in float32, whose rounding the random network amplifies to 3e-5, and to 1.2e-4
    # with another network and field.
    np.testing.assert_array_less(np.abs(checkpoints), 5e-4)
    np.testing.assert_array_less(np.abs(backwards), 2e-3)
    # The gradient by the whole field meets the kinks of all particles (2e-3), that of the network averages them (4e-5).
    weights = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(gradient[2])]) for gradient in gradients]
    for (first, second), rtol in ((fields, 1e-2), (weights, 2e-4)):
        assert np.linalg.norm(second - first) < rtol * np.linalg.norm(first)


def test_adaptive_outputs_are_those_of_other_solves(cosmos, start, mesh):
    states = EVOLVE(start, TIMES, cosmos, Method(mesh, TSIT5))
    others = EVOLVE(start, TIMES.at[1:].set(jnp.array([0.27, 0.35])), cosmos, Method(mesh, TSIT5))
    # steps of a tolerance of 1e-5, with interpolation between them, and forces with kinks
    assert_equal_particles(output(states, 0), output(others, 1), rtol=3e-4)


@pytest.mark.slow
def test_fixed_steps_are_even_in_growth_and_joined_by_a_cubic(cosmos, start, mesh):
    growth, between = cosmos.growth, TIMES[1]
    ends = growth.D1(TIMES)[jnp.array([0, 2])]
    knots = growth.scale_factor(jnp.linspace(ends[0], ends[1], BULLFROG.steps + 1))
    inside = EVOLVE(start, TIMES, cosmos, Method(mesh, BULLFROG))
    number = int(np.searchsorted(knots, between))
    states = [EVOLVE(start, TIMES.at[1].set(knots[number - i]), cosmos, Method(mesh, BULLFROG)) for i in (1, 0)]
    for each in states:
        assert_equal_particles(output(each, 1), output(inside, 1), rtol=0)
    a = jnp.stack([knots[number - 1], knots[number], between])
    D, F = np.asarray(growth.D1(a)), np.asarray(growth_momentum(a, cosmos))
    values = [np.asarray(output(each, 0).displacement, np.float64) for each in states]
    slopes = [np.asarray(output(each, 0).momentum) / F[i] for i, each in enumerate(states)]
    cubic = CubicHermiteSpline(D[:2], values, slopes)
    expected = Particles(jnp.float32(cubic(D[2])), jnp.float32(F[2] * cubic.derivative()(D[2])))
    # float32, where a difference of displacements over a step is a tenth of them
    assert_equal_particles(output(inside, 0), expected, rtol=1e-5)


@pytest.mark.slow
def test_integrators_converge_to_each_other(cosmos, start, mesh):
    exact = output(EVOLVE(start, TIMES, cosmos, Method(mesh, TSIT5)), 1)

    def errors(kind, steps):
        state = output(EVOLVE(start, TIMES, cosmos, Method(mesh, FixedSteps(kind=kind, steps=steps))), 1)
        return np.array(
            [np.std(getattr(state, x) - getattr(exact, x)) / np.std(getattr(exact, x)) for x in vars(exact)]
        )

    coarse, fine = errors("bullfrog", 4), errors("bullfrog", 16)
    # second order: a factor of 16
    assert np.all(fine < 3e-4)
    assert np.all((coarse / fine > 10) & (coarse / fine < 20))
    assert np.all(errors("fastpm", 4) < 3e-3)


@pytest.mark.parametrize(
    "integrator", [TSIT5, BULLFROG, FixedSteps(kind="fastpm", steps=4)], ids=lambda each: each.kind
)
def test_a_faint_wave_grows_linearly_but_for_the_mesh(cosmos, mesh, integrator):
    # Half a cell off the mesh points clouds are linear in the displacement, and painting and reading multiply the
    # force of a plane wave by sin(k d) / (k d): 0.97 here.
    amplitude, k, d = 0.1, 2 * np.pi / mesh.box_size, mesh.cell_size
    wave = amplitude * np.sin(k * np.asarray(lattice(mesh)[2], np.float64))
    a0, D1 = float(TIMES[0]), np.asarray(cosmos.growth.D1(TIMES))
    momentum = float(growth_momentum(TIMES[0], cosmos)) / D1[0]
    rows = np.zeros((2, *lattice(mesh).shape), np.float32)
    rows[0] = d / 2
    rows[:, 2] += np.stack([wave, momentum * wave])
    states = EVOLVE(Particles(*jnp.asarray(rows)), TIMES, cosmos, Method(mesh, integrator))
    grown = 2 * np.mean((np.asarray(states.displacement[:, 2], np.float64) - d / 2) * wave, axis=1) / amplitude**2

    def motion(a, state):
        p = cosmos.parameters
        dark = (1 - p.Omega_m) * a ** (-3 * (1 + p.w0 + p.wa)) * np.exp(-3 * p.wa * (1 - a))
        rate = np.sqrt(p.Omega_m / a**3 + dark)
        force = np.sin(k * d) / (k * d) * state[0]
        return [state[1] / (a**3 * rate), 1.5 * p.Omega_m * force / (a**2 * rate)]

    solution = solve_ivp(motion, (a0, TIMES[2]), [1, momentum], t_eval=TIMES[1:], rtol=1e-9)
    # rounding of positions averages out; four fixed steps are exact for the force without the mesh
    np.testing.assert_allclose(grown, solution.y[0], rtol=3e-4)
    np.testing.assert_allclose(grown, D1[1:] / D1[0], rtol=(k * d) ** 2 / 6)


def test_nbody_refuses_what_it_cannot_solve(cosmos, start, mesh):
    with pytest.raises(ValueError, match=r"a has shape \(1,\): give the scale factor of the start and one or more"):
        nbody(start, TIMES[:1], cosmos, Method(mesh, BULLFROG))
    adjoint = diffrax.BacksolveAdjoint()
    needs = (
        r"it needs AdaptiveSteps, save=None and no displacement of the outputs \(PGD\); "
        r"use RecursiveCheckpointAdjoint\(\) with fixed steps, save or PGD"
    )
    with pytest.raises(ValueError, match=needs):
        nbody(start, TIMES, cosmos, Method(mesh, BULLFROG), adjoint=adjoint)
    with pytest.raises(ValueError, match=needs):
        nbody(start, TIMES, cosmos, Method(mesh, TSIT5), save=lambda particles: particles.momentum, adjoint=adjoint)
    displaced = Method(mesh, TSIT5, displacement=lambda position, a: position)
    with pytest.raises(ValueError, match=needs):
        nbody(start, TIMES, cosmos, displaced, adjoint=adjoint)


@pytest.mark.slow
def test_a_method_has_a_gain_at_every_step_and_a_displacement_at_every_output(cosmos, start, mesh):
    @jax.jit
    def evolve(strength):
        gain = jax.tree_util.Partial(lambda strength, a: jnp.full((16, 16, 9), 1 + strength * a, jnp.float32), strength)
        shift = jax.tree_util.Partial(lambda strength, position, a: strength * a * position, strength)
        plain, stronger, displaced = (
            nbody(start, TIMES, cosmos, Method(mesh, BULLFROG, **calls))
            for calls in ({}, {"gain": gain}, {"displacement": shift})
        )
        return plain, stronger, displaced

    plain, stronger, displaced = evolve(jnp.float32(0.5))
    for name, expected in vars(plain).items():
        np.testing.assert_array_less(0.01, np.std(getattr(stronger, name) - expected, axis=(1, 2)) / np.std(expected))
    np.testing.assert_allclose(displaced.momentum, plain.momentum, rtol=1e-6)
    for index, a in enumerate(np.asarray(TIMES[1:])):
        shift = 0.5 * a * output(plain, index).position(mesh)
        # positions of 320 Mpc/h in float32
        np.testing.assert_allclose(displaced.displacement[index] - plain.displacement[index], shift, atol=1e-4)


@pytest.mark.parametrize(
    ("section", "wrong", "message"),
    [
        (BULLFROG, {"kind": "leapfrog"}, r"kind\n.*'bullfrog' or 'fastpm'"),
        (BULLFROG, {"steps": 0}, r"steps\n.*greater than or equal to 1"),
        (TSIT5, {"kind": "euler"}, r"kind\n.*'tsit5' or 'dopri5'"),
        (TSIT5, {"rtol": 0.0}, r"rtol\n.*greater than or equal to 0.0000001"),
        (TSIT5, {"atol": -1.0}, r"atol\n.*greater than or equal to 0.000000001"),
        (TSIT5, {"rtol": float("nan")}, r"rtol\n.*finite number"),
    ],
    ids=["kind", "steps", "adaptive kind", "rtol", "atol", "nan"],
)
def test_integrators_refuse_settings_without_meaning(section, wrong, message):
    with pytest.raises(ValidationError, match=message):
        type(section)(**(section.model_dump() | wrong))


@pytest.fixture
def raising(monkeypatch):
    """Errors while running are raised, which is the default of equinox; the session has EQX_ON_ERROR=nan."""
    monkeypatch.setattr("equinox._errors.EQX_ON_ERROR", "raise")
    jax.clear_caches()  # checks that were traced before give NaN
    yield
    jax.clear_caches()


@pytest.mark.slow
@pytest.mark.usefixtures("raising")
@pytest.mark.parametrize("integrator", [TSIT5, BULLFROG], ids=lambda each: each.kind)
def test_scale_factors_out_of_order_stop_the_solve(cosmos, start, mesh, integrator):
    with pytest.raises((RuntimeError, ValueError), match=r"saveat\.ts must be increasing"):
        jax.block_until_ready(EVOLVE(start, TIMES[jnp.array([0, 2, 1])], cosmos, Method(mesh, integrator)))


@pytest.mark.slow
@pytest.mark.usefixtures("raising")
def test_too_few_steps_stop_the_solve(cosmos, start, mesh):
    short = AdaptiveSteps(kind="dopri5", rtol=1e-5, atol=1e-5, max_steps=2)
    with pytest.raises((RuntimeError, ValueError), match="maximum number of solver steps was reached"):
        jax.block_until_ready(EVOLVE(start, TIMES, cosmos, Method(mesh, short)))
