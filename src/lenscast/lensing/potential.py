"""Potential of a lens plane: its derivatives on the mesh, and their values at the positions of rays.

Convention: laplacian phi = delta on the periodic plane, without the mean overdensity, which has no periodic potential;
components are (y, x).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float32, Int

from lenscast.numerics.fourier import wavenumbers
from lenscast.sections.lightcone import Lightcone


class PlaneFields(NamedTuple):
    """Overdensity of a plane and derivatives of its potential phi.

    `difference` is half the difference of the second derivatives, (phi_yy - phi_xx) / 2, and `mixed` is phi_yx.
    """

    delta: Float32[Array, "_ _"]
    slope_y: Float32[Array, "_ _"]
    slope_x: Float32[Array, "_ _"]
    difference: Float32[Array, "_ _"]
    mixed: Float32[Array, "_ _"]


def plane_fields(delta: Float32[Array, "mesh mesh"], lightcone: Lightcone) -> PlaneFields:
    """Overdensity, and derivatives of the periodic potential by Fourier transform."""
    cell = lightcone.box_size / lightcone.plane_mesh
    wavevector = y, x = wavenumbers(delta.shape, cell)
    # the Nyquist mode is its own mirror image, so its wavenumber has no sign and its first derivative is 0
    odd_y, odd_x = (jnp.where(jnp.abs(k) < jnp.pi / cell * (1 - 1e-6), k, 0) for k in wavevector)
    squared = y**2 + x**2
    # laplacian phi = delta is -k^2 phi_k = delta_k; the mode k = 0 is left to the uniform sheet
    minus_phi = jnp.fft.rfftn(delta) * jnp.where(squared > 0, 1 / jnp.where(squared > 0, squared, 1), 0)
    factors = [-1j * odd_y, -1j * odd_x, (y**2 - x**2) / 2, odd_y * odd_x]
    return PlaneFields(delta, *(jnp.fft.irfftn(factor * minus_phi, s=delta.shape) for factor in factors))


def interpolated_fields(fields: PlaneFields, cells: Float32[Array, "2 y x"]) -> PlaneFields:
    """Bilinear interpolation of periodic fields at the rays, in units of cells.

    One field is read after the other: neighbours of one field lie side by side in memory, fields at one point do not.
    """
    size = len(fields.delta)
    floor = jnp.floor(cells)
    share = cells - floor
    cell = jnp.mod(floor.astype(jnp.int32), size)
    next_cell = jnp.where(cell == size - 1, 0, cell + 1)
    (row, next_row), (column, next_column) = zip(cell, next_cell, strict=True)

    def at_rays(field: Float32[Array, "mesh mesh"]) -> Float32[Array, "y x"]:
        def along(row: Int[Array, "y x"]) -> Float32[Array, "y x"]:
            # `cell` and `next_cell` are taken modulo the size, so no read needs a check of bounds
            first, second = (field.at[row, i].get(mode="promise_in_bounds") for i in (column, next_column))
            return first + share[1] * (second - first)

        here, there = along(row), along(next_row)
        return here + share[0] * (there - here)

    return PlaneFields(*(at_rays(field) for field in fields))
