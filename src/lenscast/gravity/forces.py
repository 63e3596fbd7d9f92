"""Particle-mesh gravity: the acceleration of particles from their own density.

Convention: the acceleration is -grad phi with laplacian phi = delta, in Mpc/h. Cosmology enters where the equations of
motion multiply it, in `nbody` and `integrators`.
"""

import jax.numpy as jnp
from jaxtyping import Array, Complex64, Float32

from lenscast.gravity.domain import SINGLE, Domain
from lenscast.sections.box import ParticleMesh


def acceleration(
    position: Float32[Array, "3 particle"],
    mesh: ParticleMesh,
    gain: Float32[Array, "x y half"] | None = None,
    domain: Domain = SINGLE,
) -> Float32[Array, "3 particle"]:
    """Acceleration -grad phi at the particles, laplacian phi = delta [Mpc/h].

    Parameters
    ----------
    position
        Comoving positions [Mpc/h].
    mesh
        Box, number of particles and force mesh.
    gain
        Factor of each mode of the potential, for corrections.
    domain
        Where the box is.

    References
    ----------
    Hockney & Eastwood (1988), Chap. 5; 4-point gradient: Feng et al. (2016), arXiv:1603.00476.
    """
    # This is 1 + delta: particles per cell over their mean, 1 / mesh_factor^3. `inverse_laplacian` drops the mean.
    density = domain.paint(position, mesh.box_size, mesh.mesh_size) * float(mesh.mesh_factor**3)
    potential = inverse_laplacian(domain.modes(density), mesh, domain)
    if gain is not None:
        potential = potential * gain
    # The windows of painting and of reading stay in the force, sinc^4 for a plane wave along an axis. The same cloud
    # serves both, so that no particle pulls itself; the correction HPN undoes the windows.
    if mesh.gradient == "spectral":
        field = -spectral_gradient(potential, mesh, domain)
    else:
        field = -_finite_difference(domain.field(potential), mesh.cell_size, domain)
    return domain.read(field, position, mesh.box_size)


def inverse_laplacian(
    density: Complex64[Array, "x y half"], mesh: ParticleMesh, domain: Domain = SINGLE
) -> Complex64[Array, "x y half"]:
    """Fourier transform of phi, laplacian phi = delta; its mean is 0.

    Parameters
    ----------
    density
        ``rfftn`` of delta, or of 1 + delta, on a cubic mesh; the last axis is halved.
    mesh
        Gives the size of the box [Mpc/h].
    domain
        Where the box is.
    """
    points = density.shape[0]
    squared = sum(k**2 for k in domain.wavenumbers(points, mesh.box_size / points))
    # the inner `where` keeps 1 / 0 out of the derivative, where it would become 0 * infinity = NaN
    return density * jnp.where(squared > 0, -1 / jnp.where(squared > 0, squared, 1), 0)


def spectral_gradient(
    field: Complex64[Array, "x y half"], mesh: ParticleMesh, domain: Domain = SINGLE
) -> Float32[Array, "x y z 3"]:
    """Gradient of a field on a cubic mesh, component last, from its ``rfftn``.

    Parameters
    ----------
    field
        ``rfftn`` of the field.
    mesh
        Gives the size of the box [Mpc/h].
    domain
        Where the box is.
    """
    points = field.shape[0]
    wavevector = gradient_wavenumbers(points, mesh.box_size / points, domain)
    # components last: `read` fetches the three components of a cell from one place in memory
    return jnp.stack([domain.field(1j * k * field) for k in wavevector], axis=-1)


def gradient_wavenumbers(points: int, spacing: float, domain: Domain = SINGLE) -> tuple[Float32[Array, "..."], ...]:
    """Wavenumbers along each axis of a cubic mesh's ``rfftn``, with 0 at Nyquist [h/Mpc].

    On an even mesh the wavenumbers +k and -k of Nyquist are one mode. Their derivatives i k and -i k cancel.

    Parameters
    ----------
    points
        Mesh points per side.
    spacing
        Distance of mesh points [Mpc/h].
    domain
        Where the box is.
    """
    nyquist = jnp.pi / spacing * (1 - 1e-6)  # float32 rounds wavenumbers by 6e-8
    return tuple(jnp.where(jnp.abs(k) < nyquist, k, 0) for k in domain.wavenumbers(points, spacing))


def _finite_difference(field: Float32[Array, "x y z"], spacing: float, domain: Domain) -> Float32[Array, "x y z 3"]:
    """Fourth-order central difference of a periodic field."""
    # [8 (f_(i+1) - f_(i-1)) - (f_(i+2) - f_(i-2))] / (12 d) = f' + O(d^4)
    components = [8 * domain.difference(field, axis, 1) - domain.difference(field, axis, 2) for axis in range(3)]
    return jnp.stack(components, axis=-1) / (12 * spacing)
