"""Planes as straight rays see them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from lenscast.lensing import deflected_sky, draw_view, look, straight_sky

SKY = jax.jit(straight_sky, static_argnums=2)
LOOK = jax.jit(look, static_argnums=3)


def interpolated(planes, view, lightcone):
    """The sky by scipy's bilinear interpolation, plane by plane."""
    sky, cell = [], lightcone.box_size / lightcone.plane_mesh
    for i, chi in enumerate(lightcone.chi):
        across = chi * np.radians(lightcone.field_deg) * ((np.arange(lightcone.pixels) + 0.5) / lightcone.pixels - 0.5)
        y, x = (across * (-1 if view.flip[i, j] else 1) + float(view.shift[i, j]) for j in (0, 1))
        grid = np.stack(np.meshgrid(y, x, indexing="ij")) / cell
        plane = np.asarray(planes[i, view.axis[i], view.slab[i]], np.float64)
        sky.append(map_coordinates(plane, grid, order=1, mode="grid-wrap"))
        if view.transpose[i]:
            sky[-1] = sky[-1].T
    return np.stack(sky)


@pytest.fixture(scope="module")
def planes(lightcone):
    size = lightcone.plane_mesh
    shape = (lightcone.planes, 3, lightcone.slabs_per_box, size, size)
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def view(lightcone):
    return jax.jit(lambda key: draw_view(key, lightcone))(jax.random.split(jax.random.key(1), 400)[0])


def test_sky_without_reflections_interpolates_the_planes(planes, view_of, lightcone):
    view = view_of(lightcone)
    # coordinates in float32, 1e-6 of the 32 cells
    np.testing.assert_allclose(SKY(planes, view, lightcone), interpolated(planes, view, lightcone), atol=1e-4)


def test_sky_follows_the_drawn_view(planes, view, lightcone):
    assert len({*map(tuple, np.column_stack([view.axis, view.slab, view.transpose, view.flip]).tolist())}) > 5
    np.testing.assert_allclose(SKY(planes, view, lightcone), interpolated(planes, view, lightcone), atol=1e-4)


def test_reflections_reflect_the_sky(planes, view_of, lightcone):
    straight = SKY(planes, view_of(lightcone), lightcone)
    every = np.ones(lightcone.planes, bool)
    for y, x in ((True, False), (False, True), (True, True)):
        found = SKY(planes, view_of(lightcone, flip=np.column_stack([y & every, x & every])), lightcone)
        expected = straight[:, :: -1 if y else 1, :: -1 if x else 1]
        np.testing.assert_allclose(found, expected, atol=1e-4)
    found = SKY(planes, view_of(lightcone, transpose=every), lightcone)
    np.testing.assert_array_equal(found, straight.swapaxes(1, 2))
    turned = SKY(planes.swapaxes(3, 4), view_of(lightcone), lightcone)
    np.testing.assert_allclose(turned, found, atol=1e-5)


def test_shifts_by_whole_cells_roll_the_planes(planes, view_of, lightcone):
    cells = np.random.default_rng(1).integers(0, lightcone.plane_mesh, (lightcone.planes, 2))
    shift = (cells * lightcone.box_size / lightcone.plane_mesh).astype(np.float32)
    rolled = [np.roll(plane, -move, (2, 3)) for plane, move in zip(np.asarray(planes), cells, strict=True)]
    expected = SKY(jnp.asarray(rolled), view_of(lightcone), lightcone)
    np.testing.assert_allclose(SKY(planes, view_of(lightcone, shift=shift), lightcone), expected, atol=1e-4)


def test_sky_differentiates_in_both_modes(planes, view, lightcone):
    dot = jnp.roll(planes, 1, 0) ** 2

    @jax.jit
    def both_modes(planes, dot):
        found, pullback = jax.vjp(lambda x: straight_sky(x, view, lightcone), planes)
        forward = jax.jvp(lambda x: straight_sky(x, view, lightcone), (planes,), (dot,))[1]
        return forward, pullback(found)[0], found

    forward, backward, found = both_modes(planes, dot)
    # linear in the planes: the difference is exact
    ends = [SKY(planes + sign * dot, view, lightcone) for sign in (1, -1)]
    np.testing.assert_allclose(forward, (ends[0] - ends[1]) / 2, atol=1e-5)
    np.testing.assert_allclose(np.vdot(backward, dot), np.vdot(found, forward), rtol=1e-4)


def test_projection_chooses_between_straight_and_deflected_rays(planes, view, lightcone):
    strength = jnp.full(lightcone.planes, 0.01)
    born, traced = (
        LOOK(planes, view, strength, lightcone.model_copy(update={"projection": projection}))
        for projection in ("born", "ray_tracing")
    )
    # other programs: float32 coordinates of 32 cells are rounded by 2e-6, and the planes change by 3 in a cell
    for found in born:
        np.testing.assert_allclose(found, SKY(planes, view, lightcone), atol=2e-5)
    expected = jax.jit(deflected_sky, static_argnums=3)(planes, view, strength, lightcone)
    for found, each in zip(traced, expected, strict=True):
        np.testing.assert_allclose(found, each, atol=2e-5)
    assert np.abs(traced.matter - born.matter).max() > 0.1
