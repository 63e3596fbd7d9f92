"""Gaussian initial conditions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Key

from lenscast.cosmology.power import PowerTable
from lenscast.gravity.mesh import ParticleMesh
from lenscast.numerics.fourier import wavenumbers

__all__ = ["linear_field"]


def linear_field(key: Key[Array, ""], power: PowerTable, mesh: ParticleMesh) -> Float32[Array, "x y z"]:
    """Linear overdensity today on the particle lattice.

    White noise drawn in real space, times the square root of the power spectrum: phases and amplitudes follow from the
    key alone, so that a derivative with respect to a parameter holds the noise fixed.

    Parameters
    ----------
    key : of the random field.
    power : linear power spectrum today.
    mesh : box and number of particles.
    """
    shape = (mesh.particles,) * 3
    noise = jnp.fft.rfftn(jax.random.normal(key, shape, jnp.float32))
    k = jnp.sqrt(sum(component**2 for component in wavenumbers(shape, mesh.box_size / mesh.particles)))
    modes_per_volume = (mesh.particles / mesh.box_size) ** 1.5
    return jnp.fft.irfftn(noise * power.root(k) * modes_per_volume, s=shape)
