from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.corrections.particle_power import cross_power, field_power, particle_power
from lenscast.cosmology import Parameters
from lenscast.gravity import ParticleMesh, lattice, linear_field, lpt

BOX = 400.0
PLANCK15 = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}


@pytest.fixture(scope="module")
def quiet(tables):
    """A universe of so little structure that it is linear today."""
    return tables(Parameters(**(PLANCK15 | {"sigma8": 0.005})))


def test_field_power_of_plane_waves_is_their_amplitude_squared():
    x = jnp.arange(16) * (BOX / 16)
    wave = 0.3 * jnp.cos(2 * np.pi * 3 * x / BOX).astype(jnp.float32)
    delta = jnp.broadcast_to(wave[:, None, None], (16, 16, 16))
    k, power, modes = field_power(delta, BOX)
    # |delta_k|^2 V = (0.3 / 2)^2 V in each of the two modes +-3; float32 transforms
    np.testing.assert_allclose(power[2] * modes[2], 2 * 0.15**2 * BOX**3, rtol=1e-5)
    np.testing.assert_allclose(np.delete(power, 2), 0, atol=1e-5)
    # the first shell holds 6 modes at 1 and 12 at sqrt 2
    np.testing.assert_allclose(k[0], 2 * np.pi / BOX * (6 + 12 * np.sqrt(2)) / 18)
    np.testing.assert_allclose(k[4:], 2 * np.pi / BOX * np.arange(5, 8), rtol=0.03)


def test_field_power_counts_every_mode_once():
    modes = field_power(jnp.zeros((8, 8, 8), jnp.float32), BOX).modes
    n = np.fft.fftfreq(8, 1 / 8)
    shell = np.rint(np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + n**2))
    np.testing.assert_array_equal(modes, [(shell == i).sum() for i in range(1, 4)])


def test_field_power_of_white_noise_obeys_parseval():
    delta = jax.random.normal(jax.random.key(0), (8, 8, 8), jnp.float32)
    _, power, modes = field_power(delta, BOX)
    # a spectrum V/N^3 that all modes share; 200 modes, half of them independent, scatter by 10 %
    np.testing.assert_allclose((power * modes).sum() / modes.sum(), BOX**3 / 512, rtol=0.3)


def test_linear_field_has_the_power_it_was_drawn_from(quiet):
    mesh = ParticleMesh(box_size=BOX, particles=32)
    drawn = jax.jit(lambda key: field_power(linear_field(key, quiet.power, mesh), BOX))
    spectra = [drawn(jax.random.key(seed)) for seed in range(4)]
    k, modes = spectra[0].k, spectra[0].modes
    ratio = np.mean([each.power for each in spectra], axis=0) / quiet.power(k)
    # each mode scatters by 1, half of them independent; and the spectrum curves within the widest shells by 2 %
    deviation = np.abs(ratio - 1) / np.sqrt(2 / (4 * modes) + 0.02**2)
    assert deviation.max() < 4


def test_particle_power_of_zeldovich_particles_is_linear(quiet):
    mesh = ParticleMesh(box_size=BOX, particles=32)

    @jax.jit
    def both(key):
        field = linear_field(key, quiet.power, mesh)
        # half a cell off the mesh points, where the kink of the cloud would answer to the size of a displacement
        position = lpt(field, 1.0, quiet, mesh, order=1).position(mesh) + BOX / 128
        return field_power(field, BOX), particle_power(position, BOX, 64)

    linear, painted = both(jax.random.key(1))
    # the window is divided out and displacements of 0.03 Mpc/h are linear; images of the spectrum grow towards the
    # Nyquist wavenumber of the particles, in shell 16
    np.testing.assert_allclose(painted.power[:8], linear.power[:8], rtol=0.02)


def test_particle_power_is_differentiable_in_both_modes(quiet):
    mesh = ParticleMesh(box_size=BOX, particles=8)
    start = jax.random.uniform(jax.random.key(2), (3, 512), jnp.float32, 0, BOX)
    direction = jax.random.normal(jax.random.key(3), (3, 512), jnp.float32)

    @jax.jit
    def low_power(position):
        return particle_power(position, mesh.box_size, 16).power[:3]

    values, tangent = jax.jit(partial(jax.jvp, low_power))((start,), (direction,))
    # [Mpc/h], a 500th of a cell: kinks of the clouds leave 0.7 % or less in ten sets of particles, 2 % with 0.25
    step = 0.05
    difference = (low_power(start + step * direction) - low_power(start - step * direction)) / (2 * step)
    np.testing.assert_allclose(tangent, difference, rtol=0.02, atol=1e-3 * np.abs(values).max())
    weights = jnp.array([1.0, -2.0, 0.5])
    pulled = jax.jit(lambda y: jax.vjp(low_power, start)[1](y)[0])(weights)
    np.testing.assert_allclose(jnp.vdot(pulled, direction), jnp.vdot(weights, tangent), rtol=1e-3)


def test_particle_power_is_the_same_under_jit(quiet):
    position = jax.random.uniform(jax.random.key(2), (3, 512), jnp.float32, 0, BOX)
    plain = particle_power(position, BOX, 8)
    jitted = jax.jit(lambda each: particle_power(each, BOX, 8))(position)
    np.testing.assert_allclose(jitted.power, plain.power, rtol=1e-5)
    np.testing.assert_array_equal(jitted.modes, plain.modes)


@pytest.fixture(scope="module")
def clustered(quiet):
    """A Zel'dovich field grown until its particles have moved by a third of their spacing, and the lattice."""
    mesh = ParticleMesh(box_size=BOX, particles=16)
    field = linear_field(jax.random.key(4), quiet.power, mesh)
    displacement = lpt(field, 1.0, quiet, mesh, order=1).displacement
    return mesh, displacement * (8 / displacement.std())


CROSS = jax.jit(cross_power, static_argnums=(2, 3))


@pytest.mark.slow
def test_particles_correlate_fully_with_themselves(clustered):
    mesh, displacement = clustered
    position = lattice(mesh) + displacement
    # the same particles in another order, and around the border
    again = position[:, ::-1] + jnp.array([[BOX], [0], [-BOX]], jnp.float32)
    spectra, alone = CROSS(position, again, BOX, 32), particle_power(position, BOX, 32)
    np.testing.assert_array_equal(spectra.k, alone.k)
    np.testing.assert_allclose(spectra.power, alone.power, rtol=1e-6)
    for power in (spectra.reference, spectra.cross):
        np.testing.assert_allclose(power, alone.power, rtol=2e-4)  # float32 positions, rounded again beyond the border
    np.testing.assert_allclose(spectra.correlation, 1, atol=1e-6)


def test_cross_power_is_that_of_sum_and_difference(clustered):
    # 4 Re(x y*) = |x + y|^2 - |x - y|^2, with the density of both sets together as (x + y) / 2
    mesh, displacement = clustered
    first, second = lattice(mesh) + displacement, lattice(mesh) + displacement[::-1]
    spectra = CROSS(first, second, BOX, 32)
    both = particle_power(jnp.concatenate([first, second], axis=1), BOX, 32).power
    cross = (4 * both - spectra.power - spectra.reference) / 2
    np.testing.assert_allclose(spectra.cross, cross, atol=1e-5 * np.abs(both).max())
    np.testing.assert_allclose(spectra.reference, particle_power(second, BOX, 32).power, rtol=1e-6)
    np.testing.assert_array_less(np.abs(spectra.correlation), 0.9)


def test_particles_displaced_the_other_way_anticorrelate(clustered):
    mesh, displacement = clustered
    correlation = CROSS(lattice(mesh) + displacement, lattice(mesh) - displacement, BOX, 32).correlation
    assert np.all(correlation[:2] < -0.7)
    assert np.all(np.abs(correlation[6:12]) < 0.7)


def test_cross_power_is_differentiable_in_both_modes(clustered):
    mesh, displacement = clustered
    reference = lattice(mesh) + displacement[::-1]
    direction = displacement / 8

    @jax.jit
    def correlation(position):
        return cross_power(position, reference, BOX, 32).correlation[:3]

    position, step = lattice(mesh) + displacement, 0.03  # few particles cross a kink of the clouds
    tangent = jax.jvp(correlation, (position,), (direction,))[1]
    difference = (correlation(position + step * direction) - correlation(position - step * direction)) / (2 * step)
    # those that do; float32 densities leave 1 %
    np.testing.assert_allclose(tangent, difference, atol=0.04 * np.abs(difference).max())
    weights = jnp.array([1.0, -2.0, 0.5])
    pulled = jax.vjp(correlation, position)[1](weights)[0]
    np.testing.assert_allclose(jnp.vdot(pulled, direction), jnp.vdot(weights, tangent), rtol=1e-3)
