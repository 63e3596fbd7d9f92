"""Ray tracing through the lens planes: deflection, shear and rotation, which the Born approximation leaves out.

A ray seen at the angle theta has the comoving transverse position x = chi theta + offset. It runs straight between
planes; at each plane its slope dx/dchi changes by -alpha, with alpha taken at x. The derivative of x with respect to
theta is chi A with the distortion matrix A, and follows from the tidal matrix U. A plane has the strength s, its
convergence per unit overdensity for sources at infinity, and the potential phi with laplacian phi = delta. Then

    alpha = (2 s / chi) grad phi,      U = 2 s grad grad phi,
    A(chi_s) = 1 - sum_i max(1 - chi_i / chi_s, 0) U_i A_i.

So the convergence 1 - tr A / 2 of any sources is the Born sum with the same kernel and with tr(U A) / (2 s) in place of
the overdensity. The mean overdensity of a plane has no periodic potential. It acts as a uniform sheet, which deflects
towards the middle of the field.

Convention: components are (y, x), like the axes of a map; the sky is flat and angles are small. The rays carry only
what deflection adds to straight rays: in float32 the positions and matrices themselves would lose it to rounding. The
fields of one plane are in memory at a time; reverse mode keeps the rays between planes and computes the fields again.

References
----------
Hilbert et al. (2009), arXiv:0809.5035, Sect. 2; Becker (2013), arXiv:1210.3069; Petri, Haiman & May (2017),
arXiv:1612.00852.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from lenscast.lensing.potential import interpolated_fields, plane_fields
from lenscast.lensing.views import View, VisiblePlanes
from lenscast.sections.lightcone import Lightcone

Y, X = 0, 1
"""Components of a vector; rows and columns of a matrix."""

RAY, BY_Y, BY_X = 0, 1, 2
"""What an array [2 3 y x] holds for each component: its value on the ray, its derivatives by theta_y and theta_x."""

MATRIX = slice(BY_Y, None)
"""Both derivatives together, a 2 x 2 matrix."""


class Distortion(NamedTuple):
    """Deflection and distortion of the sky of each source bin.

    Attributes
    ----------
    deflection
        Angle at which the ray is seen minus its true angle, theta - beta [rad]; components (y, x).
    matrix
        Derivative of the deflection with respect to theta, 1 - A; row: component, column: derivative.
    """

    deflection: Float32[Array, "source 2 y x"]
    matrix: Float32[Array, "source 2 2 y x"]

    @property
    def convergence(self) -> Float32[Array, "source y x"]:
        """Convergence kappa = 1 - tr A / 2."""
        return (self.matrix[:, Y, Y] + self.matrix[:, X, X]) / 2

    @property
    def shear(self) -> Float32[Array, "source 2 y x"]:
        """Shear (gamma_1, gamma_2); gamma_1 > 0 stretches images along x, gamma_2 > 0 along y = x."""
        first = (self.matrix[:, X, X] - self.matrix[:, Y, Y]) / 2
        return jnp.stack([first, (self.matrix[:, Y, X] + self.matrix[:, X, Y]) / 2], axis=1)

    @property
    def rotation(self) -> Float32[Array, "source y x"]:
        """Rotation omega [rad], A_yx = -gamma_2 + omega: 0 for a single plane, of second order for several planes."""
        return (self.matrix[:, X, Y] - self.matrix[:, Y, X]) / 2

    @property
    def magnification(self) -> Float32[Array, "source y x"]:
        """Magnification 1 / det A, negative where an image is mirrored."""
        a = self.matrix
        return 1 / ((1 - a[:, Y, Y]) * (1 - a[:, X, X]) - a[:, Y, X] * a[:, X, Y])


class _Bundle(NamedTuple):
    """What deflection adds to straight rays, and its derivatives with respect to theta_y and theta_x."""

    offset: Float32[Array, "2 3 y x"]
    slope: Float32[Array, "2 3 y x"]


class _Lens(NamedTuple):
    """The slab that is a lens plane, and where straight rays cross it."""

    delta: Float32[Array, "mesh mesh"]
    view: View
    chi: Float32[Array, ""]
    across: Float32[Array, " pixel"]
    strength: Float32[Array, ""]


class _Crossing(NamedTuple):
    """Rays behind a plane, the kick that it gave them per 2 s (alpha and U A), and the overdensity that they met."""

    bundle: _Bundle
    kick: Float32[Array, "2 3 y x"]
    matter: Float32[Array, "y x"]


def deflected_sky(
    planes: Float32[Array, "plane axis slab mesh mesh"],
    view: View,
    strength: Float[Array, " plane"],
    lightcone: Lightcone,
) -> VisiblePlanes:
    """What deflected rays meet on each plane; without deflection, both parts are the result of `straight_sky`."""

    def cross(bundle: _Bundle, lens: _Lens) -> tuple[_Bundle, VisiblePlanes]:
        bundle, kick, matter = _cross(bundle, lens, lightcone)
        return bundle, VisiblePlanes(kick[Y, BY_Y] + kick[X, BY_X], matter)  # tr(U A) / (2 s)

    # The checkpoint bounds the memory of reverse mode: it keeps the rays between planes, not the fields of all planes.
    return jax.lax.scan(jax.checkpoint(cross), _straight_rays(lightcone), _lenses(planes, view, strength, lightcone))[1]


def distortion(
    planes: Float32[Array, "plane axis slab mesh mesh"],
    view: View,
    strength: Float[Array, " plane"],
    kernel: Float[Array, "plane source"],
    lightcone: Lightcone,
) -> Distortion:
    """Deflection, convergence, shear and rotation of each source bin, averaged over the sources of the bin.

    Parameters
    ----------
    planes
        Overdensity of the slabs of the box, from `density_planes`.
    view
        How this realisation looks at each plane.
    strength
        Lensing strength s of each plane, from `plane_strength`.
    kernel
        Convergence per unit overdensity of each plane, from `lensing_kernel`.
    lightcone
        Geometry.
    """

    def cross(carry: tuple[_Bundle, Array], crossed: tuple[_Lens, Array]) -> tuple[tuple[_Bundle, Array], None]:
        (bundle, total), (lens, weight) = carry, crossed
        bundle, kick, _ = _cross(bundle, lens, lightcone)
        # the kernel is the mean of s (1 - chi_i / chi_s) over the sources: the sum over planes of A, see above
        return (bundle, total + 2 * weight[:, None, None, None, None] * kick[None]), None

    straight, lenses = _straight_rays(lightcone), _lenses(planes, view, strength, lightcone)
    nothing = jnp.zeros((kernel.shape[1], *straight.offset.shape), jnp.float32)
    crossed = (lenses, kernel.astype(jnp.float32))
    (_, total), _ = jax.lax.scan(jax.checkpoint(cross), (straight, nothing), crossed)
    return Distortion(total[:, :, RAY], total[:, :, MATRIX])


def _straight_rays(lightcone: Lightcone) -> _Bundle:
    """Rays at the observer, which no plane has deflected yet."""
    nothing = jnp.zeros((2, 3, lightcone.pixels, lightcone.pixels), jnp.float32)
    return _Bundle(nothing, nothing)


def _lenses(
    planes: Float32[Array, "plane axis slab mesh mesh"],
    view: View,
    strength: Float[Array, " plane"],
    lightcone: Lightcone,
) -> _Lens:
    """All lens planes, nearest first, to be scanned over; each is one slab of the box."""
    return _Lens(
        delta=planes[jnp.arange(lightcone.planes), view.axis, view.slab],
        view=view,
        chi=jnp.asarray(lightcone.chi, jnp.float32),
        across=jnp.asarray(lightcone.chi[:, None] * lightcone.angles, jnp.float32),
        strength=strength.astype(jnp.float32),
    )


def _cross(bundle: _Bundle, lens: _Lens, lightcone: Lightcone) -> _Crossing:
    """Rays from behind one plane to behind the next."""
    # The first step is half as long, and its length does not matter: the slope is still 0.
    offset = bundle.offset + lightcone.thickness * bundle.slope
    delta, shift = _reflected(lens.delta, lens.view)
    position = jnp.stack(jnp.meshgrid(lens.across, lens.across, indexing="ij")) + offset[:, RAY]
    cells = (position + shift[:, None, None]) * (lightcone.plane_mesh / lightcone.box_size)
    matter, slope_y, slope_x, difference, mixed = interpolated_fields(plane_fields(delta, lightcone), cells)
    # The gradient of the uniform sheet's potential, mean (y^2 + x^2) / 4, comes on top: it is not periodic.
    slope = (jnp.stack([slope_y, slope_x]) + delta.mean() / 2 * position) / lens.chi
    # The trace of grad grad phi is the overdensity itself, mean included, so only two more fields are read.
    tidal = jnp.stack([jnp.stack([matter / 2 + difference, mixed]), jnp.stack([mixed, matter / 2 - difference])])
    bend = offset[:, MATRIX] / lens.chi  # A - 1
    # tidal A = tidal + tidal (A - 1); the product is written out because XLA compiles an einsum 20 times slower
    distorted = tidal + tidal[:, Y, None] * bend[None, Y] + tidal[:, X, None] * bend[None, X]
    kick = jnp.concatenate([slope[:, None], distorted], axis=1)
    return _Crossing(_Bundle(offset, bundle.slope - 2 * lens.strength * kick), kick, matter)


def _reflected(
    delta: Float32[Array, "mesh mesh"], view: View
) -> tuple[Float32[Array, "mesh mesh"], Float32[Array, " 2"]]:
    """A plane after its reflections, and its shift.

    `straight_sky` reflects the rays instead. Here the derivatives of the potential would then need rules for signs.
    """
    for axis in (Y, X):
        # the roll returns mesh point 0 to its place, since -0 = 0 on the periodic mesh
        delta = jnp.where(view.flip[axis], jnp.roll(jnp.flip(delta, axis), 1, axis), delta)
    shift = jnp.where(view.flip, -view.shift, view.shift)
    return jnp.where(view.transpose, delta.T, delta), jnp.where(view.transpose, shift[::-1], shift)
