"""Two-point correlation functions of convergence maps, averaged over all views of a box.

A view shifts each plane by a uniform vector of its own, and looks at it along a random axis, in a random slab, with
random reflections (`lenscast.lensing.views`). In the Born approximation, kappa_a = sum_p q_ap delta_p, the mean over
views of a product of kappa at two pixels is known without drawing one: products of different planes vanish, since their
shifts are independent and the overdensity has no mean, and each plane keeps its own correlation function,

    <kappa_a(theta) kappa_b(theta + d)> = sum_p q_ap q_bp xi_p(chi_p d).

The correlation R of mesh points n apart is the Fourier transform of |delta_p(k)|^2. A pixel takes the bilinear
interpolation of the plane, a sum over mesh points with the triangle function Lambda, so that the mean over shifts is

    xi_p(r) = sum_n R(n) (Lambda * Lambda)(r / dx - n),

and Lambda * Lambda is the cubic B-spline, which reaches 2 mesh points far. This is exact, aliases included: each
measured spectrum is a sum over lags d of the correlation function with weights that geometry gives
(`PowerSpectrum.from_correlation`). Rays that planes deflect have no such mean.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from lenscast.lensing.kernels import Kernels
from lenscast.sections.lightcone import Lightcone

__all__ = ["convergence_correlation", "plane_correlation"]


def plane_correlation(
    planes: Float32[Array, "plane 3 slab mesh mesh"], lightcone: Lightcone
) -> Float64[Array, "plane lag lag"]:
    """Correlation function xi_p of each plane at the lags 0, 1, ... pixels along y and x, averaged over all views.

    Reflections make it even along both axes and symmetric.

    Parameters
    ----------
    planes
        Overdensity of the slabs of the box, from `density_planes`.
    lightcone
        Geometry.
    """
    size = lightcone.plane_mesh
    # lags in cells of the plane, and the four mesh points around each that the spline reaches
    lag = lightcone.chi[:, None] * np.deg2rad(lightcone.field_deg) / lightcone.pixels * np.arange(lightcone.pixels)
    cells = lag * size / lightcone.box_size
    nodes = np.floor(cells)[:, None].astype(np.int32) + np.arange(-1, 3)[:, None]
    weights = jnp.asarray(_cubic_spline(cells[:, None] - nodes))
    nodes = jnp.asarray(nodes % size)

    def at_lags(
        plane: tuple[Float32[Array, "3 slab mesh mesh"], Array, Array],
    ) -> Float64[Array, "lag lag"]:
        density, node, weight = plane
        modes = jnp.fft.rfft2(density)
        power = jnp.mean(modes.real**2 + modes.imag**2, axis=(0, 1)) / size**2
        mesh = jnp.fft.irfft2(power, s=(size, size)).astype(jnp.float64)
        # even as a whole already: one reflection makes it even along both axes
        mesh = (mesh + jnp.roll(mesh[::-1], 1, axis=0)) / 2
        for _ in range(2):
            mesh = jnp.einsum("tl,tlm->ml", weight, mesh[node])
        return (mesh + mesh.T) / 2

    return jax.lax.map(at_lags, (planes, nodes, weights))


def convergence_correlation(
    correlation: Float64[Array, "plane lag lag"], kernels: Kernels
) -> Float64[Array, "pair lag lag"]:
    """Correlation functions of the maps of all pairs of sources, sum_p q_ap q_bp xi_p.

    Pairs run as those of `limber_sum`.

    Parameters
    ----------
    correlation
        Correlation functions of the planes, from `plane_correlation`.
    kernels
        Kernels of the planes; alignments see the same overdensity as lensing.
    """
    kernel = kernels.lensing + kernels.alignment
    first, second = np.triu_indices(kernel.shape[1])
    return jnp.einsum("pi,pyx->iyx", kernel[:, first] * kernel[:, second], correlation)


def _cubic_spline(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Cubic B-spline, the convolution of two triangle functions of unit width."""
    distance = np.abs(x)
    near, far = 2 / 3 - distance**2 * (1 - distance / 2), np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far)
