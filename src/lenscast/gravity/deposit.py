"""Adding values to mesh cells and fetching them back: the two linear maps under painting and reading.

They are primitives for two reasons. Under `vmap` over tangents the batch becomes a trailing channel, so that all
tangents share indices and weights, and the channels of a cell lie side by side in memory; JAX's own batching of
scatter and gather strides through one mesh per tangent. And on a CPU reading goes block by block, which keeps the
gathered rows in cache.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import gcd
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float, Int

__all__ = ["deposit", "fetch"]

_BLOCKS = 32


def deposit(
    cells: Sequence[Int[Array, " particle"]], values: Sequence[Float[Array, "particle window"]], size: int
) -> Float[Array, " cell"]:
    """Sum of the values that fall on each cell of a flat mesh.

    Parameters
    ----------
    cells : first cell of each particle's window, between 0 and size - window; one array per corner of the cloud.
    values : what to add to that cell and to those that follow it, one array per corner.
    size : number of cells.
    """
    return _deposit_p.bind(*cells, *(value[..., None] for value in values), size=size)[..., 0]


def fetch(
    cells: Sequence[Int[Array, " particle"]],
    weights: Sequence[Float[Array, " particle"]],
    mesh: Float[Array, "cell channel"],
) -> Float[Array, "particle channel"]:
    """Weighted sum of a flat mesh over the corners of each particle's cloud.

    Parameters
    ----------
    cells : cells to read, one array per corner.
    weights : weight of each corner.
    mesh : flat mesh with one or more channels a cell.
    """
    return _fetch_p.bind(*cells, *weights, mesh)


def _deposit(*operands: Any, size: int) -> Any:
    """Scatter windows (particle, window, channel) onto a (size, channel) mesh, corner by corner."""
    corners = len(operands) // 2
    mesh = jnp.zeros((size, operands[-1].shape[2]), operands[-1].dtype)
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(1, 2), inserted_window_dims=(), scatter_dims_to_operand_dims=(0,)
    )
    for cell, values in zip(operands[:corners], operands[corners:], strict=True):
        mesh = lax.scatter_add(mesh, cell[:, None], values, numbers, mode="promise_in_bounds")
    return mesh


def _windows(cell: Any, mesh: Any, window: int) -> Any:
    """Gather windows (particle, window, channel) from a (size, channel) mesh."""
    numbers = lax.GatherDimensionNumbers(offset_dims=(1, 2), collapsed_slice_dims=(), start_index_map=(0,))
    shape = (window, mesh.shape[1])
    return lax.gather(mesh, cell[:, None], numbers, shape, mode="promise_in_bounds")


def _fetch(*operands: Any) -> Any:
    """Gather (particle, channel) from a (size, channel) mesh, summed over corners."""
    corners, mesh = len(operands) // 2, operands[-1]
    pairs = zip(operands[:corners], operands[corners:-1], strict=True)
    return sum(_windows(cell, mesh, 1)[:, 0] * weight[:, None] for cell, weight in pairs)


def _fetch_in_blocks(*operands: Any) -> Any:
    """The same, block by block of consecutive particles."""
    particles, mesh = operands[0].shape[0], operands[-1]
    blocks = tuple(x.reshape(gcd(particles, _BLOCKS), -1) for x in operands[:-1])
    return lax.map(lambda block: _fetch(*block, mesh), blocks).reshape(particles, -1)


def _fold_batch(operand: Any, axis: int | None, size: int) -> Any:
    """Move a batch axis behind the channels and merge it with them."""
    batched = jnp.stack([operand] * size, -1) if axis is None else jnp.moveaxis(operand, axis, -1)
    return batched.reshape(*batched.shape[:-2], -1)


def _primitive(name: str, function: Callable[..., Any], fixed: Callable[[int], int]) -> Primitive:
    """A primitive linear in its operands behind the fixed ones, whose batch axis joins the channel axis."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(primitive.bind, static_argnames="size"))

    def abstract(*operands: Any, **static: int) -> Any:
        shapes = (jax.ShapeDtypeStruct(x.shape, x.dtype) for x in operands)
        out = jax.eval_shape(partial(function, **static), *shapes)
        return jax.core.ShapedArray(out.shape, out.dtype)

    def push_forward(primals: Any, tangents: Any, **static: int) -> Any:
        split = fixed(len(primals))
        out = primitive.bind(*primals, **static)
        if any(_moves(tangent) for tangent in tangents[:split]):
            dense = [ad.instantiate_zeros(t) if _is_float(p) else t for p, t in zip(primals, tangents, strict=True)]
            return out, _plain_tangent(partial(function, **static), primals, dense)
        return out, primitive.bind(*primals[:split], *map(ad.instantiate_zeros, tangents[split:]), **static)

    def batch(operands: Any, axes: Any, **static: int) -> Any:
        split = fixed(len(operands))
        if any(axis is not None for axis in axes[:split]):
            return jax.vmap(partial(function, **static), axes)(*operands), 0
        size = next(x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None)
        folded = (_fold_batch(x, axis, size) for x, axis in zip(operands[split:], axes[split:], strict=True))
        out = primitive.bind(*operands[:split], *folded, **static)
        return out.reshape(*out.shape[:-1], -1, size), out.ndim

    primitive.def_abstract_eval(abstract)
    ad.primitive_jvps[primitive] = push_forward
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))
    return primitive


def _moves(tangent: Any) -> bool:
    return type(tangent) is not ad.Zero


def _is_float(operand: Any) -> bool:
    return jnp.issubdtype(operand.dtype, jnp.floating)


def _plain_tangent(function: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    """Tangent with respect to all floating operands by JAX's own rules: second derivatives of painting need it."""
    floating = [i for i, primal in enumerate(primals) if _is_float(primal)]

    def of_floating(*values: Any) -> Any:
        full = list(primals)
        for i, value in zip(floating, values, strict=True):
            full[i] = value
        return function(*full)

    return jax.jvp(of_floating, [primals[i] for i in floating], [tangents[i] for i in floating])[1]


def _transpose_deposit(cotangent: Any, *operands: Any, size: int) -> list[Any]:
    corners = len(operands) // 2
    cells, values = operands[:corners], operands[corners:]
    if not _moves(cotangent):
        return [None] * corners + [ad.Zero(value.aval) for value in values]
    windows = [_windows(c, cotangent, v.aval.shape[1]) for c, v in zip(cells, values, strict=True)]
    return [None] * corners + windows


def _transpose_fetch(cotangent: Any, *operands: Any) -> list[Any]:
    corners, mesh = len(operands) // 2, operands[-1]
    cells, weights = operands[:corners], operands[corners:-1]
    if not _moves(cotangent):
        return [None] * (2 * corners) + [ad.Zero(mesh.aval)]
    values = [(cotangent * weight[:, None])[:, None, :] for weight in weights]
    return [None] * (2 * corners) + [_deposit_p.bind(*cells, *values, size=mesh.aval.shape[0])]


_deposit_p = _primitive("deposit", _deposit, fixed=lambda operands: operands // 2)
_fetch_p = _primitive("fetch", _fetch, fixed=lambda operands: operands - 1)
ad.primitive_transposes[_deposit_p] = _transpose_deposit
ad.primitive_transposes[_fetch_p] = _transpose_fetch
mlir.register_lowering(_fetch_p, mlir.lower_fun(_fetch_in_blocks, multiple_results=False), platform="cpu")
