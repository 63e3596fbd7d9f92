"""The linear maps between meshes and particles, and their rules under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lenscast.gravity.deposit import deposit, fetch

SIZE, PARTICLES, WINDOW = 30, 12, 2
RNG = np.random.default_rng(0)
CELLS = [jnp.asarray(RNG.integers(0, SIZE - WINDOW + 1, PARTICLES)) for _ in range(2)]
VALUES = [jnp.asarray(RNG.normal(size=(PARTICLES, WINDOW))) for _ in range(2)]
WEIGHTS = [jnp.asarray(RNG.normal(size=PARTICLES)) for _ in range(2)]
MESH = jnp.asarray(RNG.normal(size=(SIZE, 3)))


def deposited(cells, values):
    mesh = np.zeros(SIZE)
    for cell, value in zip(cells, values, strict=True):
        for i in range(WINDOW):
            np.add.at(mesh, np.asarray(cell) + i, np.asarray(value)[:, i])
    return mesh


def fetched(cells, weights, mesh):
    return sum(np.asarray(mesh)[np.asarray(c)] * np.asarray(w)[:, None] for c, w in zip(cells, weights, strict=True))


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_deposit_and_fetch_agree_with_numpy(transform):
    np.testing.assert_allclose(
        transform(lambda v: deposit(CELLS, v, SIZE))(VALUES), deposited(CELLS, VALUES), atol=1e-14
    )
    np.testing.assert_allclose(
        transform(lambda w: fetch(CELLS, w, MESH))(WEIGHTS), fetched(CELLS, WEIGHTS, MESH), atol=1e-14
    )


def test_deposit_and_fetch_keep_single_precision():
    assert deposit(CELLS, [v.astype(jnp.float32) for v in VALUES], SIZE).dtype == jnp.float32
    assert fetch(CELLS, [w.astype(jnp.float32) for w in WEIGHTS], MESH.astype(jnp.float32)).dtype == jnp.float32


def test_fetch_is_the_transpose_of_deposit():
    def spread(mesh):  # onto windows of one cell, as `fetch` reads them
        return deposit(CELLS, [w[:, None] * mesh[:, None] for w in WEIGHTS], SIZE)

    particle = jnp.asarray(RNG.normal(size=PARTICLES))
    transposed = jax.linear_transpose(spread, particle)(MESH[:, 0])[0]
    np.testing.assert_allclose(transposed, fetch(CELLS, WEIGHTS, MESH[:, :1])[:, 0], atol=1e-14)
    back = jax.linear_transpose(lambda mesh: fetch(CELLS, WEIGHTS, mesh), MESH)(jnp.tile(particle[:, None], 3))[0]
    np.testing.assert_allclose(back[:, 1], spread(particle), atol=1e-14)


def test_deposit_and_fetch_differentiate_twice_in_both_modes():
    # second order: squares, and weights that depend on each other; exact in float64 up to the step of check_grads
    def of_values(v):
        return (deposit(CELLS, [v, v**2], SIZE) ** 2).sum()

    def of_weights_and_mesh(w, m):
        return (fetch(CELLS, [w, w**2], m) ** 2).sum()

    check_grads(jax.jit(of_values), (VALUES[0],), order=2, modes=["fwd", "rev"])
    check_grads(jax.jit(of_weights_and_mesh), (WEIGHTS[0], MESH), order=2, modes=["fwd", "rev"])


def test_derivative_by_one_of_several_operands():
    cotangent = jnp.asarray(RNG.normal(size=SIZE))
    both = jax.vjp(lambda a, b: deposit(CELLS, [a, b], SIZE), *VALUES)[1](cotangent)
    alone = jax.vjp(lambda a: deposit(CELLS, [a, VALUES[1]], SIZE), VALUES[0])[1](cotangent)
    np.testing.assert_array_equal(both[0], alone[0])
    tangent = jax.jvp(lambda w: fetch(CELLS, [w, WEIGHTS[1]], MESH), WEIGHTS[:1], WEIGHTS[1:])[1]
    np.testing.assert_allclose(tangent, fetched(CELLS[:1], WEIGHTS[1:], MESH), atol=1e-14)


@pytest.mark.parametrize("batched", [("values",), ("cells",), ("cells", "values")], ids="-".join)
def test_vmapped_deposit_equals_a_loop(batched):
    cells = jnp.asarray(RNG.integers(0, SIZE - 1, (3, PARTICLES))) if "cells" in batched else CELLS[0]
    values = jnp.asarray(RNG.normal(size=(3, PARTICLES, WINDOW))) if "values" in batched else VALUES[0]
    axes = tuple(0 if name in batched else None for name in ("cells", "values"))
    # the second corner stays without a batch axis
    together = jax.vmap(lambda c, v: deposit([c, CELLS[1]], [v, VALUES[1]], SIZE), axes)(cells, values)
    for i in range(3):
        c, v = (x if axis is None else x[i] for x, axis in zip((cells, values), axes, strict=True))
        np.testing.assert_allclose(together[i], deposited([c, CELLS[1]], [v, VALUES[1]]), atol=1e-14)


@pytest.mark.parametrize("batched", [("mesh",), ("weights",), ("cells",), ("cells", "weights", "mesh")], ids="-".join)
def test_vmapped_fetch_equals_a_loop(batched):
    cells = jnp.asarray(RNG.integers(0, SIZE, (3, PARTICLES))) if "cells" in batched else CELLS[0]
    weights = jnp.asarray(RNG.normal(size=(3, PARTICLES))) if "weights" in batched else WEIGHTS[0]
    mesh = jnp.asarray(RNG.normal(size=(SIZE, 3, 2))) if "mesh" in batched else MESH
    axes = tuple(axis if name in batched else None for name, axis in (("cells", 0), ("weights", 0), ("mesh", 1)))
    together = jax.vmap(lambda c, w, m: fetch([c], [w], m), axes)(cells, weights, mesh)
    for i in range(3):
        c, w = (x if axis is None else x[i] for x, axis in zip((cells, weights), axes[:2], strict=True))
        m = mesh if axes[2] is None else mesh[:, i]
        np.testing.assert_allclose(together[i], fetched([c], [w], m), atol=1e-14)


def test_nested_vmap_of_derivatives_equals_a_loop():
    values = jnp.asarray(RNG.normal(size=(2, 3, PARTICLES, WINDOW)))

    def slope(v):
        return jax.grad(lambda v: (deposit(CELLS, [v, v], SIZE) ** 2).sum())(v)

    together = jax.vmap(jax.vmap(slope))(values)
    for i, j in (0, 1), (1, 2):
        np.testing.assert_allclose(together[i, j], slope(values[i, j]), atol=1e-13)
