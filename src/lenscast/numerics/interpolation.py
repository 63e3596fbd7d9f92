"""Cubic Hermite tables: values and slopes at knots, evaluated at points of any shape.

The interpolant has a continuous first derivative and an error of h^4 / 384 times the fourth derivative between knots of
spacing h. Outside the knots it continues as a straight line with the slope of the end knot. Evaluation is
differentiable in both modes with respect to the point and to everything tabulated. A result has the dtype of the point:
a float64 table evaluates on a float32 mesh in float32.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class HermiteTable(eqx.Module):
    """Table on any increasing knots. The knots may depend on the parameters, as those of an inverse function do.

    Attributes
    ----------
    knots
        Increasing abscissae.
    values, slopes
        The function and its derivative at the knots.
    """

    knots: Float[Array, " knot"]
    values: Float[Array, " knot"]
    slopes: Float[Array, " knot"]

    @jax.jit
    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Evaluate the tabulated function at x."""
        knots = self.knots.astype(x.dtype)
        inside = jnp.clip(x, knots[0], knots[-1])
        # the clip of the index keeps the last knot in the last interval
        left = jnp.clip(jnp.searchsorted(knots, inside, side="right") - 1, 0, knots.size - 2)
        width = knots[left + 1] - knots[left]
        cubic = _hermite((inside - knots[left]) / width, left, width, self.values, self.slopes)
        return cubic + _beyond(x - inside, self.slopes)


class UniformHermiteTable(eqx.Module):
    """Table on evenly spaced knots, which are found without a search and depend on no parameter.

    The grid is static: a tangent of the table is a tangent of values and slopes alone, so that many tangents on a large
    mesh share one set of indices and weights.

    Attributes
    ----------
    values, slopes
        The function and its derivative at the knots, or several functions, along a last axis.
    start
        First knot.
    spacing
        Distance between knots.
    """

    values: Float[Array, "knot ..."]
    slopes: Float[Array, "knot ..."]
    start: float = eqx.field(static=True)
    spacing: float = eqx.field(static=True)

    @jax.jit
    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "..."]:
        """Evaluate the tabulated functions at x, along a last axis if there are several."""
        last = self.values.shape[0] - 1
        inside = jnp.clip(x, self.start, self.start + last * self.spacing)
        steps = (inside - self.start) / self.spacing
        left = jnp.clip(jnp.floor(steps).astype(jnp.int32), 0, last - 1)
        cubic = _hermite(steps - left.astype(x.dtype), left, self.spacing, self.values, self.slopes)
        return cubic + _beyond(x - inside, self.slopes)


def _hermite(
    t: Float[Array, "*shape"],
    left: Int[Array, "*shape"],
    width: Float[Array, "*shape"] | float,
    values: Float[Array, "knot ..."],
    slopes: Float[Array, "knot ..."],
) -> Float[Array, "..."]:
    """Cubic at the fraction t of the interval that starts at knot ``left``."""
    # the table is converted, not the point: on a float32 mesh everything of the mesh's size stays float32
    values, slopes = values.astype(t.dtype), slopes.astype(t.dtype)
    t = t.reshape(t.shape + (1,) * (values.ndim - 1))
    u = 1 - t
    # Hermite basis (1 + 2t)(1 - t)^2, t (1 - t)^2 and its mirror image: exact at both ends in any precision
    return (
        u**2 * ((1 + 2 * t) * values[left] + t * width * slopes[left])
        + t**2 * ((1 + 2 * u) * values[left + 1] - u * width * slopes[left + 1])
    )  # fmt: skip


def _beyond(excess: Float[Array, "*shape"], slopes: Float[Array, "knot ..."]) -> Float[Array, "..."]:
    """Straight continuation at a signed distance from the nearest end knot, 0 between the knots."""
    slope = slopes.astype(excess.dtype)[jnp.where(excess < 0, 0, slopes.shape[0] - 1)]
    return excess.reshape(excess.shape + (1,) * (slopes.ndim - 1)) * slope
