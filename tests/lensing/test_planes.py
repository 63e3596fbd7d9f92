"""Planes painted while a box evolves, their geometry and their windows."""

from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import basis, cosmology
from lenscast.gravity import FixedSteps, Method, ParticleMesh, Particles, lattice, linear_field, lpt, nbody, paint_slabs
from lenscast.lensing import density_planes, plane_window, straight_sky
from lenscast.sections.lightcone import Lightcone

A_START = 0.3
MESH = ParticleMesh(box_size=1200.0, particles=8)
LIGHTCONE = Lightcone(box_size=1200.0, slabs_per_box=2, planes=3, plane_mesh=8, field_deg=5.0, pixels=16)
METHOD = Method(MESH, FixedSteps(kind="bullfrog", steps=3))


def planes_of(cosmos, start, adjoint=None, axis=None):
    return density_planes(start, A_START, cosmos, METHOD, LIGHTCONE, adjoint, axis)


def inner(gradient, direction):
    """Sum of the products of two trees."""
    pairs = zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True)
    return sum(np.vdot(np.asarray(one, float), np.asarray(other, float)) for one, other in pairs)


@jax.jit
def planes_and_change(cosmos, start, dots):
    """Planes, and their derivative along a direction of the cosmology and of the particles at the start."""
    return jax.jvp(planes_of, (cosmos, start), dots)


@pytest.fixture(scope="module")
def begin():
    """Particles at the start, half a cell off the points where the clouds of the lattice have their kinks."""

    def at_start(cosmos):
        start = lpt(linear_field(jax.random.key(0), cosmos.power, MESH), A_START, cosmos, MESH)
        return Particles(start.displacement + MESH.cell_size / 2, start.momentum)

    return jax.jit(at_start)


@pytest.fixture(scope="module")
def dots(parameters, cosmos, begin):
    """How cosmology and start change with w0."""
    unit = jax.tree.map(lambda x: x[0], basis(parameters, ["w0"]))
    dot = jax.jit(lambda p: jax.jvp(cosmology, (p,), (unit,))[1])(parameters)
    return dot, jax.jit(lambda dot: jax.jvp(begin, (cosmos,), (dot,))[1])(dot)


@pytest.fixture(scope="module")
def planes(cosmos, begin, dots):
    return planes_and_change(cosmos, begin(cosmos), dots)[0]


@pytest.mark.slow
def test_planes_of_the_lattice_are_empty(cosmos, dots):
    rest = jnp.zeros((3, 8**3), jnp.float32)
    planes, _ = planes_and_change(cosmos, Particles(rest, rest), dots)
    assert planes.shape == (3, 3, 2, 8, 8)
    np.testing.assert_allclose(planes, 0, atol=1e-5)


@pytest.mark.slow
def test_planes_hold_the_mean_density(planes):
    assert planes.std() > 0.01
    np.testing.assert_allclose(planes.mean(axis=(2, 3, 4), dtype=jnp.float64), 0, atol=1e-6)


def test_a_plane_is_the_box_when_light_crosses_it(cosmos, begin, planes):
    chi = jnp.array([300.0, 900.0, 1500.0])  # thickness 600, middles of planes
    a = cosmos.distances.scale_factor(chi)
    assert np.ptp(a) > 0.2
    times = jnp.append(A_START, a[::-1])
    states = jax.jit(nbody)(begin(cosmos), times, cosmos, METHOD)
    paint = jax.jit(lambda x: paint_slabs(x + lattice(MESH), 1200.0, 8, 2, MESH.cell_size))
    for number in range(3):
        expected = paint(states.displacement[2 - number])
        # positions of 1200 Mpc/h in float32, 1e-6 of a cell
        np.testing.assert_allclose(planes[number], expected, atol=2e-5)


def test_derivatives_move_the_time_at_which_light_crosses(parameters, cosmos, tables, begin, dots):
    step, ends = 0.05, []
    for sign in (1, -1):
        changed = tables(eqx.tree_at(lambda p: p.w0, parameters, parameters.w0 + sign * step))
        ends.append(planes_and_change(changed, begin(changed), dots)[0])
    difference = (ends[0] - ends[1]) / (2 * step)
    still = eqx.tree_at(lambda c: c.distances, dots[0], jax.tree.map(jnp.zeros_like, dots[0].distances))
    tangent, pinned = (planes_and_change(cosmos, begin(cosmos), (dot, dots[1]))[1] for dot in (dots[0], still))

    def distance(derivative):
        return np.sqrt(((derivative - difference) ** 2).mean() / (difference**2).mean())

    # third order of the step; the displacements are far smaller than a cell
    assert distance(tangent) < 0.005
    assert distance(pinned) > 0.1


@pytest.mark.slow
def test_planes_along_one_axis_are_those_of_all_axes(cosmos, begin, dots, planes):
    axis, start = jnp.array([2, 0, 1]), begin(cosmos)
    chosen = planes[jnp.arange(3), axis][:, None]

    @jax.jit
    def with_derivatives(*primals):
        (one, change), checkpoint = (
            jax.jvp(partial(planes_of, axis=axis), primals, dots),
            diffrax.RecursiveCheckpointAdjoint(),
        )
        _, back = jax.vjp(lambda *x: planes_of(*x, adjoint=checkpoint, axis=axis), *primals)
        return one, change, back(chosen)

    one, change, gradient = with_derivatives(cosmos, start)
    # sums of clouds in another order; planes have an rms above .01
    np.testing.assert_allclose(one, chosen, atol=2e-6)
    expected = planes_and_change(cosmos, start, dots)[1][jnp.arange(3), axis][:, None]
    np.testing.assert_allclose(change, expected, atol=1e-5 * np.abs(expected).max())
    # the same steps in float32
    np.testing.assert_allclose(inner(gradient, dots), np.vdot(chosen, change), rtol=5e-5)


@pytest.mark.slow
def test_reverse_mode_agrees_with_forward_mode(cosmos, begin, dots, planes):
    weights = jnp.cos(jnp.arange(planes.size, dtype=jnp.float32)).reshape(planes.shape)

    @jax.jit
    def gradient(cosmos, start):
        adjoint = diffrax.RecursiveCheckpointAdjoint()
        return jax.grad(lambda *x: (weights * planes_of(*x, adjoint)).sum(dtype=jnp.float64), argnums=(0, 1))(
            cosmos, start
        )

    start = begin(cosmos)
    backward = inner(gradient(cosmos, start), dots)
    tangent = planes_and_change(cosmos, start, dots)[1]
    # the same steps in float32
    np.testing.assert_allclose(backward, np.vdot(weights, tangent), rtol=5e-5)


def test_density_planes_refuse_another_box(cosmos):
    rest = jnp.zeros((3, 8**3), jnp.float32)
    small = Method(ParticleMesh(box_size=600.0, particles=8), METHOD.integrator)
    with pytest.raises(ValueError, match=r"lightcone has 1200.0 Mpc/h, the box of the mesh 600.0 Mpc/h"):
        density_planes(Particles(rest, rest), A_START, cosmos, small, LIGHTCONE)


def test_planes_lie_behind_each_other_and_pixels_around_the_middle():
    lightcone = Lightcone(box_size=120.0, slabs_per_box=3, planes=4, plane_mesh=8, field_deg=3.6, pixels=16)
    assert lightcone.thickness == 40.0
    np.testing.assert_allclose(lightcone.chi, [20.0, 60.0, 100.0, 140.0])
    np.testing.assert_allclose(np.degrees(lightcone.angles), 0.225 * (np.arange(16) - 7.5))


def test_plane_window_is_that_of_a_particle_painted_and_seen(view_of):
    # One particle and one box on the sky, moved together through a cell: the mean is what the windows make of a point.
    size, turns = 64, 12
    lightcone = Lightcone(box_size=size, slabs_per_box=1, planes=1, plane_mesh=size, field_deg=20.0, pixels=size)
    # 16 cells across, four pixels each: wider than a config allows
    lightcone = lightcone.model_copy(update={"field_deg": np.degrees(0.5)})
    shift = (np.stack(np.meshgrid(*[np.arange(turns)] * 2)).reshape(2, -1).T + 0.5) / turns

    def sky(shift):
        plane = paint_slabs(jnp.append(0.0, shift)[:, None].astype(jnp.float32), lightcone.box_size, size, 1, 1.0)
        return straight_sky(plane[None], view_of(lightcone, shift=shift[None]), lightcone)[0]

    image = np.asarray(jax.jit(jax.vmap(sky))(jnp.asarray(shift, jnp.float32)).mean(axis=0) + 1, np.float64) / size**2
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
    settings = {"box_size": 1.0, "slabs_per_box": 1, "planes": 1, "plane_mesh": 8, "field_deg": 1.0, "pixels": 16}
    with pytest.raises(ValueError, match=rf"(?s)1 validation error.*{name}"):
        Lightcone(**settings | {name: value})
