"""Views: how one realisation of the sky looks at the lens planes of a box, and what its rays meet there.

One box serves several skies. Each realisation draws for every plane the axis of the box that becomes the line of sight,
the slab along this axis, reflections and a periodic shift, so that neighbouring planes show unrelated structure and the
box does not repeat along the line of sight.

Convention: an angle theta = (y, x) on the flat sky looks at the point +-chi theta + shift of a plane, with a minus sign
along a flipped axis; a transposed plane exchanges y and x afterwards. This module draws and names these numbers;
`lenscast.lensing.sky` and `lenscast.lensing.rays` apply them.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Key

from lenscast.sections.lightcone import Lightcone


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
