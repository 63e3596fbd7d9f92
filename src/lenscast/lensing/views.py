"""Views: how one realisation of the sky looks at the lens planes of a box, and what its rays meet there.

One box serves several skies. Each realisation draws for every plane the axis of the box that becomes the line of sight,
the slab along this axis, reflections and a periodic shift, so that neighbouring planes show unrelated structure and the
box does not repeat along the line of sight.

Convention: an angle theta = (y, x) on the flat sky looks at the point +-chi theta + shift of a plane, with a minus sign
along a flipped axis; a transposed plane exchanges y and x afterwards. This module draws and names these numbers;
`lenscast.lensing.sky` and `lenscast.lensing.rays` apply them.

Views of one box that are drawn together can share out what they look at: each plane shows every axis and slab equally
often, and the shifts cover it evenly. Each view alone is distributed as one that is drawn alone, so that a mean over
views has the same expectation. Its scatter is smaller: it loses most of what single planes contribute. What products of
several planes contribute stays, for planes are drawn independently.
"""

from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Key

from lenscast.sections.lightcone import Lightcone

__all__ = ["View", "VisiblePlanes", "draw_view", "draw_views"]

PLASTIC_NUMBER = 1.324717957244746
"""Root of x^3 = x + 1. Multiples of its inverse and of the square of that cover a square evenly, any number of them:
Roberts (2018), extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences."""


class View(eqx.Module):
    """How one realisation of the sky looks at each plane.

    Attributes
    ----------
    axis
        Axis of the box along the line of sight.
    slab
        Number of the slab along this axis.
    transpose
        Whether the plane is reflected on its diagonal.
    flip
        Whether each axis of the plane is reversed. With `transpose` and `axis` these are the 24 ways to look at a cube.
    shift
        Periodic shift across the line of sight [Mpc/h].
    """

    axis: Int[Array, " plane"]
    slab: Int[Array, " plane"]
    transpose: Bool[Array, " plane"]
    flip: Bool[Array, "plane 2"]
    shift: Float32[Array, "plane 2"]

    def along_first_axis(self) -> "View":
        """The same view of planes that were painted along its axes alone."""
        return replace(self, axis=jnp.zeros_like(self.axis))


class VisiblePlanes(NamedTuple):
    """What the rays of all pixels meet on each plane.

    Attributes
    ----------
    lensing
        Quantity that the lensing kernel multiplies. On straight rays it is the overdensity; on deflected rays it is
        tr(U A) / (2 s), see `lenscast.lensing.rays`.
    matter
        Overdensity at the positions of the rays, which aligns the galaxies of the plane.
    """

    lensing: Float32[Array, "plane y x"]
    matter: Float32[Array, "plane y x"]


def draw_view(key: Key[Array, ""], lightcone: Lightcone) -> View:
    """Draw axis, slab, reflections and shift of each plane, independently and uniformly.

    References
    ----------
    Petri, Haiman & May (2016), arXiv:1601.06792.
    """
    keys = jax.random.split(key, 5)
    planes = (lightcone.planes,)
    return View(
        axis=jax.random.randint(keys[0], planes, 0, 3, jnp.int32),
        slab=jax.random.randint(keys[1], planes, 0, lightcone.slabs_per_box, jnp.int32),
        transpose=jax.random.bernoulli(keys[2], 0.5, planes),
        flip=jax.random.bernoulli(keys[3], 0.5, (*planes, 2)),
        shift=jax.random.uniform(keys[4], (*planes, 2), jnp.float32, 0.0, lightcone.box_size),
    )


def draw_views(key: Key[Array, ""], number: int, lightcone: Lightcone) -> View:
    """Draw views that share out axes, slabs, reflections and shifts of each plane evenly; a leading axis of views.

    On each plane the views have ranks in a random order. Ranks go through the slabs of all axes in turn. Those that
    look at one slab go through the reflections, and along a Kronecker sequence of shifts. All of these start at random,
    which makes each view uniform. Another number of views gives other views.

    Parameters
    ----------
    key
        Random key of all views of a box.
    number
        Number of views.
    lightcone
        Number of planes and of slabs, and size of the box.
    """
    slabs = 3 * lightcone.slabs_per_box

    def of_plane(key: Key[Array, ""]) -> View:
        keys = jax.random.split(key, 4)
        rank = jax.random.permutation(keys[0], number)
        turn, slab = rank // slabs, (rank + jax.random.randint(keys[1], (), 0, slabs)) % slabs
        reflection = (turn + jax.random.randint(keys[2], (), 0, 8)) % 8
        start = jax.random.uniform(keys[3], (slabs, 2), jnp.float32)
        step = jnp.array([PLASTIC_NUMBER**-1, PLASTIC_NUMBER**-2], jnp.float32)
        return View(
            axis=(slab % 3).astype(jnp.int32),
            slab=(slab // 3).astype(jnp.int32),
            transpose=reflection % 2 == 1,
            flip=jnp.stack([reflection // 2 % 2 == 1, reflection // 4 == 1], axis=-1),
            shift=(start[slab] + turn[:, None] * step[None]) % 1 * lightcone.box_size,
        )

    return jax.vmap(of_plane, out_axes=1)(jax.random.split(key, lightcone.planes))
