"""Snapshots of N-body simulations, as particles that our own simulations can start from and be held against.

Convention: particles come in Lagrangian order with their displacement from the lattice points (i, j, k) box_size / N,
as `lenscast.gravity.ParticleMesh` has them, and the momentum a^2 dx/dt. Files follow Gadget: comoving lengths in kpc/h
or Mpc/h, velocities a dx/dt / sqrt(a) in km/s. What a file says is checked against what its particles do.
"""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from jaxtyping import Int64

from lenscast.io.gadget import DarkMatter, Header, dark_matter
from lenscast.io.snapshot_checks import (
    check_density,
    check_displacement,
    check_header,
    check_momentum,
    check_particles,
)

if TYPE_CHECKING:
    from lenscast.gravity import Particles


class Snapshot(NamedTuple):
    """The matter of a box at one time, and what its file says of the simulation.

    Attributes
    ----------
    a
        Scale factor.
    box_size
        Comoving side of the periodic box [Mpc/h].
    particles_per_side
        Particles per side after subsampling.
    Omega_m, h
        Matter density and expansion rate today.
    Omega_b, sigma8, n_s
        None where the file does not tell. Runs without gas often say OmegaBaryon = 0, which is not what their initial
        power spectrum had and counts as not telling.
    particles
        Displacement [Mpc/h] and momentum [H0 Mpc/h] in Lagrangian order.
    """

    a: float
    box_size: float
    particles_per_side: int
    Omega_m: float
    h: float
    Omega_b: float | None
    sigma8: float | None
    n_s: float | None
    particles: "Particles"


def read_snapshot(
    path: str | os.PathLike[str],
    *,
    box_size: float | None = None,
    order: Literal["grid", "camels"] = "grid",
    tile: int = 64,
    lattice_shift: float = 0.0,
    subsample: int = 1,
) -> Snapshot:
    """Read a dark-matter-only snapshot in Gadget's HDF5 format.

    Parameters
    ----------
    path
        The file, or any one file of a snapshot in several, which are numbered like ``snap_033.0.hdf5``.
    box_size
        Side that the box must have [Mpc/h]; None for any.
    order
        Order of the particle IDs, which count from 0 or 1: "grid" for (i N + j) N + k; "camels" for the order of
        2LPTic, which made the initial conditions of CAMELS: tile after tile and, in each, point after point, both with
        the last index fastest.
    tile
        Particles per side of a tile, for order = "camels".
    lattice_shift
        Where the first particle started, in spacings of particles: 0 with 2LPTic, N-GenIC and MP-GenIC, 0.5 with codes
        that put particles into the middle of cells. The whole box is moved back by it, which neither forces nor
        statistics of a periodic box notice, so that the displacement has no mean.
    subsample
        Keep every n-th particle along each axis, from the first one on. The kept particles trace the same flow from
        a coarser lattice; nothing is averaged.

    Raises
    ------
    ValueError
        For a file that is not such a snapshot or is incomplete, a box that is not the asked one, particles that do not
        fill a lattice, and a file whose numbers contradict its units or conventions: total mass against Omega_m,
        Time against Redshift, positions against the box, mean (none) and size (under 0.2 boxes) of the displacement,
        and velocities against displacements of the longest waves, which agree with linear theory to 5 %, or to a third
        of the variance of these waves where they are not linear. The error names the convention, or the time, that
        would fit.

    References: Springel (2005), astro-ph/0505010; Villaescusa-Navarro et al. (2021), arXiv:2010.00619 (CAMELS).
    """
    import jax.numpy as jnp  # here, as these load JAX and the solvers, which readers of other files do without

    from lenscast.gravity import Particles

    if order not in ("grid", "camels"):
        raise ValueError(f"order = {order!r}: give 'grid' or 'camels'")
    matter = dark_matter(Path(path))
    header = matter.header
    a, Omega_m, size = header.number("Time", 1.1), header.number("Omega0", 1.0), _box_size(header, box_size)
    side = _particles_per_side(header, subsample)
    check_header(header)
    check_density(header, Omega_m, size)
    check_particles(matter)
    rows = _rows(matter, side, tile if order == "camels" else side)
    start = (np.arange(side) + lattice_shift) * (size / side)
    displacement, momentum = np.empty((2, 3, *rows.shape), np.float32)
    for axis in range(3):
        offset = matter.position[rows, axis] * np.float64(header.length) - start.reshape(np.roll((side, 1, 1), axis))
        displacement[axis] = offset - size * np.round(offset / size)
        momentum[axis] = matter.velocity[rows, axis] * np.float64(header.velocity * a**1.5 / 100)
    check_displacement(header, displacement / size)
    check_momentum(header, displacement, momentum, Omega_m)
    every = (slice(None), *(slice(None, None, subsample),) * 3)
    return Snapshot(
        a=a,
        box_size=size,
        particles_per_side=side // subsample,
        Omega_m=Omega_m,
        h=header.number("HubbleParam", 2.0),
        Omega_b=header.optional("OmegaBaryon"),
        sigma8=header.optional("Sigma8"),
        n_s=header.optional("PrimordialIndex"),
        particles=Particles(*(jnp.asarray(vector[every].reshape(3, -1)) for vector in (displacement, momentum))),
    )


def _box_size(header: Header, asked: float | None) -> float:
    """Side of the box [Mpc/h]."""
    size = header.number("BoxSize") * header.length
    if asked is not None and not math.isclose(size, asked, rel_tol=1e-5):
        raise ValueError(
            f"{header.path} has a box of {size:.6g} Mpc/h (BoxSize = {header.number('BoxSize'):.6g} in units of "
            f"{header.length} Mpc/h), but box_size = {asked} Mpc/h was asked for: give this box or another snapshot"
        )
    return size


def _particles_per_side(header: Header, subsample: int) -> int:
    """Particles along an axis of the lattice."""
    count = int(header.counts[1])
    side = round(count ** (1 / 3))
    if side**3 != count:
        raise ValueError(
            f"{header.path} has {count} particles, which is not a cube (the nearest is {side}^3): only particles that "
            "started from a cubic lattice are read"
        )
    if subsample < 1 or side % subsample:
        raise ValueError(f"subsample = {subsample}: give a divisor of the {side} particles per side of {header.path}")
    return side


def _rows(matter: DarkMatter, side: int, tile: int) -> Int64[np.ndarray, "x y z"]:
    """For each point of the lattice, the row of the particle that started there."""
    path, ids = matter.header.path, matter.ids
    if tile < 1 or side % tile:
        raise ValueError(f"tile = {tile}: give a divisor of the {side} particles per side of {path}")
    first, last = int(ids.min()), int(ids.max())
    if first not in (0, 1) or last != first + len(ids) - 1:
        raise ValueError(
            f"{path}: IDs from {first} to {last} for {len(ids)} particles: only IDs that count from 0 or 1 without "
            "gaps tell where each particle started"
        )
    rows = np.full(len(ids), -1)
    rows[ids.astype(np.int64) - first] = np.arange(len(ids))
    if rows.min() < 0:
        raise ValueError(
            f"{path}: {np.sum(rows < 0)} of {len(ids)} IDs are missing, as others appear twice: the snapshot is "
            "damaged or its files are of different ones; copy it again"
        )
    tiles = rows.reshape((side // tile,) * 3 + (tile,) * 3)
    return tiles.transpose(0, 3, 1, 4, 2, 5).reshape((side,) * 3)
