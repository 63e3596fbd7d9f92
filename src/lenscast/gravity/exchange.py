"""Exchange between devices that hold blocks of one mesh: Fourier transforms by transposes, and halos.

Convention: these functions run on each device, inside `jax.shard_map`, on the block of that device. Devices form a grid
of rows and columns, with the axes `ROWS` and `COLUMNS`. In real space rows split x and columns split y. In Fourier
space rows split y and columns split z, because a transform along an axis needs all of it.

References
----------
Modi, Lanusse & Seljak (2021), arXiv:2010.11847, Sect. 3, halos and transposes of a distributed particle mesh.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex64, Float32

from lenscast.sections.distribution import stored_modes

ROWS, COLUMNS = "rows", "columns"


class Grid(NamedTuple):
    """Numbers of devices along x and along y."""

    rows: int
    columns: int


def forward(
    block: Float32[Array, "x_block column_block z"], grid: Grid, points: int
) -> Complex64[Array, "kept y_block half"]:
    """Block of the ``rfftn`` of a mesh, for the modes that a mesh of ``points`` per side has too.

    Parameters
    ----------
    block
        Block of the mesh.
    grid
        Devices.
    points
        Points per side of the mesh whose modes are kept; modes beyond are dropped before they are sent.
    """
    modes = jnp.fft.rfft(block, axis=2)
    if block.shape[2] != points:  # the Nyquist mode of the coarser mesh stands for two modes of the finer one
        modes = modes[:, :, : points // 2 + 1].at[:, :, points // 2].set(0)
    modes = jnp.pad(modes, ((0, 0), (0, 0), (0, stored_modes(points, grid.columns) - modes.shape[2])))
    modes = _transposed(modes, COLUMNS, grid.columns, split=2, joined=1)
    modes = _kept(jnp.fft.fft(modes, axis=1), 1, points)
    modes = _transposed(modes, ROWS, grid.rows, split=1, joined=0)
    return _kept(jnp.fft.fft(modes, axis=0), 0, points)


def backward(modes: Complex64[Array, "x y_block half"], grid: Grid) -> Float32[Array, "x_block column_block x"]:
    """Block of the ``irfftn`` of modes on a cubic mesh; the inverse of `forward`."""
    points = modes.shape[0]
    field = _transposed(jnp.fft.ifft(modes, axis=0), ROWS, grid.rows, split=0, joined=1)
    field = _transposed(jnp.fft.ifft(field, axis=1), COLUMNS, grid.columns, split=1, joined=2)
    return jnp.fft.irfft(field[:, :, : points // 2 + 1], n=points, axis=2)


def extended(block: Float32[Array, "x y *z"], grid: Grid, halo: tuple[int, int]) -> Float32[Array, "hx hy *z"]:
    """Block with a halo of the cells of its neighbours on both sides of x and y.

    Parameters
    ----------
    block
        Block of a periodic mesh.
    grid
        Devices.
    halo
        Cells on each side of x and of y; 0 where one device has the whole axis.
    """
    for axis, (name, devices, width) in enumerate(zip((ROWS, COLUMNS), grid, halo, strict=True)):
        block = _extended(block, axis, name, devices, width)
    return block


def folded(block: Float32[Array, "hx hy *z"], grid: Grid, halo: tuple[int, int]) -> Float32[Array, "x y *z"]:
    """Block to which neighbours add what their halos hold of it: the transpose of `extended`."""
    shape = (block.shape[0] - 2 * halo[0], block.shape[1] - 2 * halo[1], *block.shape[2:])
    inner = jax.ShapeDtypeStruct(shape, block.dtype)
    return jax.linear_transpose(lambda each: extended(each, grid, halo), inner)(block)[0]


def _extended(block: Array, axis: int, name: str, devices: int, width: int) -> Array:
    """Block with ``width`` cells of its neighbours on both sides of one axis."""
    size, pieces = block.shape[axis], [block]
    for hop, start in enumerate(range(0, width, size), start=1):  # a halo wider than a block reaches farther devices
        cells = min(size, width - start)
        last = lax.slice_in_dim(block, size - cells, size, axis=axis)
        first = lax.slice_in_dim(block, 0, cells, axis=axis)
        below = lax.ppermute(last, name, [(i, (i + hop) % devices) for i in range(devices)])
        above = lax.ppermute(first, name, [(i, (i - hop) % devices) for i in range(devices)])
        pieces = [below, *pieces, above]
    return jnp.concatenate(pieces, axis)


def _transposed(block: Array, name: str, devices: int, split: int, joined: int) -> Array:
    """Block with one axis joined and another split over devices."""
    return block if devices == 1 else lax.all_to_all(block, name, split, joined, tiled=True)


def _kept(modes: Array, axis: int, points: int) -> Array:
    """Modes along an axis that a coarser mesh has too, with its Nyquist mode set to 0."""
    size, half = modes.shape[axis], points // 2
    if size == points:
        return modes
    low = lax.slice_in_dim(modes, 0, half, axis=axis)
    high = lax.slice_in_dim(modes, size - half + 1, size, axis=axis)
    nyquist = jnp.zeros_like(lax.slice_in_dim(modes, 0, 1, axis=axis))
    return jnp.concatenate([low, nyquist, high], axis)
