"""Sources: where they are, and how strongly each lens plane acts on the light that they emit.

A weight per plane and source is all that a map needs to know of sources: a distribution n(z) is the average of the
weights of single planes. Redshifts are what is observed, and held fixed; distances and the planes' scale factors move
with cosmology.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from scipy.special import ndtr

from lenscast.cosmology import Cosmology
from lenscast.cosmology.background import SPEED_OF_LIGHT_OVER_H0
from lenscast.lensing.lightcone import Lightcone

__all__ = ["Sources", "lensing_weights", "plane_strength", "source_planes", "source_shares", "tabulated", "tomographic"]

CELL = 1 / 256
"""Width of the cells of redshift that a distribution is cut into: shares and weights to 1e-5."""

NEAREST = 1e-3
"""Sources that a shift moves to lower redshifts stay there; no plane is in front of them."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Redshift distributions n_b(z) of source bins, linear in each of some cells of redshift.

    Attributes
    ----------
    low, high : ends of each cell; equal where all its galaxies have one redshift.
    share : share of the galaxies of each bin in each cell, 1 in all.
    tilt : (n(high) - n(low)) / (n(high) + n(low)) of each bin in each cell.
    """

    low: Float64[np.ndarray, " interval"]
    high: Float64[np.ndarray, " interval"]
    share: Float64[np.ndarray, "source interval"]
    tilt: Float64[np.ndarray, "source interval"]

    def __len__(self) -> int:
        """Number of bins."""
        return len(self.share)

    @property
    def z(self) -> Float64[np.ndarray, " interval"]:
        """Middle of each cell."""
        return (self.low + self.high) / 2

    @property
    def mean(self) -> Float64[np.ndarray, " source"]:
        """Mean redshift of each bin."""
        return np.sum(self.share * (self.z + self.tilt * (self.high - self.low) / 6), axis=1)

    @classmethod
    def from_config(cls, section: Any) -> "Sources":
        """Sources of the section `survey.sources` of a config."""
        if section.kind == "planes":
            return source_planes(section.z)
        if section.kind == "smail":
            return tomographic(section.z0, section.alpha, section.bins, section.sigma_z, section.z_max)
        return tabulated(*np.split(np.loadtxt(Path(section.file), ndmin=2).T, [1]))


def source_planes(z: Sequence[float]) -> Sources:
    """Bins whose sources have one redshift each."""
    redshift = np.asarray(z, float)
    return Sources(redshift, redshift, np.eye(len(redshift)), np.zeros(2 * redshift.shape))


def tomographic(z0: float, alpha: float, bins: int, sigma_z: float, z_max: float) -> Sources:
    r"""Bins of equal numbers of galaxies, seen through the scatter of photometric redshifts.

    n(z) ~ z^2 exp[-(z / z0)^alpha] for z <= z_max. Edges are those of equal numbers in true redshift, between 0 and
    z_max, and cut in photometric redshift, which scatters normally by sigma_z (1 + z).

    Parameters
    ----------
    z0, alpha : of n(z).
    bins : number of bins.
    sigma_z : scatter of photometric redshifts, in units of 1 + z; 0 for none.
    z_max : largest redshift.

    References: LSST Dark Energy Science Collaboration (2018), arXiv:1809.01669, Sect. D2; Smail, Ellis & Fitchett
    (1994), astro-ph/9402048, for n(z).
    """
    z = _edges(0.0, z_max)
    number = z**2 * np.exp(-((z / z0) ** alpha))
    counted = np.concatenate([[0.0], np.cumsum(number[1:] + number[:-1])])
    edges = np.interp(np.arange(bins + 1) / bins * counted[-1], counted, z)
    scatter = np.maximum(sigma_z * (1 + z), 1e-6)
    return _linear(z, number * np.diff(ndtr((edges[:, None] - z) / scatter), axis=0))


def tabulated(z: Float[np.ndarray, "1 row"], n: Float[np.ndarray, "source row"]) -> Sources:
    """Bins with n(z) in a table, linear between its rows.

    Parameters
    ----------
    z : redshifts, increasing.
    n : galaxies per redshift in each bin, in any unit.
    """
    redshift = z.ravel()
    edges = np.union1d(_edges(redshift[0], redshift[-1]), redshift)
    return _linear(edges, np.stack([np.interp(edges, redshift, each) for each in n]))


def plane_strength(cosmology: Cosmology, lightcone: Lightcone) -> Float[Array, " plane"]:
    """Convergence per unit overdensity of each plane, for sources at infinity: (3/2) Omega_m (H0/c)^2 chi_i dchi / a_i.

    Parameters
    ----------
    cosmology : distances and matter density.
    lightcone : planes.
    """
    chi = jnp.asarray(lightcone.chi)
    strength = 1.5 * cosmology.parameters.Omega_m / SPEED_OF_LIGHT_OVER_H0**2 * lightcone.thickness
    return strength * chi / cosmology.distances.scale_factor(chi)


def lensing_weights(
    sources: Sources, shift: Float[Array, " source"], cosmology: Cosmology, lightcone: Lightcone
) -> Float[Array, "plane source"]:
    """Convergence per unit overdensity of each plane, for sources at fixed redshifts.

    `plane_strength` times the mean of (1 - chi_i / chi_s) over the sources behind the plane. Redshifts are held fixed;
    distances chi_s and scale factors a_i move with cosmology.

    Parameters
    ----------
    sources : their redshifts.
    shift : Delta z of each bin, added to its redshifts: n_b(z) becomes n_b(z - Delta z_b).
    cosmology : distances and matter density.
    lightcone : planes.

    References: Kilbinger (2015), arXiv:1411.0115, Sect. 2.4; midpoint rule per plane, exact to 0.2 % of C_ell for
    ell >= 277 with planes of 205 Mpc/h (docs/design.md).
    """
    chi = jnp.asarray(lightcone.chi)[:, None, None]

    def efficiency(z: Float64[np.ndarray, " interval"]) -> Float[Array, "plane source interval"]:
        moved = jnp.maximum(jnp.asarray(z)[None] + shift[:, None], NEAREST)
        return 1 - chi / cosmology.distances.comoving_distance(1 / (1 + moved))[None]

    near, far = efficiency(sources.low), efficiency(sources.high)
    is_crossed = (near < 0) & (far > 0)  # by the plane: its far end is a triangle, so that the mean has a slope
    triangle = far**2 / (2 * jnp.where(is_crossed, far - near, 1))
    in_cell = jnp.where(is_crossed, triangle, jnp.maximum(near + far, 0) / 2)
    return plane_strength(cosmology, lightcone)[:, None] * jnp.einsum("psc,sc->ps", in_cell, jnp.asarray(sources.share))


def source_shares(
    sources: Sources, shift: Float[Array, " source"], cosmology: Cosmology, lightcone: Lightcone
) -> Float[Array, "plane source"]:
    """Share of the galaxies of each bin that are within the slab of each plane.

    Parameters
    ----------
    sources, shift, cosmology, lightcone : as of `lensing_weights`.
    """
    edges = jnp.arange(1, lightcone.planes + 1) * lightcone.thickness
    z = 1 / cosmology.distances.scale_factor(edges) - 1
    above = z[:, None, None] - shift[None, :, None] - jnp.asarray(sources.low)[None, None]
    width = jnp.asarray(sources.high - sources.low)[None, None]
    is_point = width == 0
    below_edge = jnp.where(is_point, (above > 0).astype(z.dtype), jnp.clip(above / jnp.where(is_point, 1, width), 0, 1))
    tilt = jnp.asarray(sources.tilt)[None]
    counted = jnp.einsum("psc,sc->ps", below_edge * (1 - tilt + tilt * below_edge), jnp.asarray(sources.share))
    return jnp.diff(counted, axis=0, prepend=0)


def _edges(start: float, end: float) -> Float64[np.ndarray, " edge"]:
    """Ends of cells, of about `CELL`, between two redshifts."""
    return np.linspace(start, end, 1 + int(np.ceil((end - start) / CELL)))


def _linear(z: Float64[np.ndarray, " edge"], n: Float64[np.ndarray, "source edge"]) -> Sources:
    """Bins whose distributions, in any unit, are given at the ends of cells."""
    low, high = n[:, :-1], n[:, 1:]
    number = (low + high) * np.diff(z)
    tilt = np.divide(high - low, high + low, out=np.zeros_like(low), where=high + low > 0)
    return Sources(z[:-1], z[1:], number / number.sum(axis=1, keepdims=True), tilt)
