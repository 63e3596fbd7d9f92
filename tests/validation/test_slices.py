import jax.numpy as jnp
import numpy as np

from lenscast.gravity import ParticleMesh, lattice
from lenscast.validation.slices import densest_point, density_slice


def test_density_slice_holds_the_mass_of_its_slab_with_the_densest_point_in_the_middle():
    mesh = ParticleMesh(box_size=40.0, particles=8)
    point = np.array([35.0, 5.0, 15.0])
    # half of all particles fall to a lattice point
    position = np.asarray(lattice(mesh)).copy()
    position[:, ::2] = point[:, None]
    position = jnp.asarray(position)
    np.testing.assert_allclose(densest_point(position, 40.0, 8), point)
    image = density_slice(position, mesh, point, mesh_size=16, slabs=4, refinement=1)
    # the slab z = 10 to 20 has one whole layer, 15, and half of the clouds on both borders, 2.5 wide
    assert np.unravel_index(image.argmax(), image.shape) == (8, 8)
    np.testing.assert_allclose(image.mean(), (256 + 32 + 2 * 16) / (512 / 4), rtol=1e-5)


def test_density_slice_of_an_undisturbed_lattice_is_even_between_the_particles():
    mesh = ParticleMesh(box_size=40.0, particles=8)
    images = [density_slice(lattice(mesh) + 1.3, mesh, np.full(3, 20.0), 16, 4, refinement) for refinement in (1, 4)]
    assert images[0].std() > 0.05
    np.testing.assert_allclose(images[1], 1, rtol=1e-5)


def test_density_slice_does_not_feel_the_wrapping_of_positions():
    mesh = ParticleMesh(box_size=320.0, particles=16)
    displacement = 10 * np.random.default_rng(0).normal(size=(3, 16**3))
    position = lattice(mesh) + jnp.asarray(displacement, jnp.float32)
    settings = {"centre": np.zeros(3), "mesh_size": 16, "slabs": 4, "refinement": 2}
    images = [density_slice(each, mesh, **settings) for each in (position, position % mesh.box_size)]
    np.testing.assert_allclose(*images, atol=1e-3)
