"""Lens planes cut from a periodic box, and the windows through which maps see them.

Convention: plane i is a slab of the box, box_size / slabs_per_box thick and centred on chi_i = (i + 1/2) thickness. The
distances stay on this grid in every cosmology. Cosmology changes the scale factor a_i at which the box is cut, and the
derivative of a plane includes this change of a_i.

Windows: particles are clouds of one plane cell d, and a pixel takes the bilinear interpolation of the plane at its
centre (`lenscast.lensing.sky`). Together they multiply a mode (k_x, k_y) of a plane by
[sinc(k_x d / 2) sinc(k_y d / 2)]^4 with sinc(x) = sin(x) / x; `plane_window` averages its square over directions.
"""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

from lenscast.cosmology import Cosmology
from lenscast.gravity import Method, Particles, nbody, paint_slabs
from lenscast.sections.lightcone import Lightcone


def density_planes(
    initial: Particles,
    a_start: float,
    cosmology: Cosmology,
    method: Method,
    lightcone: Lightcone,
    adjoint: diffrax.AbstractAdjoint | None = None,
    axis: Int[Array, " plane"] | None = None,
) -> Float32[Array, "plane axis slab mesh mesh"]:
    """Overdensity of all slabs of the box, along its three axes, when the light crosses each plane.

    The solver paints the planes while it runs, so that memory never holds snapshots. Where one axis of each plane is
    asked for, particles are kept and painted afterwards: reverse mode is then a third faster with few of them.

    Parameters
    ----------
    initial
        Particles at the scale factor a_start.
    a_start
        Scale factor of the start.
    cosmology
        Cosmology, which sets the scale factor a(chi_i) of each plane.
    method
        How the particles move: mesh, integrator and correction of small scales.
    lightcone
        Planes; their box must be the box of the mesh.
    adjoint
        How diffrax differentiates the solve, see `nbody`.
    axis
        The only axis of each plane that is painted, on one device; all three by default.

    Returns
    -------
    planes
        Overdensity by plane (nearest first), axis of the box along the line of sight, slab, and mesh point. Where
        ``axis`` is given, that axis alone.

    Raises
    ------
    ValueError
        If lightcone and mesh have different boxes.
    """
    mesh = method.mesh
    if lightcone.box_size != mesh.box_size:
        raise ValueError(
            f"the box of the lightcone has {lightcone.box_size} Mpc/h, the box of the mesh {mesh.box_size} Mpc/h; "
            "planes are cut from the box of the mesh: give both the same box_size"
        )
    resolution = (mesh.box_size, lightcone.plane_mesh, lightcone.slabs_per_box, mesh.cell_size)
    a_planes = cosmology.distances.scale_factor(jnp.asarray(lightcone.chi))

    def project(particles: Particles) -> Float32[Array, "3 slab mesh mesh"]:
        # The clouds have the width of a force cell along the line of sight: a particle then passes smoothly from slab
        # to slab. With a sharp edge the derivative of a plane would miss particles that cross it.
        return method.domain.paint_slabs(method.position(particles), *resolution)

    def project_one(snapshot: tuple[Float32[Array, "3 particle"], Int[Array, ""]]) -> Array:
        position, first = snapshot
        return paint_slabs(position[(first + jnp.arange(3)) % 3], *resolution, axes=1)

    # Time runs forward in the solver and light comes from the past: the farthest plane is painted first.
    times = jnp.concatenate([jnp.array([a_start]), a_planes[::-1]])
    save = project if axis is None else method.position
    outputs = nbody(initial, times, cosmology, method, save=save, adjoint=adjoint)[::-1]
    return outputs if axis is None else jax.lax.map(project_one, (outputs, axis))


def plane_window(
    ell: Float[np.ndarray, "*shape"], chi: float, lightcone: Lightcone, directions: int = 64
) -> Float[np.ndarray, "*shape"]:
    """Suppression of the power spectrum of a plane by its windows, averaged over the direction of the multipole.

    Theory compares with measured maps after the contribution of each plane is multiplied by this window at
    k = ell / chi.

    Parameters
    ----------
    ell
        Multipoles.
    chi
        Comoving distance of the plane [Mpc/h].
    lightcone
        Lightcone, whose plane cell sets the window.
    directions
        Number of directions in the average.
    """
    # a quadrant: the window does not change with the signs of k_x and k_y
    angle = (np.arange(directions) + 0.5) * (np.pi / 2 / directions)
    # k d / (2 pi), since numpy's sinc(x) is sin(pi x) / (pi x)
    half_cells = np.asarray(ell)[..., None] / chi * lightcone.box_size / lightcone.plane_mesh / 2 / np.pi
    mode = np.sinc(half_cells * np.cos(angle)) * np.sinc(half_cells * np.sin(angle))
    # a cloud and an interpolation, two powers of sinc each, and the square that makes power of a mode
    return (mode**8).mean(axis=-1)
