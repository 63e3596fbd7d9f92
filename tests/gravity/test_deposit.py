"""The linear maps between meshes and particles, and their rules under every transformation."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lenscast.gravity.deposit import deposit, fetch
from lenscast.gravity.deposit_plain import plain_deposit, plain_fetch

SHAPE, PARTICLES, WINDOW = (5, 4, 6), 12, 2
SIDES, CELLS_IN_ALL = np.array(SHAPE)[:, None], math.prod(SHAPE)
RNG = np.random.default_rng(0)
CELLS = [jnp.asarray(RNG.integers(0, CELLS_IN_ALL - WINDOW + 1, PARTICLES)) for _ in range(2)]
VALUES = [jnp.asarray(RNG.normal(size=(WINDOW, PARTICLES))) for _ in range(2)]
# well inside of cells, where a small move meets no kink; beyond the mesh on both sides
POSITION = jnp.asarray(RNG.integers(-SIDES, 2 * SIDES, (3, PARTICLES)) + RNG.uniform(0.2, 0.8, (3, PARTICLES)))
MESH = jnp.asarray(RNG.normal(size=(CELLS_IN_ALL, 3)))


def deposited(cells, values):
    mesh = np.zeros(CELLS_IN_ALL)
    for cell, value in zip(cells, values, strict=True):
        for i in range(WINDOW):
            np.add.at(mesh, np.asarray(cell) + i, np.asarray(value)[i])
    return mesh


def fetched(position, mesh):
    floor = np.floor(position).astype(int)
    cube, out = np.asarray(mesh).reshape(*SHAPE, -1), 0
    for corner in np.ndindex(2, 2, 2):
        side = np.array(corner)[:, None]
        weight = np.where(side == 1, position - floor, 1 - (position - floor)).prod(axis=0)
        out = out + weight[:, None] * cube[tuple((floor + side) % SIDES)]
    return out


def onto_mesh(v):
    return deposit(CELLS, v, CELLS_IN_ALL)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_deposit_and_fetch_agree_with_numpy(transform):
    np.testing.assert_allclose(transform(onto_mesh)(VALUES), deposited(CELLS, VALUES), atol=1e-14)
    np.testing.assert_allclose(
        transform(lambda x: fetch(x, MESH, SHAPE))(POSITION), fetched(POSITION, MESH), atol=1e-13
    )


def test_deposit_and_fetch_keep_single_precision():
    assert onto_mesh([v.astype(jnp.float32) for v in VALUES]).dtype == jnp.float32
    assert fetch(POSITION.astype(jnp.float32), MESH.astype(jnp.float32), SHAPE).dtype == jnp.float32


@pytest.mark.parametrize("particles", [3 * 4096, 4096 + 256, 5000])
def test_fetch_in_blocks_agrees_with_numpy(particles):
    # whole blocks, small ones, and a number that no block divides
    position = jnp.asarray(RNG.uniform(-SIDES, 2 * SIDES, (3, particles)))
    np.testing.assert_allclose(fetch(position, MESH, SHAPE), fetched(position, MESH), atol=1e-13)


def test_fetch_transposes_to_a_deposit():
    cotangent = jnp.asarray(RNG.normal(size=(PARTICLES, 3)))
    back = jax.linear_transpose(lambda mesh: fetch(POSITION, mesh, SHAPE), MESH)(cotangent)[0]
    np.testing.assert_allclose(jnp.vdot(back, MESH), jnp.vdot(cotangent, fetched(POSITION, MESH)), rtol=1e-13)


def test_deposit_transposes_to_windows():
    cotangent = jnp.asarray(RNG.normal(size=CELLS_IN_ALL))
    back = jax.linear_transpose(onto_mesh, VALUES)(cotangent)[0]
    for cells, values in zip(CELLS, back, strict=True):
        np.testing.assert_array_equal(values, cotangent[cells[None] + np.arange(WINDOW)[:, None]])


@pytest.mark.slow
def test_deposit_and_fetch_differentiate_in_both_modes():
    def of_values(v):
        return (onto_mesh([v, v**2]) ** 2).sum()

    def of_position_and_mesh(x, mesh):
        return (fetch(x, mesh, SHAPE) ** 2).sum()

    check_grads(jax.jit(of_values), (VALUES[0],), order=2, modes=["fwd", "rev"])
    check_grads(jax.jit(of_position_and_mesh), (POSITION, MESH), order=2, modes=["fwd", "rev"])


def plain_onto_mesh(v):
    return plain_deposit(CELLS, v, CELLS_IN_ALL)


PAIRS = {
    "deposit": (onto_mesh, plain_onto_mesh, (VALUES,)),
    "fetch": (lambda x, mesh: fetch(x, mesh, SHAPE), lambda x, mesh: plain_fetch(x, mesh, SHAPE), (POSITION, MESH)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_values_and_derivatives_are_those_of_the_plain_version(name):
    function, plain, primals = PAIRS[name]
    rng = np.random.default_rng(3)

    def random(like):
        return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), like)

    tangents, cotangent = random(primals), random(plain(*primals))
    forward = [jax.jit(partial(jax.jvp, each))(primals, tangents) for each in (function, plain)]
    for ours, theirs in zip(*forward, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    pulled, expected = (jax.jit(lambda y, f=each: jax.vjp(f, *primals)[1](y))(cotangent) for each in (function, plain))
    for ours, theirs in zip(jax.tree.leaves(pulled), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_batches_of_tangents_are_those_of_the_plain_version(name):
    function, plain, primals = PAIRS[name]
    rng = np.random.default_rng(4)
    dots = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=(3, *x.shape))), primals)
    ours, theirs = (
        jax.jit(jax.vmap(lambda dot, f=each: jax.jvp(f, primals, dot)[1]))(dots) for each in (function, plain)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_derivative_by_one_of_several_operands():
    cotangent = jnp.asarray(RNG.normal(size=CELLS_IN_ALL))
    both = jax.vjp(lambda a, b: onto_mesh([a, b]), *VALUES)[1](cotangent)
    alone = jax.vjp(lambda a: onto_mesh([a, VALUES[1]]), VALUES[0])[1](cotangent)
    np.testing.assert_array_equal(both[0], alone[0])
    dot = jnp.asarray(RNG.normal(size=MESH.shape))
    tangent = jax.jvp(lambda mesh: fetch(POSITION, mesh, SHAPE), (MESH,), (dot,))[1]
    np.testing.assert_allclose(tangent, fetched(POSITION, dot), atol=1e-13)


@pytest.mark.parametrize("batched", [("values",), ("cells",), ("cells", "values")], ids="-".join)
def test_vmapped_deposit_equals_a_loop(batched):
    cells = jnp.asarray(RNG.integers(0, CELLS_IN_ALL - 1, (3, PARTICLES))) if "cells" in batched else CELLS[0]
    values = jnp.asarray(RNG.normal(size=(3, WINDOW, PARTICLES))) if "values" in batched else VALUES[0]
    axes = tuple(0 if name in batched else None for name in ("cells", "values"))

    def both(c, v):  # the second corner stays without a batch axis
        return deposit([c, CELLS[1]], [v, VALUES[1]], CELLS_IN_ALL)

    together = jax.vmap(both, axes)(cells, values)
    for i in range(3):
        c, v = (x if axis is None else x[i] for x, axis in zip((cells, values), axes, strict=True))
        np.testing.assert_allclose(together[i], deposited([c, CELLS[1]], [v, VALUES[1]]), atol=1e-14)


@pytest.mark.parametrize("batched", [("mesh",), ("position",), ("position", "mesh")], ids="-".join)
def test_vmapped_fetch_equals_a_loop(batched):
    position = jnp.asarray(RNG.uniform(0, 4, (2, 3, PARTICLES))) if "position" in batched else POSITION
    mesh = jnp.asarray(RNG.normal(size=(CELLS_IN_ALL, 2, 3))) if "mesh" in batched else MESH
    axes = tuple(axis if name in batched else None for name, axis in (("position", 0), ("mesh", 1)))
    together = jax.vmap(lambda x, m: fetch(x, m, SHAPE), axes)(position, mesh)
    for i in range(2):
        x = position if axes[0] is None else position[i]
        m = mesh if axes[1] is None else mesh[:, i]
        np.testing.assert_allclose(together[i], fetched(x, m), atol=1e-13)


def test_nested_vmap_of_derivatives_equals_a_loop():
    values = jnp.asarray(RNG.normal(size=(2, 3, WINDOW, PARTICLES)))

    def slope(v):
        return jax.grad(lambda v: (onto_mesh([v, v]) ** 2).sum())(v)

    together = jax.vmap(jax.vmap(slope))(values)
    for i, j in (0, 1), (1, 2):
        np.testing.assert_allclose(together[i, j], slope(values[i, j]), atol=1e-13)
