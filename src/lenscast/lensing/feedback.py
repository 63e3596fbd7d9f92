"""Baryonic feedback on the lens planes: it takes power from small scales.

Convention: a plane's mode with the wavenumber k across the line of sight is that of the matter with this wavenumber
(Limber), and is multiplied by the square root of the suppression of power at k and at the plane's scale factor. Phases
stay: what feedback does beyond the power spectrum is not in it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from lenscast.cosmology import Cosmology, baryon_suppression
from lenscast.lensing.lightcone import Lightcone

__all__ = ["suppressed", "suppression_wavenumbers", "with_feedback"]

KNOTS_PER_DECADE = 32


def with_feedback(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    cosmology: Cosmology,
    log10_T_AGN: Float[Array, ""] | None,
    lightcone: Lightcone,
) -> Float32[Array, "plane 3 slab mesh mesh"]:
    """Lens planes with the feedback of baryons.

    Parameters
    ----------
    planes : overdensity of the slabs of the box, from `density_planes`.
    cosmology : that of the planes.
    log10_T_AGN : strength of feedback, see `baryon_suppression`; None for none.
    lightcone : geometry.
    """
    if log10_T_AGN is None:
        return planes
    a = cosmology.distances.scale_factor(jnp.asarray(lightcone.chi))
    k = jnp.asarray(suppression_wavenumbers(lightcone))
    return suppressed(planes, baryon_suppression(k, a, cosmology, log10_T_AGN), lightcone)


def suppression_wavenumbers(lightcone: Lightcone) -> Float64[np.ndarray, " k"]:
    """Wavenumbers [h/Mpc], evenly spaced in ln k, that span those of the planes' modes."""
    lowest = 2 * np.pi / lightcone.box_size
    highest = np.sqrt(2) * np.pi * lightcone.plane_mesh / lightcone.box_size
    return np.geomspace(lowest, highest, 2 + int(KNOTS_PER_DECADE * np.log10(highest / lowest)))


def suppressed(
    planes: Float32[Array, "plane 3 slab mesh mesh"], suppression: Float[Array, "plane k"], lightcone: Lightcone
) -> Float32[Array, "plane 3 slab mesh mesh"]:
    """Lens planes whose power is multiplied by a function of wavenumber.

    Parameters
    ----------
    planes : overdensity of the slabs of the box, from `density_planes`.
    suppression : of the power of each plane, at `suppression_wavenumbers`.
    lightcone : geometry.
    """
    size, knots = lightcone.plane_mesh, np.log(suppression_wavenumbers(lightcone))
    frequency = 2 * np.pi * lightcone.plane_mesh / lightcone.box_size
    k = np.hypot(frequency * np.fft.fftfreq(size)[:, None], frequency * np.fft.rfftfreq(size))
    position = np.clip((np.log(np.maximum(k, 1e-9)) - knots[0]) / (knots[1] - knots[0]), 0, len(knots) - 1)
    left = np.minimum(position.astype(np.int32), len(knots) - 2)
    share = (position - left).astype(np.float32)

    def filtered(plane: tuple[Float32[Array, "3 slab mesh mesh"], Float32[Array, " k"]]) -> Array:
        density, amplitude = plane
        factor = amplitude[left] + share * (amplitude[left + 1] - amplitude[left])
        return jnp.fft.irfft2(jnp.fft.rfft2(density) * factor[None, None], s=(size, size))

    return jax.lax.map(filtered, (planes, jnp.sqrt(suppression).astype(jnp.float32)))
