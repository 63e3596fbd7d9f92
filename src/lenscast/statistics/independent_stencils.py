"""Mean number of peaks from noise that every pixel draws for its own stencil, with a derivative of little scatter.

The mean of a count is a sum over pixels of the probability that the pixel is a peak. Each probability depends on the
noise at the 9 pixels of one stencil alone, whose covariance is known. So each pixel may draw this noise for itself:
the mean of the sum stays the same, and its scatter loses the covariance of neighbouring pixels. Only means and
derivatives may be estimated so, for the scatter of counts in a survey does depend on that covariance.

At each pixel n = c t + a_x g_x + a_y g_y + e (`stencil_noise`), and the pixel is a peak above an edge once t > z, where
z is the larger of two rises of t (`local_maxima`). For a map with the tangent S' the estimates are

    value        mean of Phi(-z),
    derivative   mean of -phi(z) (dz/dS) r + Phi(-z) (g_x gamma_x + g_y gamma_y),  S' = a_x gamma_x + a_y gamma_y + r.

Both are unbiased. Phi(-z) is the probability of a peak for a fixed rest of the noise (conditional Monte Carlo). The
signal enters only in a sum with the noise: to move the signal along a_x is to move the mean of g_x, and the derivative
of the expectation of F(g) with respect to the mean of a unit normal g is the expectation of F(g) g (score, or
likelihood ratio). Along r the derivative of Phi(-z) is taken for fixed noise (path). The split holds for any gamma.

The path alone, gamma = 0, has a large scatter where neighbours are close: their noise hardly differs, z divides small
differences by smaller c_0 - c_j, and dz/dS is large. Most of this is gradients of S', which the score takes without
dividing by anything. On a wide stencil the path alone has less scatter. The score of a large probability is noise too;
estimates with the noise n and with -n are averaged, and in their mean it cancels.

Reference: Asmussen & Glynn (2007), Stochastic Simulation, Sects. V.2 (antithetic pairs), V.4 (conditional Monte Carlo),
VII.2 (path) and VII.3 (score).
"""

from collections.abc import Iterable, Sequence
from functools import partial, reduce
from math import inf, pi, sqrt
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Float64, Key

from lenscast.statistics.stencil import OFFSETS, Stencil
from lenscast.statistics.stencil_noise import StencilNoise

__all__ = ["independent_tails"]


class _Crossing(NamedTuple):
    """Where t makes peaks, for one sign of the noise.

    Attributes
    ----------
    threshold
        z of each tail.
    is_first
        Whether z is the rise above the neighbours, not the rise to the edge.
    is_highest
        Whether the rise above this neighbour is the largest.
    """

    threshold: Float[Array, "tail source y x"]
    is_first: Bool[Array, "tail source y x"]
    is_highest: list[Bool[Array, "source y x"]]


def independent_tails(
    snr: Float[Array, "source y x"],
    key: Key[Array, ""],
    stencil: Stencil,
    noise: StencilNoise,
    snr_edges: Sequence[float],
) -> Float64[Array, "tail source"]:
    """Estimate of the mean of `hard_tails` over the noise, with a derivative that is not that of its value.

    Parameters
    ----------
    snr
        Signal to noise nu of the signal without noise; pixels that lack a neighbour are no peaks.
    key
        Random key of the noise of all stencils.
    stencil
        Positions of the neighbours, and the response of the noise to t.
    noise
        Noise of the stencils; without weights of a gradient, the path takes all of the derivative.
    snr_edges
        Edges in nu.
    """
    side = snr.shape[-1] - 2 * stencil.spacing
    normals = jax.random.normal(key, (8, len(snr), side, side), jnp.float32).astype(snr.dtype)

    @jax.custom_jvp
    def tails(snr: Array, normals: Array) -> Float64[Array, "tail source"]:
        return _mean([_upper_tail(each.threshold) for each in _crossings(snr, normals, stencil, noise, snr_edges)])

    @tails.defjvp
    def tails_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        crossings = _crossings(*primals, stencil, noise, snr_edges)
        above = [_upper_tail(each.threshold) for each in crossings]
        return _mean(above), _derivative(tangents[0], primals[1], crossings, above, stencil, noise)

    return tails(snr, normals) / stencil.spacing**2


def _crossings(
    snr: Float[Array, "source y x"],
    normals: Float[Array, "8 source y2 x2"],
    stencil: Stencil,
    noise: StencilNoise,
    snr_edges: Sequence[float],
) -> list[_Crossing]:
    """Where t makes peaks, with the noise and with its negative."""
    centre, *neighbours = _on_stencil(snr, stencil.spacing)
    per_centre, *per_neighbour = _per_rise(stencil, snr.dtype)
    rises = [(each - centre) * per_one for each, per_one in zip(neighbours, per_neighbour, strict=True)]
    signal = jnp.stack([-centre * per_centre, *rises])
    subscripts = "jk,ksyx->jsyx" if noise.rise.ndim == 2 else "jkyx,ksyx->jsyx"
    # an accelerator multiplies matrices of single precision with less than that, unless it is told otherwise
    scatter = jnp.einsum(subscripts, noise.rise, normals, precision=lax.Precision.HIGHEST)
    return [_crossing(signal + sign * scatter, stencil, snr_edges) for sign in (1, -1)]


def _crossing(rise: Float[Array, "9 source y x"], stencil: Stencil, snr_edges: Sequence[float]) -> _Crossing:
    """Where t makes peaks, for given rises to nu = 0 and above each neighbour."""
    highest = jnp.max(rise[1:], axis=0)
    to_peak = highest if stencil.local is None else jnp.where(stencil.local.counted[None], highest, inf)
    per_centre = _per_rise(stencil, rise.dtype)[0]
    # XLA computes a stacked array once, but a maximum again in each function of it
    threshold = jnp.stack([to_peak, *(jnp.maximum(to_peak, rise[0] + edge * per_centre) for edge in snr_edges)])
    return _Crossing(threshold, threshold == to_peak[None], [each == highest for each in rise[1:]])


def _derivative(
    tangent: Float[Array, "source y x"],
    normals: Float[Array, "8 source y2 x2"],
    crossings: Sequence[_Crossing],
    above: Sequence[Float[Array, "tail source y2 x2"]],
    stencil: Stencil,
    noise: StencilNoise,
) -> Float64[Array, "tail source"]:
    """Mean derivative along a tangent of nu; what does not depend on the tangent is computed once for all of them."""
    centre, *neighbours = _on_stencil(tangent, stencil.spacing)
    per_centre, *per_neighbour = _per_rise(stencil, tangent.dtype)
    gammas = [_sum_of_products(_maps(weights[1:]), neighbours) for weights in noise.gradient]
    # what g_x and g_y change in each rise
    at_edge, *at_neighbours = [_maps(rise[: len(gammas)]) for rise in noise.rise]

    density = [jnp.exp(-(each.threshold**2) / 2) / sqrt(2 * pi) for each in crossings]
    at_edges = [jnp.where(each.is_first, 0, of) for each, of in zip(crossings, density, strict=True)]
    derivative = -_total(reduce(jnp.add, at_edges), _less_products(-centre * per_centre, at_edge, gammas))
    for each, of in zip(crossings, density, strict=True):
        highest = partial(_selected, each.is_highest)
        change = (highest(neighbours) - centre) * highest(per_neighbour)
        at_highest = [highest(along) for along in zip(*at_neighbours, strict=True)]
        derivative -= _total(jnp.where(each.is_first, of, 0), _less_products(change, at_highest, gammas))
    if gammas:
        derivative += _total(above[0] - above[1], _sum_of_products(normals[:2], gammas))
    return derivative / len(crossings)


def _on_stencil(maps: Float[Array, "source y x"], spacing: int) -> list[Float[Array, "source y2 x2"]]:
    """Each pixel that has all neighbours, and its neighbours."""
    side = maps.shape[-1] - 2 * spacing
    return [maps[..., y : y + side, x : x + side] for y, x in (spacing * (1 + OFFSETS)).tolist()]


def _per_rise(stencil: Stencil, dtype: Any) -> list[Array]:
    """Rise of t per nu: of the centre to nu = 0, and above each neighbour; numbers of even depth, or maps."""
    responses = [stencil.centre, *4 * [stencil.edge], *4 * [stencil.corner]]
    even = [jnp.asarray(1 / each, dtype) for each in responses]
    return even if stencil.local is None else [each / stencil.local.response[None] for each in even]


def _maps(values: Float[Any, "..."]) -> list[Array]:
    """Entries of a table for all sources: numbers of even depth, or maps."""
    return [jnp.asarray(each if each.ndim == 0 else each[None]) for each in values]


def _selected(is_chosen: Sequence[Bool[Array, "source y x"]], values: Sequence[Array]) -> Array:
    """Value, at each pixel, of the neighbour that is chosen there; of the last one where several are."""
    return reduce(
        lambda chosen, each: jnp.where(each[0], each[1], chosen), zip(is_chosen, values, strict=True), values[0]
    )


def _sum_of_products(first: Iterable[Array], second: Iterable[Array]) -> Array:
    """Sum of products, of one at least."""
    return reduce(jnp.add, map(jnp.multiply, first, second))


def _less_products(value: Array, first: Sequence[Array], second: Sequence[Array]) -> Array:
    """Value less a sum of products, if there are any."""
    return reduce(jnp.subtract, map(jnp.multiply, first, second), value)


def _upper_tail(x: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Probability that a unit normal variable exceeds x."""
    return 0.5 * lax.erfc(x / sqrt(2.0))


def _total(weights: Float[Array, "tail source y x"], maps: Float[Array, "source y x"]) -> Float64[Array, "tail source"]:
    """Weighted sums over pixels, along rows in the precision of the maps."""
    rows = jnp.einsum("tsyx,syx->tsy", weights, maps, precision=lax.Precision.HIGHEST)
    return jnp.sum(rows, axis=-1, dtype=jnp.float64)


def _mean(above: Sequence[Float[Array, "tail source y x"]]) -> Float64[Array, "tail source"]:
    """Sum over pixels, averaged over the signs of the noise."""
    return jnp.sum(jnp.stack(above), axis=(0, -2, -1), dtype=jnp.float64) / len(above)
