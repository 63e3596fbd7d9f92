"""The lightcone: lens planes cut from a periodic box, and how the sky sees them.

Convention: plane i is a slab of the box, box_size / slabs_per_box thick and centred on chi_i = (i + 1/2) thickness. The
distances stay on this grid whatever the cosmology; what moves with it is the scale factor a_i at which the box is cut,
and the derivative of a plane includes that motion. The sky is flat: a pixel at the angle theta looks at the transverse
position chi_i theta of each plane.

Windows: particles are clouds of one plane cell d, and a pixel takes the bilinear interpolation of the plane at its
centre. Together they multiply a mode (k_x, k_y) of a plane by [sinc(k_x d / 2) sinc(k_y d / 2)]^4 with
sinc(x) = sin(x) / x; `plane_window` gives it. No pixel window enters.
"""

from dataclasses import dataclass

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Key

from lenscast.cosmology import Cosmology
from lenscast.gravity import Correction, Integrator, ParticleMesh, Particles, nbody, paint_slabs

__all__ = ["Lightcone", "Orientation", "density_planes", "orientation", "plane_window", "sky"]


@dataclass(frozen=True)
class Lightcone:
    """Geometry of planes and maps.

    Attributes
    ----------
    box_size : comoving side of the periodic box [Mpc/h].
    slabs_per_box : slabs into which each axis of the box is cut.
    planes : lens planes from the observer on.
    plane_mesh : mesh points per side of a plane.
    field_deg : side of the square field [deg].
    pixels : pixels per side of the field.

    Raises
    ------
    ValueError
        If a number is not positive.
    """

    box_size: float
    slabs_per_box: int
    planes: int
    plane_mesh: int
    field_deg: float
    pixels: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} = {value}: give a positive number")

    @property
    def thickness(self) -> float:
        """Thickness of a plane [Mpc/h]."""
        return self.box_size / self.slabs_per_box

    @property
    def chi(self) -> Float[np.ndarray, " plane"]:
        """Comoving distance to the middle of each plane, nearest first [Mpc/h]."""
        return (np.arange(self.planes) + 0.5) * self.thickness

    @property
    def angles(self) -> Float[np.ndarray, " pixel"]:
        """Angle of pixel centres from the middle of the field, along one side [rad]."""
        return np.deg2rad(self.field_deg) * ((np.arange(self.pixels) + 0.5) / self.pixels - 0.5)


class Orientation(eqx.Module):
    """How one realisation of the sky sees each plane.

    Attributes
    ----------
    axis : axis of the box along the line of sight.
    slab : slab along this axis.
    transposed, flipped : reflections on the diagonal and on both axes: with the axes, 24 views of the box.
    shift : periodic shift across the line of sight [Mpc/h].
    """

    axis: Int[Array, " plane"]
    slab: Int[Array, " plane"]
    transposed: Bool[Array, " plane"]
    flipped: Bool[Array, "plane 2"]
    shift: Float32[Array, "plane 2"]


def orientation(key: Key[Array, ""], lightcone: Lightcone) -> Orientation:
    """Draw axis, slab, rotation, reflection and shift of each plane, independently.

    Parameters
    ----------
    key : of this realisation.
    lightcone : number of planes and slabs, size of the box.

    References: Petri, Haiman & May (2016), arXiv:1601.06792.
    """
    keys = jax.random.split(key, 5)
    planes = (lightcone.planes,)
    return Orientation(
        axis=jax.random.randint(keys[0], planes, 0, 3, jnp.int32),
        slab=jax.random.randint(keys[1], planes, 0, lightcone.slabs_per_box, jnp.int32),
        transposed=jax.random.bernoulli(keys[2], 0.5, planes),
        flipped=jax.random.bernoulli(keys[3], 0.5, (*planes, 2)),
        shift=jax.random.uniform(keys[4], (*planes, 2), jnp.float32, 0.0, lightcone.box_size),
    )


def density_planes(
    initial: Particles,
    a_start: float,
    cosmology: Cosmology,
    mesh: ParticleMesh,
    integrator: Integrator,
    lightcone: Lightcone,
    correction: Correction | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float32[Array, "plane 3 slab mesh mesh"]:
    """Overdensity of all slabs of the box, along its three axes, when the light crosses each plane.

    Planes are painted while the solver runs, so that memory never holds snapshots.

    Parameters
    ----------
    initial : particles at a_start.
    a_start : scale factor of the start.
    cosmology : sets the scale factor a(chi_i) of each plane.
    mesh : box, number of particles and force mesh.
    integrator : time integration.
    lightcone : planes; its box must be that of the mesh.
    correction : of small scales, see `nbody`.
    adjoint : how diffrax differentiates the solve, see `nbody`.

    Raises
    ------
    ValueError
        If the boxes differ.
    """
    if lightcone.box_size != mesh.box_size:
        raise ValueError(f"the lightcone's box of {lightcone.box_size} Mpc/h is not the mesh's of {mesh.box_size}")
    a_planes = cosmology.distances.scale_factor(jnp.asarray(lightcone.chi))

    def project(particles: Particles) -> Float32[Array, "3 slab mesh mesh"]:
        position = particles.position(mesh)
        return paint_slabs(position, mesh.box_size, lightcone.plane_mesh, lightcone.slabs_per_box, mesh.cell_size)

    times = jnp.concatenate([jnp.array([a_start]), a_planes[::-1]])
    planes = nbody(initial, times, cosmology, mesh, integrator, correction, save=project, adjoint=adjoint)
    return planes[::-1]


def sky(
    planes: Float32[Array, "plane 3 slab mesh mesh"], view: Orientation, lightcone: Lightcone
) -> Float32[Array, "plane y x"]:
    """Overdensity of each plane as one realisation of the sky sees it, at pixel centres.

    Parameters
    ----------
    planes : overdensity of the slabs of the box, from `density_planes`.
    view : orientation of each plane.
    lightcone : geometry.
    """
    size = lightcone.plane_mesh
    across = jnp.asarray(lightcone.chi[:, None] * lightcone.angles, jnp.float32)
    signs = jnp.where(view.flipped, -1, 1).astype(jnp.float32)
    cells = (signs[..., None] * across[:, None, :] + view.shift[..., None]) * (size / lightcone.box_size)
    floor = jnp.floor(cells)
    share = cells - floor
    home = jnp.mod(floor.astype(jnp.int32), size)
    beyond = jnp.where(home == size - 1, 0, home + 1)

    def interpolated(number: Int[Array, ""]) -> Float32[Array, "y x"]:
        plane = planes[number, view.axis[number], view.slab[number]]
        for axis in (0, 1):  # rows lie side by side in memory, columns do not
            here, next_ = (plane[cell[number, axis]] for cell in (home, beyond))
            plane = (here + share[number, axis][:, None] * (next_ - here)).T
        return jax.lax.cond(view.transposed[number], jnp.transpose, lambda seen: seen, plane)

    return jax.lax.map(interpolated, jnp.arange(len(lightcone.chi)))  # one plane fits the cache: 3 times faster


def plane_window(
    ell: Float[np.ndarray, "*shape"], chi: float, lightcone: Lightcone, directions: int = 64
) -> Float[np.ndarray, "*shape"]:
    """Suppression of the power spectrum of a plane by its windows, averaged over the direction of the multipole.

    Multiply the theory of each plane's contribution with it, at k = ell / chi, to compare with measured maps.

    Parameters
    ----------
    ell : multipoles.
    chi : comoving distance of the plane [Mpc/h].
    lightcone : gives the plane's cell.
    directions : directions to average over.
    """
    angle = (np.arange(directions) + 0.5) * (np.pi / 2 / directions)
    half_cells = np.asarray(ell)[..., None] / chi * lightcone.box_size / lightcone.plane_mesh / 2 / np.pi
    mode = np.sinc(half_cells * np.cos(angle)) * np.sinc(half_cells * np.sin(angle))
    return (mode**8).mean(axis=-1)
