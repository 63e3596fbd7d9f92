"""Orientations, the sky they see, and the windows of planes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.stats import chisquare, kstest

from lenscast.gravity import paint_slabs
from lenscast.lensing import Lightcone, Orientation, orientation, plane_window, sky

SKY = jax.jit(sky, static_argnums=2)


def view_of(lightcone, **changes):
    """Plane 0 of the box seen straight on, but for some changes."""
    straight = {
        "axis": np.zeros(lightcone.planes, np.int32),
        "slab": np.zeros(lightcone.planes, np.int32),
        "transposed": np.zeros(lightcone.planes, bool),
        "flipped": np.zeros((lightcone.planes, 2), bool),
        "shift": np.zeros((lightcone.planes, 2), np.float32),
    }
    return Orientation(**{name: jnp.asarray(value) for name, value in (straight | changes).items()})


def interpolated(planes, view, lightcone):
    """The sky by scipy's bilinear interpolation, plane by plane."""
    seen, cell = [], lightcone.box_size / lightcone.plane_mesh
    for i, chi in enumerate(lightcone.chi):
        across = chi * np.radians(lightcone.field_deg) * ((np.arange(lightcone.pixels) + 0.5) / lightcone.pixels - 0.5)
        y, x = (across * (-1 if view.flipped[i, j] else 1) + float(view.shift[i, j]) for j in (0, 1))
        grid = np.stack(np.meshgrid(y, x, indexing="ij")) / cell
        plane = np.asarray(planes[i, view.axis[i], view.slab[i]], np.float64)
        seen.append(map_coordinates(plane, grid, order=1, mode="grid-wrap"))
        if view.transposed[i]:
            seen[-1] = seen[-1].T
    return np.stack(seen)


@pytest.fixture(scope="module")
def planes(lightcone):
    size = lightcone.plane_mesh
    shape = (lightcone.planes, 3, lightcone.slabs_per_box, size, size)
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def views(lightcone):
    """Orientations of many realisations."""
    return jax.jit(jax.vmap(lambda key: orientation(key, lightcone)))(jax.random.split(jax.random.key(1), 400))


@pytest.fixture(scope="module")
def view(views):
    return jax.tree.map(lambda x: x[0], views)


def test_planes_lie_behind_each_other_and_pixels_around_the_middle():
    lightcone = Lightcone(box_size=120.0, slabs_per_box=3, planes=4, plane_mesh=8, field_deg=3.6, pixels=4)
    assert lightcone.thickness == 40.0
    np.testing.assert_allclose(lightcone.chi, [20.0, 60.0, 100.0, 140.0])
    np.testing.assert_allclose(np.degrees(lightcone.angles), [-1.35, -0.45, 0.45, 1.35])


def test_sky_without_orientation_interpolates_the_planes(planes, lightcone):
    view = view_of(lightcone)
    # coordinates in float32, 1e-6 of the 32 cells
    np.testing.assert_allclose(SKY(planes, view, lightcone), interpolated(planes, view, lightcone), atol=1e-4)


def test_sky_sees_drawn_orientations(planes, view, lightcone):
    assert len({*map(tuple, np.column_stack([view.axis, view.slab, view.transposed, view.flipped]).tolist())}) > 5
    np.testing.assert_allclose(SKY(planes, view, lightcone), interpolated(planes, view, lightcone), atol=1e-4)


def test_reflections_reflect_the_sky(planes, lightcone):
    straight = SKY(planes, view_of(lightcone), lightcone)
    every = np.ones(lightcone.planes, bool)
    for y, x in ((True, False), (False, True), (True, True)):
        seen = SKY(planes, view_of(lightcone, flipped=np.column_stack([y & every, x & every])), lightcone)
        expected = straight[:, :: -1 if y else 1, :: -1 if x else 1]
        np.testing.assert_allclose(seen, expected, atol=1e-4)
    seen = SKY(planes, view_of(lightcone, transposed=every), lightcone)
    np.testing.assert_array_equal(seen, straight.swapaxes(1, 2))
    turned = SKY(planes.swapaxes(3, 4), view_of(lightcone), lightcone)
    np.testing.assert_allclose(turned, seen, atol=1e-5)


def test_shifts_by_whole_cells_roll_the_planes(planes, lightcone):
    cells = np.random.default_rng(1).integers(0, lightcone.plane_mesh, (lightcone.planes, 2))
    shift = (cells * lightcone.box_size / lightcone.plane_mesh).astype(np.float32)
    rolled = [np.roll(plane, -move, (2, 3)) for plane, move in zip(np.asarray(planes), cells, strict=True)]
    expected = SKY(jnp.asarray(rolled), view_of(lightcone), lightcone)
    np.testing.assert_allclose(SKY(planes, view_of(lightcone, shift=shift), lightcone), expected, atol=1e-4)


def test_sky_differentiates_in_both_modes(planes, view, lightcone):
    dot = jnp.roll(planes, 1, 0) ** 2

    @jax.jit
    def both_modes(planes, dot):
        seen, pullback = jax.vjp(lambda x: sky(x, view, lightcone), planes)
        forward = jax.jvp(lambda x: sky(x, view, lightcone), (planes,), (dot,))[1]
        return forward, pullback(seen)[0], seen

    forward, backward, seen = both_modes(planes, dot)
    # linear in the planes: the difference is exact
    ends = [SKY(planes + sign * dot, view, lightcone) for sign in (1, -1)]
    np.testing.assert_allclose(forward, (ends[0] - ends[1]) / 2, atol=1e-5)
    np.testing.assert_allclose(np.vdot(backward, dot), np.vdot(seen, forward), rtol=1e-4)


def test_orientations_are_uniform(views, lightcone):
    # 4400 planes: each test at a level of 1e-3
    turns = np.stack([views.axis, views.slab, views.transposed, views.flipped[..., 0], views.flipped[..., 1]])
    counts = np.bincount(np.ravel_multi_index(turns.reshape(5, -1), (3, lightcone.slabs_per_box, 2, 2, 2)))
    assert len(counts) == 48
    assert chisquare(counts).pvalue > 1e-3
    shift = np.asarray(views.shift, np.float64) / lightcone.box_size
    assert shift.min() >= 0
    assert shift.max() < 1
    assert kstest(shift.ravel(), "uniform").pvalue > 1e-3


def test_orientations_of_planes_and_keys_are_independent(views, lightcone):
    # 400 realisations: correlations scatter by 0.05, some 800 of them stay within 4.5 errors
    numbers = [views.axis, views.slab, views.transposed, *np.moveaxis(views.flipped, -1, 0)]
    columns = np.concatenate([*numbers, *np.moveaxis(views.shift, -1, 0)], axis=1).astype(float)
    correlation = np.corrcoef(columns.T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.225
    following = (columns[1:] - columns.mean(axis=0)) * (columns[:-1] - columns.mean(axis=0)) / columns.var(axis=0)
    assert np.abs(following.mean(axis=0)).max() < 0.225
    again = jax.jit(lambda key: orientation(key, lightcone))(jax.random.split(jax.random.key(1), 400)[7])
    for name, value in vars(again).items():
        np.testing.assert_array_equal(value, getattr(views, name)[7])


def test_plane_window_is_that_of_a_particle_painted_and_seen():
    # One particle and one box on the sky, moved together through a cell: the mean is what the windows make of a point.
    size, turns = 64, 12
    lightcone = Lightcone(float(size), 1, 1, size, np.degrees(0.5), size)  # 16 cells across, four pixels each
    shift = (np.stack(np.meshgrid(*[np.arange(turns)] * 2)).reshape(2, -1).T + 0.5) / turns

    def seen(shift):
        plane = paint_slabs(jnp.append(0.0, shift)[:, None].astype(jnp.float32), lightcone.box_size, size, 1, 1.0)
        return sky(plane[None], view_of(lightcone, shift=shift[None]), lightcone)[0]

    image = np.asarray(jax.jit(jax.vmap(seen))(jnp.asarray(shift, jnp.float32)).mean(axis=0) + 1, np.float64) / size**2
    across = lightcone.chi[0] * lightcone.angles
    k = np.array([0.02, 0.5, 1.0, 2.0, 3.0])
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = [np.exp(1j * across * np.multiply.outer(k, turn)[..., None]) for turn in (np.sin(angle), np.cos(angle))]
    power = np.abs(np.einsum("kay,yx,kax->ka", waves[0], image, waves[1]) / 16) ** 2
    window = plane_window(k * lightcone.chi[0], lightcone.chi[0], lightcone)
    # 144 positions in a cell and pixels of a quarter of it sample a cubic spline to 5e-3
    np.testing.assert_allclose(power.mean(axis=1), window, rtol=1e-2)
    assert window[0] == pytest.approx(1, abs=1e-3)
    assert window[-1] < 0.1


def test_plane_window_averages_over_directions(lightcone):
    # second order: 1 - 8 / 6 (k d / 2)^2, twice the mean square of each component
    ell, chi = 300.0, 1100.0
    half = ell / chi * lightcone.box_size / lightcone.plane_mesh / 2
    small = 0.05 / half
    window = plane_window(np.array([small * ell]), chi, lightcone)
    np.testing.assert_allclose(window, 1 - 8 / 6 * 0.05**2, atol=2 * 0.05**4)
    np.testing.assert_allclose(
        plane_window(np.array([ell]), chi, lightcone, directions=4096), plane_window(np.array([ell]), chi, lightcone)
    )


@pytest.mark.parametrize(
    ("name", "value"), [("box_size", -1.0), ("slabs_per_box", 0), ("planes", 0), ("plane_mesh", -4), ("pixels", 0)]
)
def test_lightcone_refuses_numbers_that_are_not_positive(name, value):
    settings = {"box_size": 1.0, "slabs_per_box": 1, "planes": 1, "plane_mesh": 1, "field_deg": 1.0, "pixels": 1}
    with pytest.raises(ValueError, match=f"{name} = {value}: give a positive number"):
        Lightcone(**settings | {name: value})
