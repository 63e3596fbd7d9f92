"""Adding values to mesh cells and fetching them back: the two linear maps under painting and reading.

`deposit_plain` has their definitions in a few lines. Here they are primitives of JAX, with rules of their own for
derivatives and batches, for three reasons. Under `vmap` over tangents the batch becomes one of channels: all tangents
share indices and weights, and the channels of a cell lie side by side in memory, whereas JAX's own batching of scatter
and gather strides through one mesh per tangent. All tangents of a position share one gradient of the mesh. And on a CPU
fetching goes block by block, clouds included: only the fetched values go to memory.
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

_BLOCK = 4096  # particles


def deposit(
    cells: Sequence[Int[Array, " particle"]], values: Sequence[Float[Array, "window particle"]], size: int
) -> Float[Array, " cell"]:
    """Sum of the values that fall on each cell of a flat mesh.

    Parameters
    ----------
    cells
        First cell of each particle's window, between 0 and size - window; one array per corner of the cloud.
    values
        Values to add to that cell and to those that follow it; one array per corner.
    size
        Number of cells.
    """
    return _deposit_p.bind(*cells, *(value[:, None] for value in values), size=size)[..., 0]


def fetch(
    position: Float[Array, "3 particle"], mesh: Float[Array, "cell channel"], shape: tuple[int, int, int]
) -> Float[Array, "particle channel"]:
    """Sum of a flat mesh over the eight cells of each particle's cloud, weighted by their shares.

    Parameters
    ----------
    position
        Positions, periodic [cells].
    mesh
        Flat mesh with one or more channels a cell.
    shape
        Cells along each axis.
    """
    return _fetch_p.bind(position, mesh, shape=shape, slopes=())


def _deposit(*operands: Any, size: int) -> Any:
    """Scatter windows (window, channel, particle) onto a (cell, channel) mesh, corner by corner.

    The operands are the cells of all corners, then their values.
    """
    count = len(operands) // 2
    mesh = jnp.zeros((size, operands[-1].shape[1]), operands[-1].dtype)
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(0, 1), inserted_window_dims=(), scatter_dims_to_operand_dims=(0,)
    )
    for cell, values in zip(operands[:count], operands[count:], strict=True):
        mesh = lax.scatter_add(mesh, cell[:, None], values, numbers, mode="promise_in_bounds")
    return mesh


def _windows(cell: Any, mesh: Any, window: int) -> Any:
    """Gather windows (window, channel, particle) from a (cell, channel) mesh: the transpose of `_deposit`."""
    numbers = lax.GatherDimensionNumbers(offset_dims=(0, 1), collapsed_slice_dims=(), start_index_map=(0,))
    shape = (window, mesh.shape[1])
    return lax.gather(mesh, cell[:, None], numbers, shape, mode="promise_in_bounds")


def _fetch(position: Any, mesh: Any, *, shape: tuple[int, int, int], slopes: tuple[int, ...]) -> Any:
    """Sum the rows (particle, channel) of a (cell, channel) mesh over the corners of clouds."""
    clouds = corners(position, shape, slopes)
    return sum(mesh.at[cell].get(mode="promise_in_bounds") * weight[:, None] for cell, weight in clouds)


def _fetch_in_blocks(position: Any, mesh: Any, **static: Any) -> Any:
    """`_fetch`, block by block of consecutive particles."""
    particles = position.shape[1]
    block = gcd(particles, _BLOCK)  # blocks of equal size, or one pass over all particles where these would be small
    if block < _BLOCK // 16:
        return _fetch(position, mesh, **static)
    blocks = jnp.moveaxis(position.reshape(3, -1, block), 1, 0)
    return lax.map(lambda each: _fetch(each, mesh, **static), blocks).reshape(particles, -1)


def _primitive(name: str, function: Callable[..., Any], fixed: Callable[[int], int]) -> Primitive:
    """A primitive that is linear in all operands but the first ones.

    Linear operands have their channels on axis 1, and the result has its channels last. A batch of linear operands
    becomes one of channels.

    Parameters
    ----------
    name
        Name of the primitive.
    function
        What it computes.
    fixed
        Number of first operands in which it is not linear, such as cells and positions, from the number of all.
    """
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(primitive.bind, static_argnames=("size", "shape", "slopes")))

    def abstract(*operands: Any, **static: Any) -> Any:
        shapes = (jax.ShapeDtypeStruct(x.shape, x.dtype) for x in operands)
        out = jax.eval_shape(partial(function, **static), *shapes)
        return jax.core.ShapedArray(out.shape, out.dtype)

    def batch(operands: Any, axes: Any, **static: Any) -> Any:
        split = fixed(len(operands))
        # a batch of positions or cells shares nothing that channels could use: JAX's own batching serves it
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


def _is_nonzero(tangent: Any) -> bool:
    """Whether a tangent or cotangent is more than a symbolic zero of JAX."""
    return type(tangent) is not ad.Zero


def _push_deposit(primals: Any, tangents: Any, *, size: int) -> Any:
    """Forward rule: the deposit of the tangents of the values. Cells are integers and have no tangents."""
    cells = primals[: len(primals) // 2]
    value_tangents = map(ad.instantiate_zeros, tangents[len(cells) :])
    return _deposit_p.bind(*primals, size=size), _deposit_p.bind(*cells, *value_tangents, size=size)


def _transpose_deposit(cotangent: Any, *operands: Any, size: int) -> list[Any]:
    """Transpose: the windows of the cotangent at the same cells."""
    count = len(operands) // 2
    cells, values = operands[:count], operands[count:]
    if not _is_nonzero(cotangent):
        return [None] * count + [ad.Zero(value.aval) for value in values]
    windows = [_windows(c, cotangent, v.aval.shape[0]) for c, v in zip(cells, values, strict=True)]
    return [None] * count + windows


def _push_fetch(primals: Any, tangents: Any, *, shape: tuple[int, int, int], slopes: tuple[int, ...]) -> Any:
    """Forward rule: the fetched tangent of the mesh, plus the gradient of the interpolated mesh times that of position.

    One gradient per particle serves all tangents of its position.
    """
    (position, mesh), (position_dot, mesh_dot) = primals, tangents
    out = _fetch_p.bind(position, mesh, shape=shape, slopes=slopes)
    dots = []
    if _is_nonzero(mesh_dot):
        dots.append(_fetch_p.bind(position, mesh_dot, shape=shape, slopes=slopes))
    if _is_nonzero(position_dot):
        # a share is linear in each coordinate: its second derivative along one axis vanishes
        axes = [axis for axis in range(3) if axis not in slopes]
        slope = {axis: _fetch_p.bind(position, mesh, shape=shape, slopes=(*slopes, axis)) for axis in axes}
        dots.extend(slope[axis] * position_dot[axis][:, None] for axis in axes)
    return out, sum(dots) if dots else jnp.zeros_like(out)


def _transpose_fetch(
    cotangent: Any, position: Any, mesh: Any, *, shape: tuple[int, int, int], slopes: tuple[int, ...]
) -> list[Any]:
    """Transpose in the mesh: the deposit of the cotangent onto the cells of the clouds, weighted by the same shares."""
    if not _is_nonzero(cotangent):
        return [None, ad.Zero(mesh.aval)]
    cells, weights = zip(*corners(position, shape, slopes), strict=True)
    values = [(cotangent.T * weight[None])[None] for weight in weights]
    return [None, _deposit_p.bind(*cells, *values, size=mesh.aval.shape[0])]


_deposit_p = _primitive("deposit", _deposit, fixed=lambda operands: operands // 2)
_fetch_p = _primitive("fetch", _fetch, fixed=lambda operands: 1)
ad.primitive_jvps[_deposit_p] = _push_deposit
ad.primitive_jvps[_fetch_p] = _push_fetch
ad.primitive_transposes[_deposit_p] = _transpose_deposit
ad.primitive_transposes[_fetch_p] = _transpose_fetch
mlir.register_lowering(_fetch_p, mlir.lower_fun(_fetch_in_blocks, multiple_results=False), platform="cpu")
