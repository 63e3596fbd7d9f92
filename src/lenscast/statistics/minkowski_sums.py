r"""Sums of Minkowski functionals over pixels, and the means of these sums over the shape noise.

Convention: nu, its gradient g and its second derivatives h are those of `minkowski`, per pixel; the noise of nu, g and
h at a pixel is Gaussian with known covariance. Capitals S, G, H are those of the signal.

**Uniform depth.** The noise has the symmetries of the pixels: its g_x and g_y have the same variance s^2, and are
independent of each other, of its nu and of its h; its h_xy is independent of its nu, and its h_xx and h_yy have the
mean -tau nu for given noise nu. With P = Phi(b - S) - Phi(a - S) the probability of a bin from a to b,
M = phi(a - S) - phi(b - S) the mean of the noise of nu in it, and y = |G|^2 / (2 s^2), the means are exactly

    4 width V1 = P s sqrt(pi / 2) exp(-y / 2) [(1 + y) I0(y / 2) + y I1(y / 2)]                (mean of Rice, 1945)
    2 pi width V2 = P [2 B G_x G_y H_xy - (1 + B D) H_yy / 2 - (1 - B D) H_xx / 2] + tau M,
    D = G_x^2 - G_y^2,   B = (y - 1 + exp(-y)) / (2 s^2 y^2),

since h enters linearly, and the direction of g has the mean of cos 2 phi of a normal vector: B |G|^2 =
1 - (1 - exp(-y)) / y (projected normal distribution, Mardia & Jupp 2000, Directional Statistics, Sect. 3.5.6).

**Varying depth.** The noise of nu, g and h is correlated as the depth has it. Given its g and h, which are drawn, the
noise of nu is Gaussian with mean w (g, h) and rms s_t, and the mean over it has P with S + w (g, h) in place of S and
s_t in place of 1. Along the drawn g the derivative of V2 scatters more, as 1 / |g|: its variance grows with the
logarithm of the number of pixels.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import factorial, pi, sqrt
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, i1e, ndtr
from jax.scipy.stats.norm import pdf
from jaxtyping import Array, Bool, Float, Float64

from lenscast.statistics.filtered import Filter, noise_covariance
from lenscast.statistics.pixel_sums import pixel_sums
from lenscast.statistics.statistic import Observation

__all__ = [
    "DIFFERENCES",
    "NoiseOfDifferences",
    "differences",
    "mean_sums",
    "mean_sums_given_derivatives",
    "measured_sums",
    "noise_of_differences",
]

Pixels: TypeAlias = Float[Array, "source y x"]

DIFFERENCES = np.array(
    [
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]],
        [[0, -0.5, 0], [0, 0, 0], [0, 0.5, 0]],
        [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
        [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
        [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]],
    ]
)
"""Weights of nu, g_x, g_y, h_xx, h_yy and h_xy at a pixel and its 8 neighbours, [y x]."""


class NoiseOfDifferences(NamedTuple):
    """Noise of nu and its derivatives at a pixel; arrays have axes (y, x) of the region where depth varies.

    Attributes
    ----------
    gradient
        Rms s of g_x and of g_y.
    tau
        Minus the covariance of nu with h_xx and with h_yy.
    weights
        Weights w of the derivatives in the mean of nu.
    rest
        Rms s_t of nu for given derivatives.
    """

    gradient: float
    tau: float
    weights: Float[np.ndarray, "5 _ _"]
    rest: Float[np.ndarray, "_ _"]


def differences(snr: Pixels) -> list[Float[Array, "source y2 x2"]]:
    """Value nu, its gradient and its second derivatives at each pixel that has neighbours, as in `DIFFERENCES`."""
    side = snr.shape[-1] - 2

    def at(y: int, x: int) -> Array:
        return snr[..., 1 + y : 1 + y + side, 1 + x : 1 + x + side]

    centre, left, right, below, above = at(0, 0), at(0, -1), at(0, 1), at(-1, 0), at(1, 0)
    mixed = at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)
    second = left + right - 2 * centre, below + above - 2 * centre
    return [centre, (right - left) / 2, (above - below) / 2, *second, mixed / 4]


@lru_cache
def noise_of_differences(kind: Filter, level: int, observation: Observation) -> NoiseOfDifferences:
    """Noise of nu and its derivatives, computed once for each observation.

    Parameters
    ----------
    kind, level
        Filter and its level.
    observation
        Region and shape noise.
    """
    covariance = np.moveaxis(noise_covariance(kind, level, observation, DIFFERENCES), (0, 1), (-2, -1))
    # a pixel whose filter sees masked ones alone does not count, but its matrix must have an inverse
    derivatives = covariance[..., 1:, 1:] + 1e-12 * np.eye(5)
    weights = np.linalg.solve(derivatives, covariance[..., 1:, :1])[..., 0]
    rest = np.sqrt(np.maximum(1 - np.sum(weights * covariance[..., 0, 1:], axis=-1), 1e-6))
    first = covariance[0, 0]
    return NoiseOfDifferences(
        sqrt(first[1, 1]),
        float(-first[0, 3]),
        np.moveaxis(weights, -1, 0).astype(np.float32),
        rest.astype(np.float32),
    )


def measured_sums(
    functional: str, edges: Sequence[float], fields: Sequence[Pixels], counted: Bool[np.ndarray, "y x"]
) -> Float64[Array, "source bin"]:
    """Sums of a functional over the pixels that count.

    Parameters
    ----------
    functional
        V0, V1 or V2.
    edges
        Edges of the bins in nu.
    fields
        Noisy nu and its derivatives, from `differences`.
    counted
        Whether each pixel counts.
    """
    nu, *derivatives = fields
    if functional == "V0":
        return pixel_sums(lambda nu: (nu[None] > sum(_ends(edges, nu.dtype)) / 2).astype(nu.dtype), counted, nu)

    def inside(nu: Array, factor: Array) -> Array:
        low, high = _ends(edges, nu.dtype)
        return ((nu[None] >= low) & (nu[None] < high)) / (high - low) * factor[None]

    return pixel_sums(inside, counted, nu, _factor(functional, derivatives))


def mean_sums(
    functional: str,
    edges: Sequence[float],
    signal: Sequence[Pixels],
    counted: Bool[np.ndarray, "y x"],
    noise: NoiseOfDifferences,
) -> Float64[Array, "source bin"]:
    """Mean of `measured_sums` over the noise: of V0 for any depth, of V1 and V2 where depth is uniform.

    Parameters
    ----------
    functional, edges, counted
        As for `measured_sums`.
    signal
        Signal S and its derivatives.
    noise
        Noise of nu and its derivatives.
    """
    nu, *derivatives = signal
    if functional == "V0":
        return pixel_sums(lambda nu: ndtr(nu[None] - sum(_ends(edges, nu.dtype)) / 2), counted, nu)

    def mean(nu: Array, factor: Array) -> Array:
        low, high = _ends(edges, nu.dtype)
        of_signal = (ndtr(high - nu[None]) - ndtr(low - nu[None])) * factor[None]
        of_noise = (pdf(low - nu[None]) - pdf(high - nu[None])) * noise.tau / (2 * pi) if functional == "V2" else 0
        return (of_signal + of_noise) / (high - low)

    return pixel_sums(mean, counted, nu, _mean_factor(functional, derivatives, noise.gradient))


def mean_sums_given_derivatives(
    functional: str,
    edges: Sequence[float],
    signal: Sequence[Pixels],
    drawn: Sequence[Pixels],
    counted: Bool[np.ndarray, "y x"],
    noise: NoiseOfDifferences,
) -> Float64[Array, "source bin"]:
    """Mean of `measured_sums` of V1 or V2 over the noise of nu for given derivatives of the noise.

    Parameters
    ----------
    functional, edges, counted, signal, noise
        As for `mean_sums`.
    drawn
        Noise of nu and its derivatives in one realisation, of which the derivatives count.
    """
    shift = sum(weight[None] * each for weight, each in zip(noise.weights, drawn[1:], strict=True))
    rest = jnp.asarray(noise.rest)[None, None]

    def mean(nu: Array, factor: Array) -> Array:
        low, high = _ends(edges, nu.dtype)
        probability = ndtr((high - (nu + shift)[None]) / rest) - ndtr((low - (nu + shift)[None]) / rest)
        return probability / (high - low) * factor[None]

    noisy = [*map(jnp.add, signal[1:], drawn[1:])]
    return pixel_sums(mean, counted, signal[0], _factor(functional, noisy))


def _factor(functional: str, derivatives: Sequence[Pixels]) -> Pixels:
    """Factor of the delta function in V1 or V2, 0 where the gradient is 0."""
    g_x, g_y, h_xx, h_yy, h_xy = derivatives
    square = g_x**2 + g_y**2
    # a doubled where: the derivatives of the branches that are not taken have to be finite
    is_flat = square == 0
    safe = jnp.where(is_flat, 1, square)
    if functional == "V1":
        return jnp.where(is_flat, 0, jnp.sqrt(safe)) / 4
    curvature = (2 * g_x * g_y * h_xy - g_x**2 * h_yy - g_y**2 * h_xx) / safe
    return jnp.where(is_flat, 0, curvature) / (2 * pi)


def _mean_factor(functional: str, derivatives: Sequence[Pixels], rms: float) -> Pixels:
    """Mean of the factor over the noise of the gradient, of this rms; in V2 without the part of h that follows nu."""
    g_x, g_y, h_xx, h_yy, h_xy = derivatives
    y = (g_x**2 + g_y**2) / (2 * rms**2)
    if functional == "V1":
        return rms * sqrt(pi / 2) * ((1 + y) * i0e(y / 2) + y * i1e(y / 2)) / 4
    direction = _direction(y) / (2 * rms**2)
    excess = direction * (g_x**2 - g_y**2)
    return (2 * direction * g_x * g_y * h_xy - (1 + excess) / 2 * h_yy - (1 - excess) / 2 * h_xx) / (2 * pi)


def _ends(edges: Sequence[float], dtype: Any) -> tuple[Array, Array]:
    """Lower and upper ends of the bins, with axes of pixels."""
    low, high = (jnp.array(each, dtype)[:, None, None, None] for each in (edges[:-1], edges[1:]))
    return low, high


def _direction(y: Pixels) -> Pixels:
    """(y - 1 + exp(-y)) / y^2, by its series where y is small."""
    is_small = y < 1
    small, large = jnp.where(is_small, y, 0), jnp.where(is_small, 1, y)
    # sum of (-y)^k / (k + 2)!, whose 12th term is 1e-10
    series = jnp.polyval(jnp.array([(-1) ** k / factorial(k + 2) for k in range(11, -1, -1)], y.dtype), small)
    return jnp.where(is_small, series, (large + jnp.expm1(-large)) / large**2)
