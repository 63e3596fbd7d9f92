"""The small simulation of tests/gravity."""

import jax
import pytest

from lenscast.gravity import ParticleMesh, linear_field, lpt


@pytest.fixture(scope="session")
def mesh():
    """Cells of 20 Mpc/h, thrice the displacements of today: few particles cross a border, where forces have kinks."""
    return ParticleMesh(box_size=320.0, particles=16)


@pytest.fixture(scope="session")
def start(cosmos, mesh):
    """Particles at a = 0.2."""
    return jax.jit(lambda cosmos: lpt(linear_field(jax.random.key(1), cosmos.power, mesh), 0.2, cosmos, mesh))(cosmos)
