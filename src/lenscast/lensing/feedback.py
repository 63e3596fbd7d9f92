"""Baryonic feedback on the lens planes: the suppression of small scales by galaxies and active nuclei.

Convention: in the Limber approximation a mode of a plane with the wavenumber k across the line of sight is a mode of
the matter with this wavenumber. It is multiplied by the square root of the suppression of matter power at k and at the
scale factor of the plane, see `baryon_suppression`. Phases do not change, so effects of feedback beyond the power
spectrum are left out.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from lenscast.cosmology import Cosmology, baryon_suppression
from lenscast.sections.lightcone import Lightcone

KNOTS_PER_DECADE = 32


def with_feedback(
    planes: Float32[Array, "plane axis slab mesh mesh"],
    cosmology: Cosmology,
    log10_T_AGN: Float[Array, ""] | None,
    lightcone: Lightcone,
) -> Float32[Array, "plane axis slab mesh mesh"]:
    """Lens planes with baryonic feedback.

    Parameters
    ----------
    planes
        Overdensity of the slabs of the box, from `density_planes`.
    cosmology
        Cosmology of the planes.
    log10_T_AGN
        Strength of feedback, see `baryon_suppression`; None for dark matter only, which returns the planes as they are.
    lightcone
        Geometry.
    """
    if log10_T_AGN is None:
        return planes
    a = cosmology.distances.scale_factor(jnp.asarray(lightcone.chi))
    k = jnp.asarray(suppression_wavenumbers(lightcone))
    return with_suppressed_power(planes, baryon_suppression(k, a, cosmology, log10_T_AGN), lightcone)


def suppression_wavenumbers(lightcone: Lightcone) -> Float64[np.ndarray, " k"]:
    """Wavenumbers [h/Mpc], even in ln k, from the fundamental mode of a plane to its corner of Fourier space."""
    lowest = 2 * np.pi / lightcone.box_size
    highest = np.sqrt(2) * np.pi * lightcone.plane_mesh / lightcone.box_size
    return np.geomspace(lowest, highest, 2 + int(KNOTS_PER_DECADE * np.log10(highest / lowest)))


def with_suppressed_power(
    planes: Float32[Array, "plane axis slab mesh mesh"], suppression: Float[Array, "plane k"], lightcone: Lightcone
) -> Float32[Array, "plane axis slab mesh mesh"]:
    """Lens planes whose power is multiplied by a function of wavenumber.

    Parameters
    ----------
    planes
        Overdensity of the slabs of the box, from `density_planes`.
    suppression
        Factor of the power of each plane, at `suppression_wavenumbers`.
    lightcone
        Geometry.
    """
    size, knots = lightcone.plane_mesh, np.log(suppression_wavenumbers(lightcone))
    frequency = 2 * np.pi * lightcone.plane_mesh / lightcone.box_size
    k = np.hypot(frequency * np.fft.fftfreq(size)[:, None], frequency * np.fft.rfftfreq(size))
    # Where each mode lies between the knots is the same for all planes and cosmologies, hence a constant of NumPy. The
    # mode k = 0, the mean of a plane, takes the factor of the first knot.
    position = np.clip((np.log(np.maximum(k, 1e-9)) - knots[0]) / (knots[1] - knots[0]), 0, len(knots) - 1)
    left = np.minimum(position.astype(np.int32), len(knots) - 2)
    share = (position - left).astype(np.float32)

    def filtered(plane: tuple[Float32[Array, "axis slab mesh mesh"], Float32[Array, " k"]]) -> Array:
        density, amplitude = plane
        factor = amplitude[left] + share * (amplitude[left + 1] - amplitude[left])
        return jnp.fft.irfft2(jnp.fft.rfft2(density) * factor[None, None], s=(size, size))

    # a loop over planes: the Fourier transforms of one plane are in memory at a time
    return jax.lax.map(filtered, (planes, jnp.sqrt(suppression).astype(jnp.float32)))
