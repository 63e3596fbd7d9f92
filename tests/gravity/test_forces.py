"""Particle-mesh accelerations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from lenscast.gravity import ParticleMesh, acceleration, lattice

BOX = 60.0
GRADIENTS = pytest.mark.parametrize("gradient", ["spectral", "finite_difference"])
FACTORS = pytest.mark.parametrize("factor", [1, 2])


def accelerations(position, mesh):
    return jax.jit(acceleration, static_argnums=1)(position, mesh)


def numpy_acceleration(position, mesh):
    """The same in double precision, by full complex transforms and sums over corners."""
    size, cell = mesh.mesh_size, mesh.cell_size
    scaled = np.asarray(position, np.float64) / cell
    floor = np.floor(scaled).astype(int)
    corners = []
    for corner in np.ndindex(2, 2, 2):
        corner = np.array(corner)[:, None]
        weight = np.prod(np.where(corner == 1, scaled - floor, 1 - (scaled - floor)), axis=0)
        corners.append((tuple((floor + corner) % size), weight))
    density = np.zeros((size,) * 3)
    for index, weight in corners:
        np.add.at(density, index, weight * mesh.mesh_factor**3)
    frequency = np.fft.fftfreq(size)
    phase = 2 * np.pi * np.stack(np.meshgrid(frequency, frequency, frequency, indexing="ij"))
    squared = (phase**2).sum(axis=0) / cell**2
    potential = -np.fft.fftn(density) / np.where(squared > 0, squared, np.inf)
    if mesh.gradient == "spectral":
        wave = np.where(np.isclose(np.abs(phase), np.pi), 0, phase) / cell
    else:
        wave = (8 * np.sin(phase) - np.sin(2 * phase)) / (6 * cell)
    field = -np.fft.ifftn(1j * wave * potential, axes=(1, 2, 3)).real
    return sum(field[(slice(None), *index)] * weight for index, weight in corners)


@pytest.fixture(scope="module")
def position(uniform):
    return jnp.asarray(BOX * np.resize(uniform, (3, 512)))


@FACTORS
@GRADIENTS
def test_acceleration_agrees_with_numpy(position, gradient, factor):
    mesh = ParticleMesh(box_size=BOX, particles=8, mesh_factor=factor, gradient=gradient)
    expected = numpy_acceleration(position, mesh)
    # float32 positions at 150 Mpc/h and transforms: 1e-5 of the largest force
    actual = accelerations(position, mesh)
    np.testing.assert_allclose(actual, expected, atol=2e-5 * np.abs(expected).max())
    # momentum: painting and reading with the same clouds give no force of a particle on itself
    assert np.abs(actual.mean(axis=1)).max() < 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("waves", [1, 3])
@GRADIENTS
def test_acceleration_of_a_plane_wave_is_the_analytic_one(gradient, waves):
    mesh = ParticleMesh(box_size=BOX, particles=16, gradient=gradient)
    # Half a cell off the mesh points clouds share their mass linearly: a displacement sin(k q) makes the density
    # -2 sin(kd/2)/d cos(k x) at them, d the cell; averaging of neighbours on reading gives another cos(kd/2).
    # Together sin(kd)/(kd) of the continuum's acceleration, which is the displacement itself.
    kd = 2 * np.pi * waves / 16
    expected = np.sin(kd) / kd
    if gradient == "finite_difference":
        expected *= (8 * np.sin(kd) - np.sin(2 * kd)) / (6 * kd)
    for axis in range(3):
        amplitude = 0.01 * mesh.cell_size
        wave = amplitude * jnp.sin(kd * (lattice(mesh)[axis] / mesh.cell_size + 0.5))
        position = (lattice(mesh) + mesh.cell_size / 2).at[axis].add(wave)
        force = accelerations(position, mesh)
        # second order in the amplitude is k x amplitude < 0.012 of the first; densities of 1 round it by 1e-4
        np.testing.assert_allclose(force[axis], expected * wave, atol=0.012 * amplitude)
        np.testing.assert_allclose(jnp.delete(force, axis, axis=0), 0, atol=1e-4 * amplitude)


@GRADIENTS
def test_acceleration_knows_no_preferred_axis(position, gradient):
    mesh = ParticleMesh(box_size=BOX, particles=8, mesh_factor=2, gradient=gradient)
    force = accelerations(position, mesh)
    scale = 2e-5 * np.abs(force).max()
    np.testing.assert_allclose(
        accelerations(position[jnp.array([1, 2, 0])], mesh), force[jnp.array([1, 2, 0])], atol=scale
    )
    np.testing.assert_allclose(accelerations(-position, mesh), -force, atol=scale)
    np.testing.assert_allclose(accelerations(position + mesh.cell_size, mesh), force, atol=3 * scale)


@GRADIENTS
def test_acceleration_differentiates_in_both_modes(gradient):
    mesh = ParticleMesh(box_size=BOX, particles=8, gradient=gradient)
    rng = np.random.default_rng(0)
    # in the middle half of cells, clear of the kinks at their borders
    cells = rng.integers(0, 8, (3, 512)) + rng.uniform(0.25, 0.75, (3, 512))
    position = jnp.asarray(cells * mesh.cell_size, jnp.float32)
    moves = jnp.asarray(rng.normal(size=(2, 3, 512)), jnp.float32)

    def push(move):
        return jax.jvp(lambda x: acceleration(x, mesh), (position,), (move,))[1]

    together, alone, pulled = jax.jit(
        lambda moves: (
            jax.vmap(push)(moves),
            push(moves[0]),
            jax.vjp(lambda x: acceleration(x, mesh), position)[1](moves[1])[0],
        )
    )(moves)
    scale = np.abs(alone).max()
    np.testing.assert_allclose(together[0], alone, atol=1e-5 * scale)
    np.testing.assert_allclose((pulled * moves[0]).sum(), (alone * moves[1]).sum(), rtol=1e-4)
    step = 0.05  # [Mpc/h], 0.007 cells: second order 1e-4, rounding of forces of 10 Mpc/h 1e-6 / step
    ends = [accelerations(position + sign * step * moves[0], mesh) for sign in (1, -1)]
    np.testing.assert_allclose(alone, (ends[0] - ends[1]) / (2 * step), atol=2e-3 * scale)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"box_size": 0.0}, r"box_size\n.*greater than or equal to 0.1"),
        ({"particles": 2}, r"particles\n.*greater than or equal to 4"),
        ({"particles": 15}, r"particles\n.*multiple of 2"),
        ({"mesh_factor": 0}, r"mesh_factor\n.*greater than or equal to 1"),
        ({"gradient": "exact"}, r"gradient\n.*'spectral' or 'finite_difference'"),
    ],
    ids=lambda each: "-".join(f"{key}={value}" for key, value in each.items()) if isinstance(each, dict) else "",
)
def test_particle_mesh_refuses_what_it_cannot_be(wrong, message):
    with pytest.raises(ValidationError, match=message):
        ParticleMesh(**{"box_size": BOX, "particles": 16, **wrong})
