r"""Potential gradient descent: after the steps, particles are displaced along the force of a band of wavenumbers.

    S = alpha grad phi_F,    phi_F = F(k) phi,    F = exp(-(k_l / k)^2) exp(-(k / k_s)^4),    laplacian phi = delta,

so that negative alpha contracts haloes. Convention: wavenumbers in units of the force mesh, k cell_size, and parameters
as functions of how nonlinear the density is on the scale of the mesh (`nonlinearity`): this carries them from one
resolution to another. `pgd_fit` fits them.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from lenscast.corrections.network import nonlinearity
from lenscast.cosmology import Cosmology
from lenscast.gravity.domain import SINGLE, Domain
from lenscast.gravity.forces import acceleration
from lenscast.gravity.nbody import Method
from lenscast.sections.box import Integrator, ParticleMesh


class Band(NamedTuple):
    """Parameters of a displacement.

    Attributes
    ----------
    alpha
        Amplitude, negative.
    large, small
        Wavenumbers k_l and k_s, times the cell of the force mesh.
    """

    alpha: Float[Array, "..."]
    large: Float[Array, "..."]
    small: Float[Array, "..."]


class PGD(eqx.Module):
    """Displacement of particles towards the density that a particle mesh misses.

    Attributes
    ----------
    ln_sigma
        `nonlinearity` at which bands were fitted, increasing.
    bands
        Bands fitted there. Between two of them the logarithms of their parameters are linear in ln sigma; beyond the
        first and the last, these two hold.

    References
    ----------
    Dai, Feng & Seljak (2018), arXiv:1804.00671, Eqs. 4 to 8.
    """

    ln_sigma: Float32[Array, " knot"]
    bands: Band

    def band(self, ln_sigma: Float32[Array, ""]) -> Band:
        """The band at a nonlinearity.

        Parameters
        ----------
        ln_sigma
            `nonlinearity` of a simulation at one scale factor.
        """
        alpha, large, small = (
            jnp.exp(jnp.interp(ln_sigma, self.ln_sigma, jnp.log(jnp.abs(values)))) for values in self.bands
        )
        return Band(-alpha, large, small)

    def method(
        self,
        mesh: ParticleMesh,
        integrator: Integrator,
        cosmology: Cosmology,
        domain: Domain = SINGLE,
        field: Float32[Array, "x y z"] | None = None,
    ) -> Method:
        """Method of a simulation whose outputs are displaced, by the cosmology, whatever the field of a box."""
        return Method(mesh, integrator, displacement=_Displacement(self, cosmology, mesh, domain), domain=domain)


class _Displacement(eqx.Module):
    """Displacement to add to the positions [Mpc/h], in a simulation of one cosmology on one mesh."""

    pgd: PGD
    cosmology: Cosmology
    mesh: ParticleMesh = eqx.field(static=True)
    domain: Domain = eqx.field(static=True)

    def __call__(self, position: Float32[Array, "3 particle"], a: Float32[Array, ""]) -> Float32[Array, "3 particle"]:
        band = self.pgd.band(nonlinearity(self.cosmology, self.mesh)(jnp.log(a)))
        return pgd_displacement(position, band, self.mesh, self.domain)


def pgd_displacement(
    position: Float32[Array, "3 particle"], band: Band, mesh: ParticleMesh, domain: Domain = SINGLE
) -> Float32[Array, "3 particle"]:
    """Displacement of particles by one band [Mpc/h]."""
    k2 = sum(k**2 for k in domain.wavenumbers(mesh.mesh_size, 1.0))  # spacing 1: wavenumbers times the cell
    positive = jnp.where(k2 > 0, k2, 1)  # the mode k = 0 has no force, and 1 / 0 would make its derivative NaN
    large, small = (jnp.asarray(k, jnp.float32) for k in (band.large, band.small))
    gain = jnp.where(k2 > 0, jnp.exp(-(large**2) / positive - (positive / small**2) ** 2), 0)
    # `acceleration` is -grad phi_F, hence the sign
    return -jnp.asarray(band.alpha, jnp.float32) * acceleration(position, mesh, gain, domain)
