"""Ray tracing through the lens planes: what the Born approximation leaves out, on a flat sky with small angles.

A ray seen at the angle theta has the comoving transverse position x = chi theta + offset. It runs straight between
planes, and at each its slope changes by -alpha, read at x. Its derivative by theta, chi times the distortion matrix A,
follows with the tidal matrix U. With the strength s of a plane, its convergence per unit overdensity for sources at
infinity, and the potential laplacian phi = delta of the periodic plane,

    alpha = (2 s / chi) grad phi,  U = 2 s grad grad phi,
    A(chi_s) = 1 - sum_i max(1 - chi_i / chi_s, 0) U_i A_i.

So the convergence of any sources is the sum over planes of the Born approximation, with the same weights and with
tr(U A) / (2 s) in place of the overdensity. The mean of a plane, which a periodic potential does not know, is a uniform
sheet that deflects towards the middle of the field.

Convention: components are (y, x), like the axes of a map. All that is carried is what deflection adds to straight rays;
positions and matrices themselves would lose it to rounding. One plane's fields are in memory at a time; reverse mode
keeps the rays between planes and makes the fields again.

References: Hilbert et al. (2009), arXiv:0809.5035, Sect. 2; Becker (2013), arXiv:1210.3069; Petri, Haiman & May (2017),
arXiv:1612.00852.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Int

from lenscast.lensing.born import Seen
from lenscast.lensing.lightcone import Lightcone, Orientation
from lenscast.numerics.fourier import wavenumbers

__all__ = ["Distortion", "deflected_sky", "distortion"]


class Distortion(NamedTuple):
    """How the sky of each source is deflected and distorted.

    Attributes
    ----------
    deflection : seen less true angle, theta - beta [rad]; components (y, x).
    matrix : its derivative by the seen angle, 1 - A, index of the component first.
    """

    deflection: Float32[Array, "source 2 y x"]
    matrix: Float32[Array, "source 2 2 y x"]

    @property
    def convergence(self) -> Float32[Array, "source y x"]:
        """Convergence kappa = 1 - tr A / 2."""
        return (self.matrix[:, 0, 0] + self.matrix[:, 1, 1]) / 2

    @property
    def shear(self) -> Float32[Array, "source 2 y x"]:
        """Shear (gamma_1, gamma_2); gamma_1 > 0 stretches images along x, gamma_2 > 0 along y = x."""
        first = (self.matrix[:, 1, 1] - self.matrix[:, 0, 0]) / 2
        return jnp.stack([first, (self.matrix[:, 0, 1] + self.matrix[:, 1, 0]) / 2], axis=1)

    @property
    def rotation(self) -> Float32[Array, "source y x"]:
        """Rotation omega [rad], A_yx = -gamma_2 + omega: 0 for a single plane, of second order for more."""
        return (self.matrix[:, 1, 0] - self.matrix[:, 0, 1]) / 2

    @property
    def magnification(self) -> Float32[Array, "source y x"]:
        """Magnification 1 / det A, negative where an image is mirrored."""
        a = self.matrix
        return 1 / ((1 - a[:, 0, 0]) * (1 - a[:, 1, 1]) - a[:, 0, 1] * a[:, 1, 0])


class _Bundle(NamedTuple):
    """What deflection adds to straight rays: to themselves, and to their derivatives by theta_y and theta_x."""

    offset: Float32[Array, "2 3 y x"]
    slope: Float32[Array, "2 3 y x"]


class _Lens(NamedTuple):
    """A plane as the sky sees it, and where straight rays cross it."""

    delta: Float32[Array, "mesh mesh"]
    view: Orientation
    chi: Float32[Array, ""]
    across: Float32[Array, " pixel"]
    strength: Float32[Array, ""]


def deflected_sky(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    view: Orientation,
    strength: Float[Array, " plane"],
    lightcone: Lightcone,
) -> Seen:
    """Overdensity of each plane as deflected rays meet it; `sky` without deflection.

    Parameters
    ----------
    planes : overdensity of the slabs of the box, from `density_planes`.
    view : orientation of each plane.
    strength : convergence per unit overdensity of each plane, for sources at infinity.
    lightcone : geometry.
    """

    def cross(bundle: _Bundle, lens: _Lens) -> tuple[_Bundle, Seen]:
        bundle, kick, matter = _cross(bundle, lens, lightcone)
        return bundle, Seen(kick[0, 1] + kick[1, 2], matter)

    return jax.lax.scan(jax.checkpoint(cross), _straight(lightcone), _lenses(planes, view, strength, lightcone))[1]


def distortion(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    view: Orientation,
    strength: Float[Array, " plane"],
    weights: Float[Array, "plane source"],
    lightcone: Lightcone,
) -> Distortion:
    """Deflection, convergence, shear and rotation of each source; means over the sources of a distribution.

    Parameters
    ----------
    planes : overdensity of the slabs of the box, from `density_planes`.
    view : orientation of each plane.
    strength : convergence per unit overdensity of each plane, for sources at infinity.
    weights : convergence per unit overdensity of each plane and source, from `lensing_weights`.
    lightcone : geometry.
    """

    def cross(carry: tuple[_Bundle, Array], crossed: tuple[_Lens, Array]) -> tuple[tuple[_Bundle, Array], None]:
        (bundle, total), (lens, weight) = carry, crossed
        bundle, kick, _ = _cross(bundle, lens, lightcone)
        return (bundle, total + 2 * weight[:, None, None, None, None] * kick[None]), None

    straight, lenses = _straight(lightcone), _lenses(planes, view, strength, lightcone)
    nothing = jnp.zeros((weights.shape[1], *straight.offset.shape), jnp.float32)
    crossed = (lenses, weights.astype(jnp.float32))
    (_, total), _ = jax.lax.scan(jax.checkpoint(cross), (straight, nothing), crossed)
    return Distortion(total[:, :, 0], total[:, :, 1:])


def _straight(lightcone: Lightcone) -> _Bundle:
    """Rays at the observer."""
    nothing = jnp.zeros((2, 3, lightcone.pixels, lightcone.pixels), jnp.float32)
    return _Bundle(nothing, nothing)


def _lenses(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    view: Orientation,
    strength: Float[Array, " plane"],
    lightcone: Lightcone,
) -> _Lens:
    """All planes, to be scanned over; of each one slab of the box."""
    return _Lens(
        delta=planes[jnp.arange(lightcone.planes), view.axis, view.slab],
        view=view,
        chi=jnp.asarray(lightcone.chi, jnp.float32),
        across=jnp.asarray(lightcone.chi[:, None] * lightcone.angles, jnp.float32),
        strength=strength.astype(jnp.float32),
    )


def _cross(
    bundle: _Bundle, lens: _Lens, lightcone: Lightcone
) -> tuple[_Bundle, Float32[Array, "2 3 y x"], Float32[Array, "y x"]]:
    """Rays from behind one plane to behind the next; its kick per twice its strength, and its overdensity."""
    offset = bundle.offset + lightcone.thickness * bundle.slope
    delta, shift = _oriented(lens.delta, lens.view)
    position = jnp.stack(jnp.meshgrid(lens.across, lens.across, indexing="ij")) + offset[:, 0]
    cells = (position + shift[:, None, None]) * (lightcone.plane_mesh / lightcone.box_size)
    matter, slope_y, slope_x, stretch, cross = _interpolated(_fields(delta, lightcone), cells)
    slope = (jnp.stack([slope_y, slope_x]) + delta.mean() / 2 * position) / lens.chi
    tidal = jnp.stack([jnp.stack([matter / 2 + stretch, cross]), jnp.stack([cross, matter / 2 - stretch])])
    bent = offset[:, 1:] / lens.chi  # A - 1; the product is written out, XLA sums it 20 times slower
    distorted = tidal + tidal[:, 0, None] * bent[None, 0] + tidal[:, 1, None] * bent[None, 1]
    kick = jnp.concatenate([slope[:, None], distorted], axis=1)
    return _Bundle(offset, bundle.slope - 2 * lens.strength * kick), kick, matter


def _oriented(
    delta: Float32[Array, "mesh mesh"], view: Orientation
) -> tuple[Float32[Array, "mesh mesh"], Float32[Array, " 2"]]:
    """A plane after its reflections, with its shift: derivatives then need no sign rules."""
    for axis in (0, 1):
        delta = jnp.where(view.flipped[axis], jnp.roll(jnp.flip(delta, axis), 1, axis), delta)
    shift = jnp.where(view.flipped, -view.shift, view.shift)
    return jnp.where(view.transposed, delta.T, delta), jnp.where(view.transposed, shift[::-1], shift)


def _fields(delta: Float32[Array, "mesh mesh"], lightcone: Lightcone) -> list[Float32[Array, "mesh mesh"]]:
    """Overdensity, slope (y, x), half the difference of the second derivatives (yy, xx) and the mixed one of phi."""
    cell = lightcone.box_size / lightcone.plane_mesh
    wavevector = y, x = wavenumbers(delta.shape, cell)
    # the Nyquist mode has no sign, hence no first derivative
    odd_y, odd_x = (jnp.where(jnp.abs(k) < jnp.pi / cell * (1 - 1e-6), k, 0) for k in wavevector)
    squared = y**2 + x**2
    minus_phi = jnp.fft.rfftn(delta) * jnp.where(squared > 0, 1 / jnp.where(squared > 0, squared, 1), 0)
    factors = [-1j * odd_y, -1j * odd_x, (y**2 - x**2) / 2, odd_y * odd_x]
    return [delta, *(jnp.fft.irfftn(factor * minus_phi, s=delta.shape) for factor in factors)]


def _interpolated(
    fields: list[Float32[Array, "mesh mesh"]], cells: Float32[Array, "2 y x"]
) -> list[Float32[Array, "y x"]]:
    """Bilinear interpolation of periodic fields; one after another, since neighbours of a field lie side by side."""
    size = len(fields[0])
    floor = jnp.floor(cells)
    share = cells - floor
    home = jnp.mod(floor.astype(jnp.int32), size)
    (row, next_row), (column, next_column) = zip(home, jnp.where(home == size - 1, 0, home + 1), strict=True)

    def seen(field: Float32[Array, "mesh mesh"]) -> Float32[Array, "y x"]:
        def along(row: Int[Array, "y x"]) -> Float32[Array, "y x"]:
            first, second = (field.at[row, i].get(mode="promise_in_bounds") for i in (column, next_column))
            return first + share[1] * (second - first)

        here, there = along(row), along(next_row)
        return here + share[0] * (there - here)

    return [seen(field) for field in fields]
