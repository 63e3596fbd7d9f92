"""Cloud-in-cell painting and reading, and the slabs of lens planes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import gravity

BOX = 60.0
SIZE = 14  # neither a power of two nor a divisor of the box
paint = jax.jit(gravity.paint, static_argnums=(1, 2))
read = jax.jit(gravity.read, static_argnums=2)
paint_slabs = jax.jit(gravity.paint_slabs, static_argnums=(1, 2, 3, 4))

EPSILON = np.finfo(np.float32).eps


def numpy_paint(position, box_size, size):
    """Cloud-in-cell densities in double precision, by trilinear weights of all eight corners."""
    scaled = position.astype(np.float64) * size / box_size
    floor = np.floor(scaled).astype(int)
    mesh = np.zeros((size,) * len(position))
    for corner in np.ndindex((2,) * len(position)):
        corner = np.array(corner)[:, None]
        weight = np.prod(np.where(corner == 1, scaled - floor, 1 - (scaled - floor)), axis=0)
        np.add.at(mesh, tuple((floor + corner) % size), weight)
    return mesh


def numpy_slabs(position, box_size, size, slabs, edge):
    """Overdensity planes: for each slab its particles, weighted by their overlap, painted onto a plane."""
    planes = np.zeros((3, slabs, size, size))
    thickness = box_size / slabs
    for los in range(3):
        depth = position[los].astype(np.float64)
        for slab in range(slabs):
            overlap = 0
            for image in range(-3, 4):
                front, back = depth + image * box_size - edge / 2, depth + image * box_size + edge / 2
                inside = np.minimum(back, (slab + 1) * thickness) - np.maximum(front, slab * thickness)
                overlap = overlap + np.maximum(inside, 0) / edge
            for i in range(position.shape[1]):
                across = position[[(los + 1) % 3, (los + 2) % 3], i : i + 1]
                planes[los, slab] += overlap[i] * numpy_paint(across, box_size, size)
    return planes * size**2 * slabs / position.shape[1] - 1


@pytest.fixture(scope="module")
def position(uniform):
    return jnp.asarray(BOX * uniform)


@pytest.fixture(scope="module")
def inside():
    """Particles in the middle half of their cells: a small move keeps clear of the kinks at the borders."""
    rng = np.random.default_rng(1)
    cells = rng.integers(-SIZE, 2 * SIZE, (3, 200)) + rng.uniform(0.25, 0.75, (3, 200))
    return jnp.asarray(cells * BOX / SIZE, jnp.float32)


@pytest.fixture(scope="module")
def moves(inside):
    return jax.random.normal(jax.random.key(0), (2, *inside.shape), jnp.float32)


def test_paint_agrees_with_numpy(position):
    # a position of 150 Mpc/h is rounded by 1e-5 Mpc/h, 3e-6 of a cell
    np.testing.assert_allclose(paint(position, BOX, SIZE), numpy_paint(np.asarray(position), BOX, SIZE), atol=1e-5)


def test_paint_conserves_mass(position):
    density = paint(position, BOX, SIZE)
    assert density.min() >= 0
    np.testing.assert_allclose(density.sum(dtype=jnp.float64), position.shape[1], rtol=1e-6)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("boxes", [-2, -1, 1])
def test_paint_is_periodic_along_every_axis(position, axis, boxes):
    moved = position.at[axis].add(boxes * BOX)
    # the move rounds positions of up to 270 Mpc/h by 3e-5 Mpc/h
    np.testing.assert_allclose(paint(moved, BOX, SIZE), paint(position, BOX, SIZE), atol=2e-5)


@pytest.mark.parametrize("axis", range(3))
def test_paint_shifts_with_its_particles(position, axis):
    moved = position.at[axis].add(BOX / SIZE)
    shifted = jnp.roll(paint(position, BOX, SIZE), 1, axis)
    np.testing.assert_allclose(paint(moved, BOX, SIZE), shifted, atol=2e-5)


@pytest.mark.parametrize("size", [7, 16, 30])
def test_painting_and_reading_at_the_border_stay_in_the_box(size):
    # 1 / size rounds up for 7 and 30: dividing a coordinate by the box could reach the next turn too early
    border = np.float32(size) * np.arange(-2, 4, dtype=np.float32)
    near = np.concatenate([border, np.nextafter(border, np.float32(1e9)), np.nextafter(border, np.float32(-1e9))])
    position = jnp.asarray(np.stack([near, near[::-1], np.roll(near, 1)]))
    mesh = paint(position, float(size), size)
    expected = np.zeros((size,) * 3, np.float32)
    expected[0, 0, 0] = near.size
    # a rounding step at 3 boxes is 2 epsilon boxes; all particles may stray by as much
    np.testing.assert_allclose(mesh, expected, atol=near.size * 8 * EPSILON * size)
    values = jnp.asarray(1 - expected[..., None] / near.size)
    np.testing.assert_allclose(read(values, position, float(size)), 0, atol=24 * EPSILON * size)


def test_read_is_the_transpose_of_paint(position):
    mesh = jax.random.normal(jax.random.key(0), (SIZE, SIZE, SIZE, 2), jnp.float32)
    weight = jax.random.normal(jax.random.key(1), position.shape[1:], jnp.float32)
    values = read(mesh, position, BOX)
    one_by_one = [numpy_paint(np.asarray(position[:, i : i + 1]), BOX, SIZE) for i in range(position.shape[1])]
    painted = np.tensordot(np.asarray(weight), one_by_one, axes=1)
    for channel in range(2):
        # 500 products of order one, each rounded by some 1e-6
        np.testing.assert_allclose((values[channel] * weight).sum(), (mesh[..., channel] * painted).sum(), atol=1e-3)


def test_read_returns_the_mesh_at_its_points_and_between_them_what_is_linear():
    mesh = jax.random.normal(jax.random.key(0), (SIZE, SIZE, SIZE, 1), jnp.float32)
    index = jnp.stack(jnp.meshgrid(*[jnp.arange(SIZE, dtype=jnp.float32)] * 3, indexing="ij")).reshape(3, -1)
    np.testing.assert_allclose(read(mesh, index * (BOX / SIZE), BOX)[0], mesh.ravel(), atol=1e-5)
    plane = (index[0] - 2 * index[1] + index[2]).reshape(SIZE, SIZE, SIZE, 1)
    point = jnp.array([[3.3], [5.5], [7.9]], jnp.float32)
    np.testing.assert_allclose(read(plane, point * (BOX / SIZE), BOX)[0, 0], 3.3 - 11 + 7.9, atol=1e-5)


def painted(position):
    weight = jax.random.normal(jax.random.key(3), (SIZE,) * 3, jnp.float32)
    return (paint(position, BOX, SIZE) * weight).sum(dtype=jnp.float64)


def read_out(position):
    mesh = jax.random.normal(jax.random.key(4), (SIZE, SIZE, SIZE, 2), jnp.float32)
    return (read(mesh, position, BOX) ** 2).sum(dtype=jnp.float64)


def projected(position):
    # clouds four cells wide: borders of slabs and of clouds are borders of cells
    weight = jax.random.normal(jax.random.key(5), (3, 2, SIZE, SIZE), jnp.float32)
    return (paint_slabs(position, BOX, SIZE, 2, 4 * BOX / SIZE) * weight).sum(dtype=jnp.float64)


@pytest.fixture(scope="module", params=[painted, read_out, projected])
def derivatives(request, inside, moves):
    """The function with its gradient, and how both change with two moves together and with the first alone."""
    slope = jax.value_and_grad(request.param)

    def along(move):
        return jax.jvp(slope, (inside,), (move,))[1]

    return jax.jit(slope), *jax.jit(lambda moves: (jax.vmap(along)(moves), along(moves[0])))(moves)


@pytest.mark.slow
def test_painting_and_reading_differentiate_in_both_modes(derivatives, inside, moves):
    slope, (changes, _), _ = derivatives
    step = 0.02  # [Mpc/h], up to 0.02 cells: linear pieces, so that the next order is 1e-4; float32 leaves 1e-3
    ends = [slope(inside + sign * step * moves[0])[0] for sign in (1, -1)]
    gradient = slope(inside)[1]
    scale = np.sqrt((gradient**2).sum())
    np.testing.assert_allclose(changes[0], (ends[0] - ends[1]) / (2 * step), atol=2e-3 * scale)
    np.testing.assert_allclose((gradient * moves[0]).sum(), changes[0], atol=1e-5 * scale)


def test_second_derivatives_agree_with_differences_of_the_gradient(derivatives, inside, moves):
    slope, (_, hessians), _ = derivatives
    step = 0.02
    ends = [slope(inside + sign * step * moves[0])[1] for sign in (1, -1)]
    # exact for trilinear weights but for rounding, 1e-6 / step of the gradient, and the order beyond
    scale = np.abs(hessians[0]).max()
    np.testing.assert_allclose(hessians[0], (ends[0] - ends[1]) / (2 * step), atol=2e-3 * scale)


def test_tangents_together_equal_tangents_one_by_one(derivatives):
    _, (changes, hessians), (change, hessian) = derivatives
    np.testing.assert_allclose(changes[0], change, rtol=1e-5)
    np.testing.assert_allclose(hessians[0], hessian, atol=1e-5 * np.abs(hessian).max())


@pytest.mark.parametrize(("slabs", "edge"), [(1, 6.0), (2, 30.0), (3, 6.0)])
def test_slabs_agree_with_numpy(position, slabs, edge):
    few = position[:, :50]
    # 50 particles on 14^2 cells and several slabs: mean counts of 0.05, hence the rounding of 1e-5 grows
    expected = numpy_slabs(np.asarray(few), BOX, SIZE, slabs, edge)
    np.testing.assert_allclose(paint_slabs(few, BOX, SIZE, slabs, edge), expected, atol=1e-5 * slabs * SIZE**2 / 50)


def test_slabs_hold_the_mean_density_and_sum_to_the_projected_box(position):
    planes = paint_slabs(position, BOX, SIZE, 4, 3.0)
    np.testing.assert_allclose(planes.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    counts = paint(position, BOX, SIZE)
    for los in range(3):
        along = jnp.moveaxis(counts, los, 0).sum(axis=0)
        projection = along.T if los == 1 else along  # seen along y the axes are (z, x)
        mean = position.shape[1] / SIZE**2
        np.testing.assert_allclose(planes[los].mean(axis=0), projection / mean - 1, atol=2e-5)


def test_slabs_see_each_axis_in_cyclic_order():
    position = jnp.array([[10.0], [25.0], [50.0]], jnp.float32)
    planes = paint_slabs(position, BOX, 12, 2, 5.0)  # plane cells of 5 Mpc/h: the particle sits on mesh points
    index = [np.unravel_index(np.argmax(plane), plane.shape) for plane in planes]
    assert [tuple(map(int, i)) for i in index] == [(0, 5, 10), (0, 10, 2), (1, 2, 5)]


def test_crossing_slabs_has_a_derivative():
    rng = np.random.default_rng(2)
    edge, slabs = 10.0, 2
    # clouds that straddle the border at 30 Mpc/h by 0.2 to 0.8 of their width; a hard border would see no change
    depth = 30 + edge * rng.uniform(-0.3, 0.3, 100)
    position = jnp.asarray(np.stack([depth, *rng.uniform(0, BOX, (2, 100))]), jnp.float32)
    velocity = jnp.zeros_like(position).at[0].set(jnp.asarray(rng.uniform(0.5, 1.5, 100), jnp.float32))

    def beyond(position):  # mean overdensity of the second slab seen along x
        return paint_slabs(position, BOX, SIZE, slabs, edge)[0, 1].mean(dtype=jnp.float64)

    # each particle passes over at the rate velocity / edge; overdensity counts it 2 / 100
    expected = (velocity[0] / edge).sum() * slabs / 100
    forward, gradient = jax.jit(lambda x, v: (jax.jvp(beyond, (x,), (v,))[1], jax.grad(beyond)(x)))(position, velocity)
    np.testing.assert_allclose(forward, expected, rtol=1e-5)
    np.testing.assert_allclose((gradient * velocity).sum(), expected, rtol=1e-5)
    step = 0.5  # [Mpc/h], within the straddling range: the share is linear in depth
    difference = (beyond(position + step * velocity) - beyond(position - step * velocity)) / (2 * step)
    np.testing.assert_allclose(difference, expected, rtol=1e-4)


def test_slabs_refuse_what_does_not_fit():
    position = jnp.zeros((3, 8), jnp.float32)
    with pytest.raises(ValueError, match="slabs = 0: cut the box into at least 1 slab"):
        paint_slabs(position, BOX, SIZE, 0, 5.0)
    for edge in 0.0, 31.0:
        with pytest.raises(ValueError, match=f"edge = {edge} Mpc/h: give a positive width, .* slab, 30.0 Mpc/h"):
            paint_slabs(position, BOX, SIZE, 2, edge)
