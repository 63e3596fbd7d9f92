import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.numerics.interpolation import HermiteTable, UniformHermiteTable

START, SPACING = -1.0, 0.25


def tables(function, derivative, size=9):
    knots = START + SPACING * jnp.arange(size)
    values, slopes = function(knots), derivative(knots)
    return HermiteTable(knots, values, slopes), UniformHermiteTable(values, slopes, START, SPACING)


SINE = tables(jnp.sin, jnp.cos)
POINTS = jnp.array([[-1.0, -0.93], [-0.75, 0.11], [0.62, 1.0]])


def test_hermite_tables_reproduce_cubics():
    for table in tables(lambda x: x**3 - 2 * x, lambda x: 3 * x**2 - 2):
        np.testing.assert_allclose(table(POINTS), POINTS**3 - 2 * POINTS, atol=1e-14)


def test_uniform_hermite_table_holds_several_functions():
    # inside, at the ends and beyond both
    x = jnp.array([[-3.0, -1.0, 0.1], [0.9, 1.0, 2.0]])
    sine, cosine = (tables(f, df)[1] for f, df in ((jnp.sin, jnp.cos), (jnp.cos, lambda x: -jnp.sin(x))))
    values = jnp.stack([sine.values, cosine.values], axis=-1)
    both = UniformHermiteTable(values, jnp.stack([sine.slopes, cosine.slopes], axis=-1), START, SPACING)
    for derivative in (lambda table, x: table(x), lambda table, x: jax.jvp(table, (x,), (jnp.ones_like(x),))[1]):
        expected = jnp.stack([derivative(sine, x), derivative(cosine, x)], axis=-1)
        np.testing.assert_allclose(derivative(both, x), expected, atol=1e-15)


def test_hermite_table_is_fourth_order_on_uneven_knots():
    x = jnp.linspace(0.0, 1.0, 301)

    def error(size):
        knots = jnp.linspace(0.0, 1.0, size) ** 2
        return jnp.abs(HermiteTable(knots, jnp.sin(knots), jnp.cos(knots))(x) - jnp.sin(x)).max()

    # halving the spacing divides an error of fourth order by 16
    assert 14 < error(33) / error(65) < 18


def test_hermite_tables_go_on_as_straight_lines():
    x = jnp.array([-3.0, 2.0])
    line = jnp.array([jnp.sin(-1.0) - 2 * jnp.cos(-1.0), jnp.sin(1.0) + jnp.cos(1.0)])
    for table in SINE:
        np.testing.assert_allclose(table(x), line, rtol=1e-14)


def test_hermite_tables_evaluate_in_the_precision_of_the_point():
    for table in SINE:
        single = table(POINTS.astype(jnp.float32))
        assert single.dtype == jnp.float32
        # a few roundings of float32
        np.testing.assert_allclose(single, table(POINTS), atol=1e-6)


@pytest.mark.parametrize("table", SINE, ids=["general", "uniform"])
def test_hermite_table_derivatives_match_finite_differences(table):
    # inside an interval and beyond the ends; not at knots, where the second derivative jumps
    arguments = (table, jnp.array([-1.3, -0.9, 0.2, 1.6]))
    leaves, structure = jax.tree.flatten(arguments)
    rng = np.random.default_rng(0)
    direction = structure.unflatten([jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves])

    def shifted(step):
        displaced, x = jax.tree.map(lambda value, change: value + step * change, arguments, direction)
        return displaced(x)

    tangent = jax.jvp(lambda t, x: t(x), arguments, direction)[1]
    np.testing.assert_allclose(tangent, (shifted(1e-6) - shifted(-1e-6)) / 2e-6, rtol=1e-7)

    cotangent = jnp.asarray(rng.normal(size=tangent.shape))
    pulled = jax.vjp(lambda t, x: t(x), *arguments)[1](cotangent)
    products = jax.tree.map(lambda u, v: (u * v).sum(), pulled, direction)
    np.testing.assert_allclose(sum(jax.tree.leaves(products)), (tangent * cotangent).sum(), rtol=1e-12)


def test_uniform_table_tangent_leaves_the_grid_alone():
    _, uniform = SINE
    assert len(jax.tree.leaves(uniform)) == 2
