"""Gaussian initial conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.gravity import ParticleMesh, linear_field
from lenscast.parameters import COSMOLOGICAL


@pytest.fixture(scope="module")
def draw(cosmos, mesh):
    return jax.jit(lambda key: linear_field(key, cosmos.power, mesh))


def test_a_key_fixes_the_field_and_another_changes_it(draw):
    first, again, other = (draw(jax.random.key(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    correlation = np.corrcoef(np.ravel(first), np.ravel(other))[0, 1]
    # a few dozen modes make most of the variance
    assert abs(correlation) < 0.3
    assert first.dtype == jnp.float32
    assert abs(first.mean()) < 1e-6


def test_a_field_is_the_same_in_any_batch(draw, cosmos, mesh):
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    together = jax.jit(jax.vmap(lambda key: linear_field(key, cosmos.power, mesh)))(keys)
    in_turn = jax.jit(lambda keys: jax.lax.map(lambda key: linear_field(key, cosmos.power, mesh), keys))(keys)
    for i in range(3):
        alone = draw(keys[i])
        # batched transforms may add in another order: float32 rounding of a field of order one
        np.testing.assert_allclose(together[i], alone, atol=1e-5)
        np.testing.assert_allclose(in_turn[i], alone, atol=1e-5)


def test_field_has_the_variance_of_its_spectrum(draw, cosmos, mesh):
    fields = np.stack([draw(jax.random.key(seed)) for seed in range(20)])
    n = np.fft.fftfreq(mesh.particles, 1 / mesh.particles)
    k = 2 * np.pi / mesh.box_size * np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n**2)
    power = np.asarray(cosmos.power(jnp.asarray(k)))
    expected = power.sum() / mesh.box_size**3
    # scatter of 20 fields: sum P^2 over modes, half of which are independent
    scatter = np.sqrt(2 * (power**2).sum() / 20) / power.sum()
    assert abs(fields.var(axis=(1, 2, 3)).mean() / expected - 1) < 3 * scatter


@pytest.mark.slow
def test_field_is_linear_in_sigma8_at_fixed_phases(parameters, directions, draw, initial, cosmos, mesh):
    sigma8 = COSMOLOGICAL.index("sigma8")
    cosmos_dot = jax.tree.map(lambda x: x[sigma8], directions[0])
    key = jax.random.key(3)
    field, tangent = jax.jit(lambda c, dot: jax.jvp(lambda c: linear_field(key, c.power, mesh), (c,), (dot,)))(
        cosmos, cosmos_dot
    )
    np.testing.assert_allclose(tangent, field / parameters.sigma8, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(8, 16), (8, 32), (16, 32), (6, 16)])
def test_fields_of_one_noise_share_their_large_scales(cosmos, sizes):
    box, noise_size = 320.0, 32
    coarse, fine = (
        np.fft.fftn(
            linear_field(jax.random.key(3), cosmos.power, ParticleMesh(box_size=box, particles=size), noise_size)
        )
        / size**3
        for size in sizes
    )
    half = sizes[0] // 2
    n = np.arange(-half + 1, half)
    shared = np.ix_(n, n, n)
    # float32 transforms of fields of order one
    np.testing.assert_allclose(coarse[shared], fine[shared], atol=1e-7)
    assert np.abs(coarse[shared]).max() > 0.01
    for axis in range(3):  # its sign is that of no mode of the finer field
        np.testing.assert_allclose(np.take(coarse, half, axis), 0, atol=1e-7)


def test_noise_on_the_lattice_itself_changes_nothing(draw, cosmos, mesh):
    key = jax.random.key(3)
    on_lattice = jax.jit(lambda key: linear_field(key, cosmos.power, mesh, mesh.particles))(key)
    np.testing.assert_array_equal(on_lattice, draw(key))
    finer = linear_field(key, cosmos.power, mesh, 2 * mesh.particles)
    assert abs(np.corrcoef(np.ravel(finer), np.ravel(on_lattice))[0, 1]) < 0.3


def test_field_from_finer_noise_has_the_variance_of_its_modes(cosmos, mesh):
    draw = jax.jit(lambda key: linear_field(key, cosmos.power, mesh, 32))
    fields = np.stack([draw(jax.random.key(seed)) for seed in range(20)])
    n = np.fft.fftfreq(mesh.particles, 1 / mesh.particles)
    k = 2 * np.pi / mesh.box_size * np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n**2)
    power = np.asarray(cosmos.power(jnp.asarray(k)))[np.ix_(*[n != -8] * 3)]
    scatter = np.sqrt(2 * (power**2).sum() / 20) / power.sum()
    assert abs(fields.var(axis=(1, 2, 3)).mean() / (power.sum() / mesh.box_size**3) - 1) < 3 * scatter


def test_field_refuses_noise_coarser_than_its_particles(cosmos, mesh):
    with pytest.raises(ValueError, match="noise_size = 12: give at least the particles per side, 16"):
        linear_field(jax.random.key(3), cosmos.power, mesh, 12)
