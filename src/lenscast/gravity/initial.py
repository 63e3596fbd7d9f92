"""Gaussian initial conditions: the linear density field today on the particle lattice.

The field depends on the parameters through its power spectrum alone. The white noise depends on the key alone, so that
derivatives with respect to parameters hold the noise fixed.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex64, Float32, Key

from lenscast.cosmology.power import PowerTable
from lenscast.numerics.fourier import wavenumbers
from lenscast.sections.box import ParticleMesh


def linear_field(
    key: Key[Array, ""], power: PowerTable, mesh: ParticleMesh, noise_size: int | None = None
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

    Raises
    ------
    ValueError
        If the noise has fewer points than there are particles.
    """
    shape, size = (mesh.particles,) * 3, noise_size or mesh.particles
    if size < mesh.particles:
        raise ValueError(f"noise_size = {size}: give at least the particles per side, {mesh.particles}")
    # noise of variance 1 in real space: Fourier modes come with the symmetry of a real field, Nyquist modes included
    noise = _truncated(jnp.fft.rfftn(jax.random.normal(key, (size,) * 3, jnp.float32)), mesh.particles)
    k = jnp.sqrt(sum(component**2 for component in wavenumbers(shape, mesh.box_size / mesh.particles)))
    # P = <|delta_k|^2> V / particles^6 for transforms without a factor, and <|noise_k|^2> = size^3
    modes_per_volume = (mesh.particles / mesh.box_size) ** 1.5 * (mesh.particles / size) ** 1.5
    return jnp.fft.irfftn(noise * power.root(k) * modes_per_volume, s=shape)


def _truncated(modes: Complex64[Array, "fine fine half_fine"], size: int) -> Complex64[Array, "x y half"]:
    """Modes of a mesh that a coarser mesh of ``size`` points has too, with its Nyquist modes set to 0.

    A Nyquist mode of the coarser mesh stands for two modes of the finer one, of opposite wavenumbers.
    """
    if modes.shape[0] == size:
        return modes
    half = size // 2
    kept = jnp.concatenate([modes[:half], modes[-half:]])
    kept = jnp.concatenate([kept[:, :half], kept[:, -half:]], axis=1)[:, :, : half + 1]
    return kept.at[half].set(0).at[:, half].set(0).at[:, :, half].set(0)
