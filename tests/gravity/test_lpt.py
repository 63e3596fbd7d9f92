"""Displacements and momenta of Lagrangian perturbation theory."""

from itertools import combinations, permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology.background import expansion
from lenscast.gravity import ParticleMesh, lattice, linear_field, lpt

A = 0.3
LPT = jax.jit(lpt, static_argnums=(3, 4))


@pytest.fixture(scope="module")
def field(cosmos, mesh):
    return linear_field(jax.random.key(1), cosmos.power, mesh)


def on_lattice(vector, mesh):
    return np.asarray(vector).reshape(3, *(mesh.particles,) * 3)


def test_lpt_of_a_plane_wave_is_zeldovich(cosmos, mesh):
    # delta = -D1 d(psi)/dq with psi = amplitude sin(k q), and no second order in one dimension
    amplitude, k = 5.0, 2 * np.pi * 2 / mesh.box_size
    q = lattice(mesh)[1].reshape((mesh.particles,) * 3)
    wave = -amplitude * k * jnp.cos(k * q)
    a = jnp.float64(A)
    D1, F = cosmos.growth.D1(a), a**3 * expansion(a, cosmos.parameters) * cosmos.growth.dD1_da(a)
    for order in 1, 2:
        particles = LPT(wave, A, cosmos, mesh, order)
        psi = np.zeros((3, *q.shape))
        psi[1] = amplitude * np.sin(k * np.asarray(q))
        np.testing.assert_allclose(on_lattice(particles.displacement, mesh), D1 * psi, atol=2e-6 * amplitude)
        np.testing.assert_allclose(on_lattice(particles.momentum, mesh), F * psi, atol=2e-6 * amplitude)


def numpy_orders(field, mesh):
    """Displacements of both orders in units of D1 and D2, in double precision, by complex transforms."""
    size = mesh.particles
    n = np.fft.fftfreq(size, 1 / size)
    n = np.where(np.abs(n) == size // 2, 0, n)  # a Nyquist mode has no first derivative
    k = 2 * np.pi / mesh.box_size * np.stack(np.meshgrid(n, n, n, indexing="ij"))
    full = 2 * np.pi / mesh.box_size * np.fft.fftfreq(size, 1 / size)
    squared = full[:, None, None] ** 2 + full[:, None] ** 2 + full**2
    squared[0, 0, 0] = np.inf

    def potential(source):
        return -np.fft.fftn(source) / squared

    def gradient(phi):
        return np.fft.ifftn(1j * k * phi, axes=(1, 2, 3)).real

    phi = potential(np.asarray(field, np.float64))
    tides = {(i, j): np.fft.ifftn(-k[i] * k[j] * phi).real for i in range(3) for j in range(3)}
    source = sum(tides[i, i] * tides[j, j] - tides[i, j] ** 2 for i, j in combinations(range(3), 2))
    return -gradient(phi), gradient(potential(source))


def test_lpt_agrees_with_numpy(cosmos, mesh, field):
    first, second = numpy_orders(field, mesh)
    a = jnp.float64(A)
    D1, D2 = cosmos.growth.D1(a), cosmos.growth.D2(a)
    assert np.abs(D2 * second).max() > 0.01 * np.abs(D1 * first).max()
    zeldovich, both = (on_lattice(LPT(field, A, cosmos, mesh, order).displacement, mesh) for order in (1, 2))
    # transforms in float32
    np.testing.assert_allclose(zeldovich, D1 * first, atol=3e-6 * np.abs(D1 * first).max())
    np.testing.assert_allclose(both - zeldovich, D2 * second, atol=2e-5 * np.abs(D2 * second).max())


def test_momentum_is_the_velocity_of_the_displacement(cosmos, mesh, field):
    step = 0.01  # relative third order step^2 / a^2 / 6 x a few, 1e-3 at most
    ends = [LPT(field, A + sign * step, cosmos, mesh, 2).displacement for sign in (1, -1)]
    velocity = (ends[0] - ends[1]) / (2 * step)
    momentum = A**3 * expansion(jnp.float64(A), cosmos.parameters) * velocity
    expected = LPT(field, A, cosmos, mesh, 2).momentum
    np.testing.assert_allclose(expected, momentum, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("order", [1, 2])
def test_lpt_knows_no_preferred_axis(cosmos, mesh, field, order):
    shape = (3, *field.shape)
    particles = LPT(field, A, cosmos, mesh, order).displacement.reshape(shape)
    scale = 1e-5 * np.abs(particles).max()
    for axes in permutations(range(3)):
        turned = LPT(field.transpose(axes), A, cosmos, mesh, order).displacement.reshape(shape)
        expected = particles[jnp.array(axes)].transpose(0, *(axis + 1 for axis in axes))
        np.testing.assert_allclose(turned, expected, atol=scale)

    def reflected(x):
        return jnp.roll(jnp.flip(x, (-3, -2, -1)), 1, (-3, -2, -1))

    mirrored = LPT(reflected(field), A, cosmos, mesh, order).displacement.reshape(shape)
    np.testing.assert_allclose(mirrored, -reflected(particles), atol=scale)


@pytest.mark.slow
def test_lpt_differentiates_in_both_modes(cosmos, mesh, initial, no_extra, directions):
    _, start_dot, noise = directions

    def quadratic(extra):
        start = initial(cosmos, extra)
        return (start.displacement**2).sum(dtype=jnp.float64) + (start.momentum**2).sum(dtype=jnp.float64)

    start = initial(cosmos, no_extra)
    forward = 2 * sum((getattr(start, x) * getattr(start_dot, x)[7]).sum(dtype=jnp.float64) for x in vars(start))
    backward = (jax.jit(jax.grad(quadratic))(no_extra) * noise).sum(dtype=jnp.float64)
    step = 0.03
    difference = (quadratic(step * noise) - quadratic(-step * noise)) / (2 * step)
    # sums of 10^4 squares in float32; a quartic function of the field has a third order, small compared with the first
    np.testing.assert_allclose(backward, forward, rtol=1e-5)
    np.testing.assert_allclose(difference, forward, rtol=1e-3)


def test_lpt_refuses_other_orders_and_meshes(cosmos, mesh, field):
    with pytest.raises(ValueError, match="order = 3: Lagrangian perturbation theory is available to order 1 or 2"):
        lpt(field, A, cosmos, mesh, 3)
    with pytest.raises(ValueError, match=r"field of shape \(16, 16, 16\): give one value per .* 32\^3 particles"):
        lpt(field, A, cosmos, ParticleMesh(box_size=mesh.box_size, particles=32))
