"""Gaussian initial conditions: the linear density field today on the particle lattice.

The field depends on the parameters through its power spectrum alone. The white noise depends on the key alone, so that
derivatives with respect to parameters hold the noise fixed.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float32, Key

from lenscast.cosmology.power import PowerTable
from lenscast.gravity.domain import SINGLE, Domain
from lenscast.sections.box import ParticleMesh


def linear_field(
    key: Key[Array, ""],
    power: PowerTable,
    mesh: ParticleMesh,
    noise_size: int | None = None,
    domain: Domain = SINGLE,
) -> Float32[Array, "x y z"]:
    """Linear overdensity today on the particle lattice.

    Parameters
    ----------
    key
        Key of the white noise.
    power
        Linear power spectrum today.
    mesh
        Box and number of particles.
    noise_size
        Points per side on which the noise is drawn; the particles per side by default. Simulations with different
        numbers of particles, but the same key and noise_size, have the same large-scale modes.
    domain
        Where the box is. The noise does not depend on it.

    Raises
    ------
    ValueError
        If the noise has fewer points than there are particles.
    """
    size = noise_size or mesh.particles
    if size < mesh.particles:
        raise ValueError(f"noise_size = {size}: give at least the particles per side, {mesh.particles}")
    return field_from_noise(domain.noise(key, size), power, mesh, domain)


def white_noise(key: Key[Array, ""], size: int) -> Float32[Array, "x y z"]:
    """Independent standard normal numbers on a mesh: all that is random in the density field.

    Parameters
    ----------
    key
        Key of the white noise.
    size
        Points per side.
    """
    return SINGLE.noise(key, size)


def field_from_noise(
    noise: Float32[Array, "nx ny nz"], power: PowerTable, mesh: ParticleMesh, domain: Domain = SINGLE
) -> Float32[Array, "x y z"]:
    """Linear overdensity today on the particle lattice, linear in the white noise.

    Parameters
    ----------
    noise
        White noise on a mesh with at least the points of the lattice.
    power
        Linear power spectrum today.
    mesh
        Box and number of particles.
    domain
        Where the box is.
    """
    size = noise.shape[0]
    # noise of variance 1 in real space: Fourier modes come with the symmetry of a real field, Nyquist modes included
    modes = domain.modes(noise, mesh.particles)
    k = jnp.sqrt(sum(component**2 for component in domain.wavenumbers(mesh.particles, mesh.box_size / mesh.particles)))
    # P = <|delta_k|^2> V / particles^6 for transforms without a factor, and <|noise_k|^2> = size^3
    modes_per_volume = (mesh.particles / mesh.box_size) ** 1.5 * (mesh.particles / size) ** 1.5
    return domain.field(modes * power.root(k) * modes_per_volume)
