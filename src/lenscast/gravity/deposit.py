"""Adding values to mesh cells and fetching them back: the two linear maps under painting and reading.

They are primitives for three reasons. Under `vmap` over tangents the batch becomes one of channels, so that all
tangents share indices and weights, and the channels of a cell lie side by side in memory; JAX's own batching of scatter
and gather strides through one mesh per tangent. All tangents of a position share one gradient of the mesh. And on a CPU
fetching goes block by block, clouds and all: nothing but what is fetched goes to memory.
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

from lenscast.gravity.clouds import corners

__all__ = ["deposit", "fetch"]

_BLOCK = 4096  # particles


def deposit(
    cells: Sequence[Int[Array, " particle"]], values: Sequence[Float[Array, "window particle"]], size: int
) -> Float[Array, " cell"]:
    """Sum of the values that fall on each cell of a flat mesh.

    Parameters
    ----------
    cells : first cell of each particle's window, between 0 and size - window; one array per corner of the cloud.
    values : what to add to that cell and to those that follow it, one array per corner.
    size : number of cells.
    """
    return _deposit_p.bind(*cells, *(value[:, None] for value in values), size=size)[..., 0]


def fetch(
    position: Float[Array, "3 particle"], mesh: Float[Array, "cell channel"], size: int
) -> Float[Array, "particle channel"]:
    """Sum of a flat mesh over the eight cells of each particle's cloud, weighted by their shares.

    Parameters
    ----------
    position : in cells, periodic.
    mesh : flat cubic mesh with one or more channels a cell.
    size : cells per side.
    """
    return _fetch_p.bind(position, mesh, size=size, slopes=())


def _deposit(*operands: Any, size: int) -> Any:
    """Scatter windows (window, channel, particle) onto a (cell, channel) mesh, corner by corner."""
    count = len(operands) // 2
    mesh = jnp.zeros((size, operands[-1].shape[1]), operands[-1].dtype)
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(0, 1), inserted_window_dims=(), scatter_dims_to_operand_dims=(0,)
    )
    for cell, values in zip(operands[:count], operands[count:], strict=True):
        mesh = lax.scatter_add(mesh, cell[:, None], values, numbers, mode="promise_in_bounds")
    return mesh


def _windows(cell: Any, mesh: Any, window: int) -> Any:
    """Gather windows (window, channel, particle) from a (cell, channel) mesh."""
    numbers = lax.GatherDimensionNumbers(offset_dims=(0, 1), collapsed_slice_dims=(), start_index_map=(0,))
    shape = (window, mesh.shape[1])
    return lax.gather(mesh, cell[:, None], numbers, shape, mode="promise_in_bounds")


def _fetch(position: Any, mesh: Any, *, size: int, slopes: tuple[int, ...]) -> Any:
    """Sum the rows (particle, channel) of a (cell, channel) mesh over the corners of clouds."""
    clouds = corners(position, size, slopes)
    return sum(mesh.at[cell].get(mode="promise_in_bounds") * weight[:, None] for cell, weight in clouds)


def _fetch_in_blocks(position: Any, mesh: Any, **static: Any) -> Any:
    """The same, block by block of consecutive particles."""
    particles = position.shape[1]
    block = gcd(particles, _BLOCK)
    if block < _BLOCK // 16:
        return _fetch(position, mesh, **static)
    blocks = jnp.moveaxis(position.reshape(3, -1, block), 1, 0)
    return lax.map(lambda each: _fetch(each, mesh, **static), blocks).reshape(particles, -1)


def _primitive(name: str, function: Callable[..., Any], fixed: Callable[[int], int]) -> Primitive:
    """A primitive linear in its operands behind the fixed ones, which keep their channels on axis 1 and give them last.

    A batch of them becomes one of channels.
    """
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(primitive.bind, static_argnames=("size", "slopes")))

    def abstract(*operands: Any, **static: Any) -> Any:
        shapes = (jax.ShapeDtypeStruct(x.shape, x.dtype) for x in operands)
        out = jax.eval_shape(partial(function, **static), *shapes)
        return jax.core.ShapedArray(out.shape, out.dtype)

    def batch(operands: Any, axes: Any, **static: Any) -> Any:
        split = fixed(len(operands))
        if any(axis is not None for axis in axes[:split]):
            return jax.vmap(partial(function, **static), axes)(*operands), 0
        size = next(x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None)
        folded = (_fold_batch(x, axis, size) for x, axis in zip(operands[split:], axes[split:], strict=True))
        out = primitive.bind(*operands[:split], *folded, **static)
        return out.reshape(*out.shape[:-1], -1, size), out.ndim

    primitive.def_abstract_eval(abstract)
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))
    return primitive


def _fold_batch(operand: Any, axis: int | None, size: int) -> Any:
    """Move a batch axis behind the channels and merge it with them."""
    batched = jnp.stack([operand] * size, 2) if axis is None else jnp.moveaxis(operand, axis, 2)
    return batched.reshape(batched.shape[0], -1, *batched.shape[3:])


def _moves(tangent: Any) -> bool:
    return type(tangent) is not ad.Zero


def _push_deposit(primals: Any, tangents: Any, *, size: int) -> Any:
    cells = primals[: len(primals) // 2]
    moved = map(ad.instantiate_zeros, tangents[len(cells) :])
    return _deposit_p.bind(*primals, size=size), _deposit_p.bind(*cells, *moved, size=size)


def _transpose_deposit(cotangent: Any, *operands: Any, size: int) -> list[Any]:
    count = len(operands) // 2
    cells, values = operands[:count], operands[count:]
    if not _moves(cotangent):
        return [None] * count + [ad.Zero(value.aval) for value in values]
    windows = [_windows(c, cotangent, v.aval.shape[0]) for c, v in zip(cells, values, strict=True)]
    return [None] * count + windows


def _push_fetch(primals: Any, tangents: Any, *, size: int, slopes: tuple[int, ...]) -> Any:
    """One gradient of the interpolated mesh per particle serves all tangents of its position."""
    (position, mesh), (position_dot, mesh_dot) = primals, tangents
    out = _fetch_p.bind(position, mesh, size=size, slopes=slopes)
    dots = []
    if _moves(mesh_dot):
        dots.append(_fetch_p.bind(position, mesh_dot, size=size, slopes=slopes))
    if _moves(position_dot):
        axes = [axis for axis in range(3) if axis not in slopes]  # a share is linear in each coordinate
        slope = {axis: _fetch_p.bind(position, mesh, size=size, slopes=(*slopes, axis)) for axis in axes}
        dots.extend(slope[axis] * position_dot[axis][:, None] for axis in axes)
    return out, sum(dots) if dots else jnp.zeros_like(out)


def _transpose_fetch(cotangent: Any, position: Any, mesh: Any, *, size: int, slopes: tuple[int, ...]) -> list[Any]:
    if not _moves(cotangent):
        return [None, ad.Zero(mesh.aval)]
    cells, weights = zip(*corners(position, size, slopes), strict=True)
    values = [(cotangent.T * weight[None])[None] for weight in weights]
    return [None, _deposit_p.bind(*cells, *values, size=mesh.aval.shape[0])]


_deposit_p = _primitive("deposit", _deposit, fixed=lambda operands: operands // 2)
_fetch_p = _primitive("fetch", _fetch, fixed=lambda operands: 1)
ad.primitive_jvps[_deposit_p] = _push_deposit
ad.primitive_jvps[_fetch_p] = _push_fetch
ad.primitive_transposes[_deposit_p] = _transpose_deposit
ad.primitive_transposes[_fetch_p] = _transpose_fetch
mlir.register_lowering(_fetch_p, mlir.lower_fun(_fetch_in_blocks, multiple_results=False), platform="cpu")
