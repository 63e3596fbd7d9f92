"""Filters of the potential: their shape as functions, and what they do inside the solver and to its derivatives."""

from functools import partial
from itertools import pairwise

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import BSpline

from lenscast.corrections import HPN, ForceCorrection, PublishedHPN, corrected
from lenscast.corrections.network import CORNER, nonlinearity, realised
from lenscast.cosmology import Parameters
from lenscast.cosmology.power import linear_power
from lenscast.gravity import AdaptiveSteps, FixedSteps, Method, ParticleMesh, Particles, lattice, linear_field, nbody
from lenscast.gravity.integrators import growth_momentum
from lenscast.parameters import COSMOLOGICAL

TIMES = jnp.array([0.2, 0.35, 0.5])
RANGE = (-3.0, -1.0)
TSIT5 = AdaptiveSteps(kind="tsit5", rtol=1e-5, atol=1e-5)
EVOLVE = jax.jit(nbody)
X = jnp.linspace(0, CORNER, 400, dtype=jnp.float32)
STEPS = dict(zip(COSMOLOGICAL, (0.005, 0.001, 0.01, 0.01, 0.01, 0.02, 0.05), strict=True))


def like_trained(correction, seed=7):
    """Weights that all differ from 0."""
    leaves, structure = jax.tree.flatten(correction)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [x + 0.3 * jax.random.normal(key, x.shape, x.dtype) for x, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


NETWORKS = {
    "hpn": like_trained(HPN.initial(jax.random.key(0), RANGE)),
    "published": like_trained(PublishedHPN.initial(jax.random.key(0))),
}
BY_NETWORK = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
RESPONSE = jax.jit(lambda network, x, *times: network.response(x, *times))
TEN = FixedSteps(kind="bullfrog", steps=10)


def response(network, a, ln_sigma, x=X, step=0.1):
    return np.asarray(RESPONSE(network, jnp.asarray(x, jnp.float32), *map(jnp.float32, (a, ln_sigma, step))))


class Uniform(ForceCorrection):
    """All waves feel 1 + strength a times the force."""

    strength: float

    def response(self, x, a, ln_sigma, step):
        return jnp.where(x > 0, self.strength * a, 0)


@pytest.mark.parametrize("radius", [2.0, 20.0])
def test_nonlinearity_is_the_growing_rms_of_the_smoothed_density(cosmos, radius):
    @jax.jit
    def integrand(k):
        return k**2 * linear_power(k, cosmos.parameters) * jnp.exp(-((k * radius) ** 2)) / (2 * jnp.pi**2)

    edges = np.array([0, 0.2, 1, 6]) / radius
    variance = sum(quad(lambda k: float(integrand(k)), *panel, epsrel=1e-8)[0] for panel in pairwise(edges))
    a = np.array([0.03, 0.1432, 0.5, 1.0])
    expected = 0.5 * np.log(variance) + np.log(cosmos.growth.D1(jnp.asarray(a)))
    mesh = ParticleMesh(box_size=radius * 8, particles=8)
    value = jax.jit(lambda cosmos, a: nonlinearity(cosmos, mesh)(jnp.log(a)))(cosmos, jnp.asarray(a, jnp.float32))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, expected, atol=2e-6)


def test_nonlinearity_of_a_box_is_the_rms_of_its_own_modes(cosmos):
    wide = ParticleMesh(box_size=640.0, particles=64)
    table = nonlinearity(cosmos, wide)
    field = jax.jit(linear_field, static_argnums=2)(jax.random.key(3), cosmos.power, wide)
    box, denser = (realised(table, factor * field, wide) for factor in (1, 1.5))
    ln_a = jnp.log(jnp.array([0.2, 0.5, 1.0], jnp.float32))
    # 2e4 modes within the window: their rms has an error of half a per cent
    np.testing.assert_allclose(box(ln_a), table(ln_a), atol=0.02)
    np.testing.assert_allclose(denser(ln_a) - box(ln_a), np.log(1.5), atol=1e-5)
    gain = corrected(NETWORKS["hpn"], wide, TEN, cosmos, field=1.5 * field).gain
    np.testing.assert_allclose(gain.ln_sigma(ln_a), denser(ln_a), atol=1e-5)


@BY_NETWORK
def test_a_filter_is_the_response_at_the_wavenumber_of_each_mode(cosmos, mesh, network):
    a = 0.4
    gain = np.asarray(jax.jit(lambda a: network.filter(cosmos, mesh, TEN)(a))(jnp.float32(a)))
    n = np.fft.fftfreq(16, 1 / 16)
    x = 2 * np.pi / 16 * np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + np.arange(9) ** 2)
    ln_sigma = nonlinearity(cosmos, mesh)(jnp.log(jnp.float32(a)))
    step = 0.1 / cosmos.growth.D1(jnp.float64(a))
    expected = 1 + response(network, a, ln_sigma, x.ravel(), step).reshape(x.shape)
    assert gain[0, 0, 0] == 1
    assert gain.dtype == np.float32
    assert np.ptp(gain) > 0.1
    # linear between 256 knots: curvature times spacing^2 / 8, and the spline bends on a hundredth of the range
    curvature = np.abs(np.diff(response(network, a, ln_sigma), 2)).max() * (len(X) / CORNER) ** 2
    np.testing.assert_allclose(gain, expected, atol=2 * curvature * (CORNER / 255) ** 2 / 8 + 1e-6)


def test_a_filter_follows_mesh_and_not_box(cosmos):
    # the same cell: the same response at the same wavenumber, wherever the box puts its modes
    small, large = (
        NETWORKS["hpn"].filter(cosmos, ParticleMesh(box_size=20.0 * size, particles=size), TEN)(jnp.float32(0.4))
        for size in (8, 16)
    )
    np.testing.assert_allclose(large[::2, ::2, ::2], small, atol=1e-6)
    # a mesh twice as fine per particle is one with half the cell
    fine, half = (
        ParticleMesh(box_size=160.0, particles=size, mesh_factor=factor) for size, factor in ((8, 2), (16, 1))
    )
    gains = [NETWORKS["hpn"].filter(cosmos, each, TEN)(jnp.float32(0.4)) for each in (fine, half)]
    np.testing.assert_array_equal(*gains)
    assert np.abs(gains[0] - large).max() > 1e-3


def test_an_untrained_hpn_undoes_the_windows_of_clouds():
    untrained = HPN.initial(jax.random.key(0), RANGE)
    x = np.linspace(0.02, 0.5, 25)
    window = np.sinc(x / (2 * np.pi)) ** 4
    # to the order after x^2 / 6, with which the term stays bounded at the corner of the mesh
    np.testing.assert_array_less(np.abs(response(untrained, 0.5, -2, x) / (1 / window - 1) - 1), 0.16 * x**2 + 1e-5)
    np.testing.assert_allclose(response(untrained, 0.5, -2), X**2 / (6 + 3 * X**2 / 8), rtol=1e-6)


def test_what_an_hpn_learns_leaves_large_scales_alone():
    x = np.geomspace(1e-3, 0.2, 20)
    learned = response(NETWORKS["hpn"], 0.5, -2, x) - response(HPN.initial(jax.random.key(0), RANGE), 0.5, -2, x)
    whole = response(NETWORKS["hpn"], 0.5, -2) - response(HPN.initial(jax.random.key(0), RANGE), 0.5, -2)
    assert np.abs(whole).max() > 0.1
    np.testing.assert_array_less(np.abs(learned), 3 * np.abs(whole).max() * x**4 + 1e-8)


def test_an_hpn_goes_by_nonlinearity_and_holds_beyond_what_was_trained():
    network, (low, high) = NETWORKS["hpn"], RANGE
    ends = [response(network, 0.5, time) for time in RANGE]
    np.testing.assert_array_equal(response(network, 0.5, low - 1.5), ends[0])
    np.testing.assert_array_equal(response(network, 0.5, high + 0.5), ends[1])
    middle = response(network, 0.5, (low + high) / 2)
    assert all(np.abs(middle - end).max() > 0.01 for end in ends)
    np.testing.assert_array_equal(response(network, 0.1, (low + high) / 2), middle)


def test_an_hpn_goes_by_the_width_of_steps_where_it_has_an_input_for_it(cosmos, mesh):
    network = NETWORKS["hpn"]
    coarse, fine, converged = (response(network, 0.5, -2, step=step) for step in (0.2, 0.001, 0.0))
    assert np.abs(coarse - fine).max() > 10 * np.abs(fine - converged).max() > 0
    # adaptive steps are converged ones
    gain = network.filter(cosmos, mesh, TSIT5)(jnp.float32(0.4))
    few = network.filter(cosmos, mesh, FixedSteps(kind="bullfrog", steps=10**4))(jnp.float32(0.4))
    np.testing.assert_allclose(gain, few, atol=1e-3)
    # weights of two inputs, of files from before there was a third
    (weights, biases), *deeper = network.layers
    blind = HPN(((weights[:, :2], biases), *deeper), RANGE)
    np.testing.assert_array_equal(response(blind, 0.5, -2, step=0.2), response(blind, 0.5, -2, step=0.0))
    without = HPN(((weights.at[:, 2].set(0), biases), *deeper), RANGE)
    np.testing.assert_allclose(response(blind, 0.5, -2), response(without, 0.5, -2), atol=1e-6)


def test_the_published_network_is_a_spline_of_its_heads():
    network = NETWORKS["published"]
    assert sum(leaf.size for leaf in jax.tree.leaves(network)) == 2176
    layers = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(network)]
    w1, b1, w2, b2, w_control, b_control, w_knots, b_knots = layers
    assert (w_control.shape, w_knots.shape) == ((17, 32), (15, 32))
    for a in (0.15, 0.6, 1.0):
        units = np.sin(w2 @ np.sin(w1[:, 0] * a + b1) + b2)
        increments = np.exp(w_knots @ units + b_knots)
        inner = np.minimum(np.cumsum(increments) / increments.sum(), 1)
        spline = BSpline(np.r_[[0] * 4, inner, [1] * 3], np.r_[0, w_control @ units + b_control], 3)
        found = response(network, a, 0.0)
        # float32 against knots a thousandth apart
        np.testing.assert_allclose(found, spline(np.minimum(X / CORNER, 1 - 1e-4)), atol=2e-4 * np.abs(found).max())
        assert found[0] == 0


def test_an_untrained_published_network_does_nothing():
    untrained = PublishedHPN.initial(jax.random.key(1))
    np.testing.assert_array_equal(response(untrained, 0.5, -2), np.zeros_like(X))


def test_a_method_without_correction_is_the_plain_one(cosmos, mesh):
    assert corrected(None, mesh, TSIT5, cosmos) == Method(mesh, TSIT5)
    method = corrected(NETWORKS["hpn"], mesh, TSIT5, cosmos)
    assert method.displacement is None
    gain = NETWORKS["hpn"].filter(cosmos, mesh, TSIT5)(jnp.float32(0.4))
    np.testing.assert_array_equal(method.gain(jnp.float32(0.4)), gain)


def faint_wave(cosmos, mesh):
    """A plane wave of growing mode, half a cell off the mesh points, where clouds are linear in the displacement."""
    k = 2 * np.pi / mesh.box_size
    wave = 0.1 * np.sin(k * np.asarray(lattice(mesh)[2], np.float64))
    momentum = float(growth_momentum(TIMES[0], cosmos) / cosmos.growth.D1(TIMES[0]))
    rows = np.zeros((2, *lattice(mesh).shape), np.float32)
    rows[0] = mesh.cell_size / 2
    rows[:, 2] += np.stack([wave, momentum * wave])

    def grown(integrator, correction):
        states = EVOLVE(Particles(*jnp.asarray(rows)), TIMES, cosmos, correction.method(mesh, integrator, cosmos))
        displacement = np.asarray(states.displacement[:, 2], np.float64) - mesh.cell_size / 2
        return np.mean(displacement * wave, axis=1) / np.mean(wave**2)

    return k, momentum, grown


@pytest.mark.slow
@pytest.mark.parametrize("integrator", [TSIT5, FixedSteps(kind="fastpm", steps=16)], ids=lambda each: each.kind)
def test_a_wave_grows_by_the_corrected_force(cosmos, mesh, integrator):
    k, momentum, grown = faint_wave(cosmos, mesh)
    p, strength, d = cosmos.parameters, 0.5, mesh.cell_size

    def motion(a, state):
        dark = (1 - p.Omega_m) * a ** (-3 * (1 + p.w0 + p.wa)) * np.exp(-3 * p.wa * (1 - a))
        rate = np.sqrt(p.Omega_m / a**3 + dark)
        force = (1 + strength * a) * np.sin(k * d) / (k * d) * state[0]
        return [state[1] / (a**3 * rate), 1.5 * p.Omega_m * force / (a**2 * rate)]

    solution = solve_ivp(motion, (0.2, 0.5), [1, momentum], t_eval=TIMES[1:], rtol=1e-9)
    # 16 steps of second order that are exact without the correction, which moves the wave by 5 %
    np.testing.assert_allclose(grown(integrator, Uniform(strength)), solution.y[0], rtol=3e-4)


@pytest.mark.slow
def test_an_untrained_hpn_brings_back_linear_growth(cosmos, mesh):
    _, _, grown = faint_wave(cosmos, mesh)
    D1 = np.asarray(cosmos.growth.D1(TIMES))
    untrained = HPN.initial(jax.random.key(0), RANGE)
    # The lowest wave of 16 cells: x^2 / 6 = 0.026 of the force is given back, 0.03 x^4 = 7e-4 is left.
    np.testing.assert_allclose(grown(FixedSteps(kind="bullfrog", steps=16), untrained), D1[1:] / D1[0], rtol=5e-4)


def weighted_squares(particles):
    """A smooth number that depends on every value, each with a weight of its own."""
    weights = jax.random.uniform(jax.random.key(5), (2, *particles.momentum.shape), maxval=2.0)
    squares = weights[0] * particles.displacement**2 + weights[1] * particles.momentum**2
    return squares.sum(dtype=jnp.float64)


@pytest.fixture(scope="module")
def ways(parameters, tables):
    """The cosmology, moved by a multiple of one direction of all parameters."""
    signs = np.array([1, -1, 1, 1, 1, -1, 1])

    def moved(multiple):
        shifts = dict(zip(COSMOLOGICAL, signs * multiple * np.array([*STEPS.values()]), strict=True))
        return tables(Parameters(**{name: value + shifts[name] for name, value in vars(parameters).items()}))

    return moved


def contraction(gradient, dot):
    pairs = zip(jax.tree.leaves(gradient), jax.tree.leaves(dot), strict=True)
    return sum((g * d).sum(dtype=jnp.float64) for g, d in pairs)


def assert_derivatives(number, reverse, primals, ways, step):
    """Each argument along a way of its own, a function of the step: both modes and central differences."""
    ends = [[way(sign * step) for way in ways] for sign in (1, -1)]
    tangents = [jax.tree.map(lambda x, y: (x - y).astype(x.dtype), *pair) for pair in zip(*ends, strict=True)]
    nothing = jax.tree.map(jnp.zeros_like, tangents)
    alone = [tuple(tangents[j] if i == j else nothing[j] for j in range(len(ways))) for i in range(len(ways))]
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *alone)

    forward = jax.jit(jax.vmap(lambda dot: jax.jvp(number, primals, dot)[1]))(stacked)
    value = jax.jit(number)
    difference = [
        np.subtract(*(value(*primals[:i], end[i], *primals[i + 1 :]) for end in ends)) for i in range(len(ways))
    ]
    np.testing.assert_allclose(forward, difference, rtol=5e-3)
    gradient = jax.jit(jax.grad(reverse, argnums=tuple(range(len(ways)))))(*primals)
    np.testing.assert_allclose([contraction(gradient, dot) for dot in alone], forward, rtol=1e-4)


def along_weights(network):
    direction = like_trained(jax.tree.map(jnp.zeros_like, network), 8)
    return lambda step: jax.tree.map(lambda x, dot: x + 0.1 * step * dot, network, direction)


@pytest.mark.slow
@BY_NETWORK
def test_derivatives_of_a_filter_match_differences(mesh, ways, network):
    weights = jax.random.normal(jax.random.key(5), (16, 16, 9), jnp.float32)

    def number(cosmos, network, a):
        return jnp.vdot(weights, network.filter(cosmos, mesh, TEN)(a))

    dots = (ways, along_weights(network), lambda step: jnp.float32(0.5 + 0.02 * step))
    if isinstance(network, PublishedHPN):  # which does not know cosmology
        cosmos = ways(0.0)
        assert_derivatives(
            partial(number, cosmos), partial(number, cosmos), (network, jnp.float32(0.5)), dots[1:], step=0.1
        )
    else:
        primals = (ways(0.0), network, jnp.float32(0.5))
        assert_derivatives(number, number, primals, dots, step=0.1)


@pytest.mark.slow
def test_derivatives_pass_through_a_corrected_simulation(cosmos, start, mesh):
    """With respect to the weights, and to the scale factors of outputs."""

    def number(network, times, adjoint=None):
        method = network.method(mesh, FixedSteps(kind="bullfrog", steps=3), cosmos)
        return weighted_squares(nbody(start, times, cosmos, method, adjoint=adjoint))

    later = jnp.array([0.0, 0.01, 0.02])
    dots = (along_weights(NETWORKS["hpn"]), lambda step: TIMES + step * later)
    reverse = partial(number, adjoint=diffrax.RecursiveCheckpointAdjoint())
    # third order of the steps, and kinks of the forces where particles cross cells
    assert_derivatives(number, reverse, (NETWORKS["hpn"], TIMES), dots, step=0.2)
