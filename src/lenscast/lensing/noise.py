"""Shape noise: the scatter of galaxies' intrinsic ellipticities, without correlations in a convergence map."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Key

__all__ = ["shape_noise", "shape_noise_rms"]


def shape_noise_rms(sigma_e: float, n_gal: float, pixel_arcmin: float) -> float:
    """Rms of the shape noise per pixel, sigma_e / sqrt(n_gal A_pix).

    Parameters
    ----------
    sigma_e : rms ellipticity per component.
    n_gal : galaxies per arcmin^2.
    pixel_arcmin : side of a pixel [arcmin].

    References: van Waerbeke (2000), astro-ph/9909160.
    """
    return float(sigma_e / (n_gal**0.5 * pixel_arcmin))


def shape_noise(
    key: Key[Array, ""], shape: tuple[int, ...], rms: Float32[Array, "source _ _"]
) -> Float32[Array, "source y x"]:
    """One realisation of Gaussian noise without correlations.

    Parameters
    ----------
    key : of the noise.
    shape : of the maps, (source, y, x).
    rms : per pixel, of each source.
    """
    return rms * jax.random.normal(key, shape, jnp.float32)
