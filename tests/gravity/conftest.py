"""One small simulation in a cosmology where every parameter counts, and its derivatives stage by stage."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import basis, cosmology
from lenscast.gravity import ParticleMesh, linear_field, lpt
from lenscast.parameters import COSMOLOGICAL

KEY = jax.random.key(1)


@pytest.fixture(scope="session")
def mesh():
    """Cells of 20 Mpc/h, thrice the displacements of today: few particles cross a border, where forces have kinks."""
    return ParticleMesh(box_size=320.0, particles=16)


@pytest.fixture(scope="session")
def initial(mesh):
    """Particles at a = 0.2 as a function of the cosmology and of what is added to the linear field."""

    def at_start(cosmos, extra):
        return lpt(linear_field(KEY, cosmos.power, mesh) + extra, 0.2, cosmos, mesh)

    return jax.jit(at_start)


@pytest.fixture(scope="session")
def no_extra(mesh):
    return jnp.zeros((mesh.particles,) * 3, jnp.float32)


@pytest.fixture(scope="session")
def start(cosmos, initial, no_extra):
    return initial(cosmos, no_extra)


@pytest.fixture(scope="session")
def directions(parameters, cosmos, no_extra, initial):
    """Tangents of the cosmology and of the particles at the start: the seven parameters, then one of the field."""

    def along(function, *primals):
        return jax.jit(jax.vmap(lambda *tangents: jax.jvp(function, primals, tangents)[1]))

    units = basis(parameters, COSMOLOGICAL)
    cosmos_dot = jax.tree.map(lambda x: jnp.append(x, x[:1] * 0, axis=0), along(cosmology, parameters)(units))
    noise = jax.random.normal(jax.random.key(2), no_extra.shape, jnp.float32)
    extra_dot = jnp.zeros((8, *no_extra.shape), jnp.float32).at[7].set(noise)
    return cosmos_dot, along(initial, cosmos, no_extra)(cosmos_dot, extra_dot), extra_dot[7]


@pytest.fixture(scope="session")
def uniform():
    """Positions anywhere in a box and around it, in units of its side."""
    return np.random.default_rng(0).uniform(-1.5, 2.5, (3, 500)).astype(np.float32)
