"""Gaussian initial conditions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex64, Float32, Key

from lenscast.cosmology.power import PowerTable
from lenscast.gravity.mesh import ParticleMesh
from lenscast.numerics.fourier import wavenumbers

__all__ = ["linear_field"]


def linear_field(
    key: Key[Array, ""], power: PowerTable, mesh: ParticleMesh, noise_size: int | None = None
) -> Float32[Array, "x y z"]:
    """Linear overdensity today on the particle lattice.

    White noise drawn in real space, times the square root of the power spectrum: phases and amplitudes follow from the
    key alone, so that a derivative with respect to a parameter holds the noise fixed.

    Parameters
    ----------
    key : of the random field.
    power : linear power spectrum today.
    mesh : box and number of particles.
    noise_size : points per side on which the noise is drawn, by default the particles per side. Simulations of
        different numbers of particles with the same key and noise_size have the same large-scale modes.

    Raises
    ------
    ValueError
        If the noise has fewer points than there are particles.
    """
    shape, size = (mesh.particles,) * 3, noise_size or mesh.particles
    if size < mesh.particles:
        raise ValueError(f"noise_size = {size}: give at least the particles per side, {mesh.particles}")
    noise = _truncated(jnp.fft.rfftn(jax.random.normal(key, (size,) * 3, jnp.float32)), mesh.particles)
    k = jnp.sqrt(sum(component**2 for component in wavenumbers(shape, mesh.box_size / mesh.particles)))
    modes_per_volume = (mesh.particles / mesh.box_size) ** 1.5 * (mesh.particles / size) ** 1.5
    return jnp.fft.irfftn(noise * power.root(k) * modes_per_volume, s=shape)


def _truncated(modes: Complex64[Array, "fine fine half_fine"], size: int) -> Complex64[Array, "x y half"]:
    """Modes of a mesh that a coarser mesh of ``size`` points has too; without its Nyquist modes, which mix signs."""
    if modes.shape[0] == size:
        return modes
    half = size // 2
    kept = jnp.concatenate([modes[:half], modes[-half:]])
    kept = jnp.concatenate([kept[:, :half], kept[:, -half:]], axis=1)[:, :, : half + 1]
    return kept.at[half].set(0).at[:, half].set(0).at[:, :, half].set(0)
