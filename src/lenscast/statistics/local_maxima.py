"""Local maxima of noisy starlet coefficients: hard counts, their exact mean over part of the noise, soft counts.

Convention: nu is a normalised coefficient over the rms of its noise. A peak is a pixel whose nu is above the nu of its
8 neighbours, `Stencil.spacing` pixels away. Counts are per grid of that spacing: the count over all pixels, divided by
spacing^2. Where depth varies, noise and stencil vary too, and pixels near masked ones do not count (`stencil`).

A hard count jumps when a pixel becomes a peak. Its derivative pixel by pixel, which automatic differentiation gives,
misses the peaks that come and go. But the noise is white on the sky and its rms is known, so part of it can be averaged
over exactly (conditional Monte Carlo). Let n be the noise of nu at the 9 pixels of a stencil, C its covariance, and q a
contrast: 1 at the centre and -1/8 at the neighbours. With s^2 = q C q and c = C q / s, t = q n / s is a unit normal
variable that is independent of n - c t. If t changes while n - c t does not, the pixel is a peak above e once t has
risen from its value in the map by

    z = max(max_j (nu_j - nu_0) / (c_0 - c_j), (e - nu_0) / c_0).

The hard count is the number of pixels with z < 0. The sum over pixels of Phi(-t - z), the probability of a peak for
fixed n - c t, has exactly the same mean. It is continuous in the map, so that its derivative is an unbiased estimate of
the derivative of the mean count. The closer the neighbours, the larger the scatter of the estimate: on a wide scale the
noise of adjacent pixels hardly differs.

Reference: Asmussen & Glynn (2007), Stochastic Simulation, Sects. V.4 and VII.2.
"""

from collections.abc import Sequence
from functools import reduce
from math import inf, pi, sqrt

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Float64

from lenscast.statistics.stencil import CORNERS, EDGES, Stencil

__all__ = ["counts_from_tails", "hard_tails", "masked_tails", "mean_tails", "soft_tails"]


def counts_from_tails(tails: Float[Array, "tail source"]) -> Float[Array, "tail source"]:
    """Contents of the bins of `open_intervals`, as differences of tails.

    The bins add up to the total, whether tails are counts or smooth functions of the value.

    Parameters
    ----------
    tails
        Total number, and number above each edge, edges increasing.
    """
    return tails - jnp.concatenate([tails[1:], jnp.zeros_like(tails[:1])])


def hard_tails(
    snr: Float[Array, "source y x"], stencil: Stencil, snr_edges: Sequence[float]
) -> Float64[Array, "tail source"]:
    """Number of peaks: of all peaks, and of those above each edge.

    Parameters
    ----------
    snr
        Signal to noise nu; pixels that lack a neighbour are no peaks.
    stencil
        Positions of the neighbours.
    snr_edges
        Edges in nu.
    """
    to_peak, to_zero = _rise(snr, stencil)
    rise = jnp.maximum(to_peak[None], to_zero[None] + _from_zero(snr_edges, stencil, snr.dtype))
    return _total((rise < 0).astype(snr.dtype), stencil)


def mean_tails(
    snr: Float[Array, "source y x"],
    noise: Float[Array, "source y x"],
    stencil: Stencil,
    snr_edges: Sequence[float],
) -> Float64[Array, "tail source"]:
    """`hard_tails` averaged over the contrast t of the noise at each pixel, for fixed n - c t.

    Parameters
    ----------
    snr
        Signal to noise nu of signal plus noise; pixels that lack a neighbour are no peaks.
    noise
        Signal to noise nu of the noise alone.
    stencil
        Positions of the neighbours, and the covariance of the noise there.
    snr_edges
        Edges in nu.
    """
    contrast = _contrast(noise, stencil)
    to_peak, to_zero = _rise(snr, stencil)
    levels = _from_zero(snr_edges, stencil, snr.dtype)
    return _exceedance(contrast + to_peak, contrast + to_zero, levels) / stencil.spacing**2


def soft_tails(
    snr: Float[Array, "source y x"], stencil: Stencil, snr_edges: Sequence[float], softness: float
) -> Float64[Array, "tail source"]:
    """Smooth counts that differ from `hard_tails` in the second order of their softness.

    A pixel is a peak to the degree of a sigmoid of its height above the highest neighbour, whose width is the softness
    times the rms of half the second difference of the noise. It is above an edge to the degree of a normal distribution
    function in nu, whose width is the softness.

    Parameters
    ----------
    snr
        Signal to noise nu; pixels that lack a neighbour are no peaks.
    stencil
        Positions of the neighbours, and the curvature of the noise there.
    snr_edges
        Edges in nu.
    softness
        Width of both functions.
    """
    centre = _at(snr, (0, 0), stencil.spacing)
    height = centre - _highest(snr, EDGES + CORNERS, stencil.spacing)
    peak = jax.nn.sigmoid(height / (softness * stencil.curvature))
    above = _upper_tail((_levels(snr_edges, 1.0, snr.dtype) - centre[None]) / softness)
    return _total(peak[None] * above, stencil)


def masked_tails(
    snr: Float[Array, "source y x"], stencil: Stencil, snr_edges: Sequence[float], width: float
) -> Float64[Array, "tail source"]:
    """Counts with smooth edges in nu behind a hard mask of the peaks.

    Automatic differentiation follows the heights of the peaks in the mask, but misses peaks that appear or vanish: the
    derivative of their total number is 0. This function exists to show how wrong that is.

    Parameters
    ----------
    snr
        Signal to noise nu; pixels that lack a neighbour are no peaks.
    stencil
        Positions of the neighbours.
    snr_edges
        Edges in nu.
    width
        Width of the edges in nu.
    """
    centre = _at(snr, (0, 0), stencil.spacing)
    peak = centre > _highest(snr, EDGES + CORNERS, stencil.spacing)
    above = _upper_tail((_levels(snr_edges, 1.0, snr.dtype) - centre[None]) / width)
    return _total(peak[None] * above, stencil)


def _rise(
    snr: Float[Array, "source y x"], stencil: Stencil
) -> tuple[Float[Array, "source y2 x2"], Float[Array, "source y2 x2"]]:
    """Rise of t that lifts a pixel above its neighbours, infinite where it does not count; and rise to nu = 0."""
    centre = _at(snr, (0, 0), stencil.spacing)
    above_edges = (_highest(snr, EDGES, stencil.spacing) - centre) / stencil.edge
    above_corners = (_highest(snr, CORNERS, stencil.spacing) - centre) / stencil.corner
    # the callers add the rise from 0 to an edge, for all edges at once
    to_peak, to_zero = _larger(above_edges, above_corners), -centre / stencil.centre
    if stencil.local is None:
        return to_peak, to_zero
    local = stencil.local
    return jnp.where(local.counted[None], to_peak / local.response[None], inf), to_zero / local.response[None]


def _contrast(noise: Float[Array, "source y x"], stencil: Stencil) -> Float[Array, "source y2 x2"]:
    """Part t of the noise that is averaged over."""
    centre, *neighbours = (_at(noise, offset, stencil.spacing) for offset in ((0, 0), *EDGES, *CORNERS))
    if stencil.local is None:
        return (centre - sum(neighbours) / 8) / stencil.contrast
    terms = zip(stencil.local.weights, (centre, *neighbours), strict=True)
    return reduce(jnp.add, (weight[None] * each for weight, each in terms))


@jax.custom_jvp
def _exceedance(
    first: Float[Array, "source y x"], second: Float[Array, "source y x"], levels: Float[Array, "tail 1 _ _"]
) -> Float64[Array, "tail source"]:
    """Sum over pixels of the probability that a unit normal variable exceeds both `first` and `second` + level."""
    threshold = jnp.maximum(first[None], second[None] + levels)
    return jnp.sum(_upper_tail(threshold), axis=(-2, -1), dtype=jnp.float64)


@_exceedance.defjvp
def _exceedance_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Float64[Array, "tail source"], Float64[Array, "tail source"]]:
    """Derivative of the probabilities, which are minus the normal density times the derivative of the threshold.

    Traced by JAX, each tangent would make an array of its own for all edges and pixels; here one array of densities
    serves all tangents. The levels are constants.
    """
    first, second, levels = primals
    threshold = jnp.maximum(first[None], second[None] + levels)
    density = jnp.exp(-(threshold**2) / 2) / sqrt(2 * pi)
    is_first = first[None] > second[None] + levels
    rows = jnp.einsum("tsyx,syx->tsy", jnp.where(is_first, density, 0), tangents[0])
    rows += jnp.einsum("tsyx,syx->tsy", jnp.where(is_first, 0, density), tangents[1])
    return _exceedance(*primals), -jnp.sum(rows, axis=-1, dtype=jnp.float64)


def _upper_tail(x: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Probability that a unit normal variable exceeds x."""
    return 0.5 * lax.erfc(x / sqrt(2.0))


def _total(indicators: Float[Array, "tail source y x"], stencil: Stencil) -> Float64[Array, "tail source"]:
    """Sum over pixels that count, per grid of the spacing of the stencil."""
    if stencil.local is not None:
        indicators = jnp.where(stencil.local.counted[None, None], indicators, 0)
    return jnp.sum(indicators, axis=(-2, -1), dtype=jnp.float64) / stencil.spacing**2


def _levels(snr_edges: Sequence[float], unit: float, dtype: jnp.dtype) -> Float[Array, "tail 1 1 1"]:
    """Edges above which tails are taken, in units of `unit` in nu; the first is below all values."""
    return jnp.array([-inf, *(edge / unit for edge in snr_edges)], dtype)[:, None, None, None]


def _from_zero(snr_edges: Sequence[float], stencil: Stencil, dtype: jnp.dtype) -> Float[Array, "tail 1 _ _"]:
    """Rise of t from nu = 0 to the level of each tail."""
    levels = _levels(snr_edges, stencil.centre, dtype)
    return levels if stencil.local is None else levels / stencil.local.response[None, None]


def _at(maps: Float[Array, "source y x"], offset: tuple[int, int], spacing: int) -> Float[Array, "source y2 x2"]:
    """Neighbour in one direction of each pixel that has all neighbours; (0, 0) is the pixel itself."""
    side = maps.shape[-1] - 2 * spacing
    y, x = ((1 + step) * spacing for step in offset)
    return maps[..., y : y + side, x : x + side]


def _highest(
    maps: Float[Array, "source y x"], offsets: Sequence[tuple[int, int]], spacing: int
) -> Float[Array, "source y2 x2"]:
    """Highest neighbour in these directions of each pixel that has all neighbours."""
    return reduce(_larger, (_at(maps, offset, spacing) for offset in offsets))


def _larger(first: Float[Array, "source y x"], second: Float[Array, "source y x"]) -> Float[Array, "source y x"]:
    """Maximum of two maps, whose tangent is a single selection; that of jnp.maximum takes twice as long to compile."""
    return jnp.where(first > second, first, second)
