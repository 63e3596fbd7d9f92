"""Planes painted while a box evolves."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import basis, cosmology
from lenscast.gravity import FixedSteps, ParticleMesh, Particles, linear_field, lpt, nbody, paint_slabs
from lenscast.lensing import Lightcone, density_planes

A_START = 0.3
MESH = ParticleMesh(1200.0, 8)
LIGHTCONE = Lightcone(box_size=1200.0, slabs_per_box=2, planes=3, plane_mesh=8, field_deg=5.0, pixels=8)
BULLFROG = FixedSteps("bullfrog", 3)


def planes_of(cosmos, start, adjoint=None):
    return density_planes(start, A_START, cosmos, MESH, BULLFROG, LIGHTCONE, adjoint=adjoint)


@jax.jit
def planes_and_change(cosmos, start, dots):
    """Planes, and their derivative along a direction of the cosmology and of the particles at the start."""
    return jax.jvp(planes_of, (cosmos, start), dots)


@pytest.fixture(scope="module")
def begin():
    """Particles at the start, half a cell off the points where the clouds of the lattice have their kinks."""

    def at_start(cosmos):
        start = lpt(linear_field(jax.random.key(0), cosmos.power, MESH), A_START, cosmos, MESH)
        return Particles(start.displacement + MESH.cell_size / 2, start.momentum)

    return jax.jit(at_start)


@pytest.fixture(scope="module")
def dots(parameters, cosmos, begin):
    """How cosmology and start change with w0."""
    unit = jax.tree.map(lambda x: x[0], basis(parameters, ["w0"]))
    dot = jax.jit(lambda p: jax.jvp(cosmology, (p,), (unit,))[1])(parameters)
    return dot, jax.jit(lambda dot: jax.jvp(begin, (cosmos,), (dot,))[1])(dot)


@pytest.fixture(scope="module")
def planes(cosmos, begin, dots):
    return planes_and_change(cosmos, begin(cosmos), dots)[0]


def test_planes_of_the_lattice_are_empty(cosmos, dots):
    rest = jnp.zeros((3, 8**3), jnp.float32)
    planes, _ = planes_and_change(cosmos, Particles(rest, rest), dots)
    assert planes.shape == (3, 3, 2, 8, 8)
    np.testing.assert_allclose(planes, 0, atol=1e-5)


def test_planes_hold_the_mean_density(planes):
    assert planes.std() > 0.01
    np.testing.assert_allclose(planes.mean(axis=(2, 3, 4), dtype=jnp.float64), 0, atol=1e-6)


def test_a_plane_is_the_box_when_light_crosses_it(cosmos, begin, planes):
    chi = jnp.array([300.0, 900.0, 1500.0])  # thickness 600, middles of planes
    a = cosmos.distances.scale_factor(chi)
    assert np.ptp(a) > 0.2
    times = jnp.append(A_START, a[::-1])
    states = jax.jit(nbody, static_argnums=(3, 4))(begin(cosmos), times, cosmos, MESH, BULLFROG)
    paint = jax.jit(lambda x: paint_slabs(x + MESH.lattice, 1200.0, 8, 2, MESH.cell_size))
    for number in range(3):
        expected = paint(states.displacement[2 - number])
        # positions of 1200 Mpc/h in float32, 1e-6 of a cell
        np.testing.assert_allclose(planes[number], expected, atol=2e-5)


def test_derivatives_move_the_time_at_which_light_crosses(parameters, cosmos, tables, begin, dots):
    step, ends = 0.05, []
    for sign in (1, -1):
        moved = tables(eqx.tree_at(lambda p: p.w0, parameters, parameters.w0 + sign * step))
        ends.append(planes_and_change(moved, begin(moved), dots)[0])
    difference = (ends[0] - ends[1]) / (2 * step)
    still = eqx.tree_at(lambda c: c.distances, dots[0], jax.tree.map(jnp.zeros_like, dots[0].distances))
    tangent, pinned = (planes_and_change(cosmos, begin(cosmos), (dot, dots[1]))[1] for dot in (dots[0], still))

    def distance(derivative):
        return np.sqrt(((derivative - difference) ** 2).mean() / (difference**2).mean())

    # third order of the step; the displacements are far smaller than a cell
    assert distance(tangent) < 0.005
    assert distance(pinned) > 0.1


@pytest.mark.slow
def test_reverse_mode_agrees_with_forward_mode(cosmos, begin, dots, planes):
    weights = jnp.cos(jnp.arange(planes.size, dtype=jnp.float32)).reshape(planes.shape)

    @jax.jit
    def gradient(cosmos, start):
        adjoint = diffrax.RecursiveCheckpointAdjoint()
        return jax.grad(lambda *x: (weights * planes_of(*x, adjoint)).sum(dtype=jnp.float64), argnums=(0, 1))(
            cosmos, start
        )

    start = begin(cosmos)
    pairs = zip(jax.tree.leaves(gradient(cosmos, start)), jax.tree.leaves(dots), strict=True)
    backward = sum(np.vdot(np.asarray(g, float), np.asarray(dot, float)) for g, dot in pairs)
    tangent = planes_and_change(cosmos, start, dots)[1]
    # the same steps in float32
    np.testing.assert_allclose(backward, np.vdot(weights, tangent), rtol=5e-5)


def test_density_planes_refuse_another_box(cosmos):
    rest = jnp.zeros((3, 8**3), jnp.float32)
    with pytest.raises(ValueError, match=r"the lightcone's box of 1200.0 Mpc/h is not the mesh's of 600.0"):
        density_planes(Particles(rest, rest), A_START, cosmos, ParticleMesh(600.0, 8), BULLFROG, LIGHTCONE)
