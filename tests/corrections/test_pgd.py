"""Potential gradient descent against what one wave does analytically, and inside a simulation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.corrections import PGD, corrected
from lenscast.corrections.network import nonlinearity
from lenscast.corrections.particle_power import particle_power
from lenscast.corrections.pgd import Band, pgd_displacement
from lenscast.gravity import FixedSteps, ParticleMesh, lattice, linear_field, lpt, nbody

TIMES = jnp.array([0.2, 0.5, 1.0])
INTEGRATOR = FixedSteps(kind="bullfrog", steps=4)
MOVE = jax.jit(pgd_displacement, static_argnums=2)


def band(alpha, large, small):
    return Band(*(jnp.float32(value) for value in (alpha, large, small)))


@pytest.fixture(scope="module")
def dense():
    """Cells of 2 Mpc/h, where haloes are a few cells wide."""
    return ParticleMesh(box_size=32.0, particles=16)


@pytest.fixture(scope="module")
def evolve(cosmos, dense):
    field = linear_field(jax.random.key(4), cosmos.power, dense)
    start = lpt(field, 0.2, cosmos, dense)
    return jax.jit(lambda correction: nbody(start, TIMES, cosmos, corrected(correction, dense, INTEGRATOR, cosmos)))


@pytest.fixture(scope="module")
def states(evolve):
    return evolve(None)


@pytest.fixture(scope="module")
def bands(cosmos, dense):
    """Fits on both sides of the nonlinearity at a = 0.5; the last one before that of today."""
    times = nonlinearity(cosmos, dense)(jnp.log(TIMES.astype(jnp.float32)))
    knots = jnp.stack([times[1] - 0.1, times[1] + 0.3])
    return PGD(knots, Band(*jnp.array([[-0.1, -0.02], [0.8, 1.6], [2.0, 2.4]], jnp.float32)))


def snapshot(states, index):
    return jax.tree.map(lambda x: x[index], states)


@pytest.mark.parametrize("waves", [1, 3, 6])
def test_a_wave_moves_along_its_own_force_in_the_band(mesh, waves):
    alpha, large, small, d = -0.4, 0.5, 1.8, mesh.cell_size
    k = 2 * np.pi * waves / mesh.box_size
    # Half a cell off the mesh points clouds are linear in the displacement; windows take sin(k d) / (k d).
    psi = 0.1 * np.sin(k * np.asarray(lattice(mesh)[1], np.float64))
    position = np.array(lattice(mesh)) + np.float32(d / 2)
    position[1] += psi
    moved = np.asarray(MOVE(jnp.asarray(position), band(alpha, large, small), mesh))
    gain = np.exp(-((large / (k * d)) ** 2)) * np.exp(-((k * d / small) ** 4))
    # grad phi of delta = -d psi / dy is -psi; reading at displaced particles adds harmonics, of second order
    expected = -alpha * gain * np.sin(k * d) / (k * d)
    np.testing.assert_allclose(np.mean(moved[1] * psi) / np.mean(psi**2), expected, rtol=1e-3)
    np.testing.assert_allclose(moved[1], expected * psi, atol=0.02 * expected * 0.1)
    np.testing.assert_allclose(moved[[0, 2]], 0, atol=1e-3 * expected * 0.1)


@pytest.mark.slow
def test_no_amplitude_is_no_displacement(evolve, states, bands, dense):
    nothing = PGD(bands.ln_sigma, bands.bands._replace(alpha=1e-30 * bands.bands.alpha))
    # another program: 4 steps of float32, rounded in another order
    jax.tree.map(
        lambda found, expected: np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max()),
        evolve(nothing),
        states,
    )
    np.testing.assert_array_equal(MOVE(snapshot(states, 1).position(dense), band(0, 0.8, 2), dense), 0)


@pytest.mark.slow
def test_only_outputs_are_moved_by_the_band_of_their_time(evolve, states, bands, cosmos, dense):
    moved = evolve(bands)
    # the same program with other numbers: bit for bit, on one machine
    still = evolve(PGD(bands.ln_sigma, bands.bands._replace(alpha=0 * bands.bands.alpha)))
    np.testing.assert_array_equal(moved.momentum, still.momentum)
    times = nonlinearity(cosmos, dense)(jnp.log(TIMES.astype(jnp.float32)))[1:]
    # a quarter of the way between the knots, and beyond the last
    for index, share in ((0, 0.25), (1, 1.0)):
        assert np.clip((times[index] - bands.ln_sigma[0]) / 0.4, 0, 1) == pytest.approx(share, abs=1e-5)
        alpha, *rest = (np.abs(values[0]) ** (1 - share) * np.abs(values[1]) ** share for values in bands.bands)
        here = band(-alpha, *rest)
        plain = snapshot(states, index)
        expected = plain.displacement + MOVE(plain.position(dense), here, dense)
        assert np.abs(expected - plain.displacement).max() > 0.01
        np.testing.assert_allclose(moved.displacement[index], expected, atol=1e-5)


@pytest.mark.slow
def test_derivatives_of_a_displacement_match_differences(states, bands, cosmos, dense, parameters, tables):
    """By the particles, cosmology, scale factor and bands, together and by one, in both modes."""
    key, position = jax.random.split(jax.random.key(6)), snapshot(states, 0).position(dense)
    smooth = jnp.sin(2 * jnp.pi * lattice(dense) / 32 + jnp.arange(3.0, dtype=jnp.float32)[:, None])
    weights = jax.random.normal(key[0], position.shape, jnp.float32)
    step = 0.01
    later, earlier = (
        tables(eqx.tree_at(lambda p: (p.sigma8, p.w0), parameters, replace_fn=lambda x, s=s: x + s * step))
        for s in (1, -1)
    )
    louder = PGD(0 * bands.ln_sigma, jax.tree.map(lambda x: 0.3 * x, bands.bands))
    dots = smooth, jnp.float32(0.2), jax.tree.map(lambda x, y: (x - y) / (2 * step), later, earlier), louder
    primals = position, jnp.float32(0.5), cosmos, bands

    @jax.jit
    def number(position, a, cosmos, pgd):
        method = pgd.method(dense, INTEGRATOR, cosmos)
        return jnp.vdot(weights, method.displacement(position, a))

    gradient = jax.jit(jax.grad(number, argnums=(0, 1, 2, 3)))(*primals)
    each = []
    for i in range(4):
        ends = [
            number(*(jax.tree.map(lambda x, d, s=s: x + s * step * d, x, d) if i == j else x for j, (x, d) in pairs))
            for s in (1, -1)
            for pairs in [list(enumerate(zip(primals, dots, strict=True)))]
        ]
        leaves = zip(jax.tree.leaves(gradient[i]), jax.tree.leaves(dots[i]), strict=True)
        each.append(sum((g * d).sum(dtype=jnp.float64) for g, d in leaves))
        # the rounding of positions; particles that cross cells
        np.testing.assert_allclose(each[-1], (ends[0] - ends[1]) / (2 * step), rtol=0.02, err_msg=str(i))
    tangent = jax.jit(lambda primals, dots: jax.jvp(number, primals, dots)[1])(primals, dots)
    np.testing.assert_allclose(tangent, sum(each), atol=1e-4 * np.abs(each).max())


def test_negative_amplitude_contracts_haloes(states, dense):
    position = snapshot(states, 1).position(dense)
    power = [
        particle_power(position + MOVE(position, band(alpha, 0.8, 2.0), dense), dense.box_size, 32).power
        for alpha in (0.05, 0.0, -0.05)
    ]
    high = slice(5, 8)
    assert np.all(power[2][high] > 1.05 * power[1][high])
    assert np.all(power[0][high] < 0.95 * power[1][high])
    # the band leaves the lowest wave to a percent or so, and small scales an order more
    changes = np.abs(np.asarray(power[2]) / np.asarray(power[1]) - 1)
    assert changes[0] < 0.3 * changes[high].mean()
