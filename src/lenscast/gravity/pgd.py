r"""Potential gradient descent: particles are moved after the steps, along the force of a band of wavenumbers.

    S = alpha grad phi_F,    phi_F = F(k) phi,    F = exp(-(k_l / k)^2) exp(-(k / k_s)^4),    laplacian phi = delta,

so that negative alpha contracts halos. Convention: wavenumbers in units of the force mesh, k cell_size, and parameters
as functions of how nonlinear the density is on the scale of the mesh (`nonlinearity`), which is how they go from one
resolution to another.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from lenscast.cosmology import Cosmology
from lenscast.gravity.correction import nonlinearity
from lenscast.gravity.forces import acceleration
from lenscast.gravity.mesh import ParticleMesh
from lenscast.numerics.fourier import wavenumbers

__all__ = ["PGD", "Band", "pgd_displacement"]


class Band(NamedTuple):
    """Amplitude alpha, negative, and wavenumbers k_l and k_s, times the cell, of a displacement."""

    alpha: Float[Array, "..."]
    large: Float[Array, "..."]
    small: Float[Array, "..."]


class PGD(eqx.Module):
    """Displacement of particles towards the density that a particle mesh misses.

    Attributes
    ----------
    ln_sigma : `nonlinearity` at which bands were fitted, increasing; the nearest one holds beyond.
    bands : the fits there; between them their logarithms are linear in ln sigma.

    References: Dai, Feng & Seljak (2018), arXiv:1804.00671, Eqs. 4 to 8.
    """

    ln_sigma: Float32[Array, " knot"]
    bands: Band

    def band(self, ln_sigma: Float32[Array, ""]) -> Band:
        """The band where the density is as nonlinear as that on the scale of the mesh.

        Parameters
        ----------
        ln_sigma : from `nonlinearity`.
        """
        alpha, large, small = (
            jnp.exp(jnp.interp(ln_sigma, self.ln_sigma, jnp.log(jnp.abs(values)))) for values in self.bands
        )
        return Band(-alpha, large, small)

    def displacement(
        self, position: Float32[Array, "3 particle"], a: Float32[Array, ""], cosmology: Cosmology, mesh: ParticleMesh
    ) -> Float32[Array, "3 particle"]:
        """What to add to the positions [Mpc/h].

        Parameters
        ----------
        position : comoving positions [Mpc/h].
        a : scale factor.
        cosmology : growth and linear power.
        mesh : box and force mesh.
        """
        return pgd_displacement(position, self.band(nonlinearity(cosmology, mesh)(jnp.log(a))), mesh)


def pgd_displacement(
    position: Float32[Array, "3 particle"], band: Band, mesh: ParticleMesh
) -> Float32[Array, "3 particle"]:
    """Displacement of particles by one band [Mpc/h].

    Parameters
    ----------
    position : comoving positions [Mpc/h].
    band : amplitude and wavenumbers.
    mesh : box and force mesh.
    """
    k2 = sum(k**2 for k in wavenumbers((mesh.mesh_size,) * 3, 1.0))
    positive = jnp.where(k2 > 0, k2, 1)
    large, small = (jnp.asarray(k, jnp.float32) for k in (band.large, band.small))
    gain = jnp.where(k2 > 0, jnp.exp(-(large**2) / positive - (positive / small**2) ** 2), 0)
    return -jnp.asarray(band.alpha, jnp.float32) * acceleration(position, mesh, gain)
