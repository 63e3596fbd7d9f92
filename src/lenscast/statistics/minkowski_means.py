r"""Densities of Minkowski functionals at a pixel, and their means over the shape noise.

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

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import factorial, pi, sqrt
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, i1e, ndtr
from jax.scipy.stats.norm import pdf
from jaxtyping import Array, Float

from lenscast.statistics.filtered import Filter, noise_covariance
from lenscast.statistics.statistic import Observation

__all__ = [
    "Local",
    "differences",
    "functional_density",
    "local_noise",
    "mean_density",
    "mean_density_given_derivatives",
]

Density = Callable[..., Float[Array, "bin source y x"]]

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


class Local(NamedTuple):
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


def differences(snr: Float[Array, "source y x"]) -> list[Float[Array, "source y2 x2"]]:
    """Value nu, its gradient and its second derivatives at each pixel that has neighbours, as in `DIFFERENCES`."""
    side = snr.shape[-1] - 2

    def at(y: int, x: int) -> Array:
        return snr[..., 1 + y : 1 + y + side, 1 + x : 1 + x + side]

    centre, left, right, below, above = at(0, 0), at(0, -1), at(0, 1), at(-1, 0), at(1, 0)
    mixed = at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)
    second = left + right - 2 * centre, below + above - 2 * centre
    return [centre, (right - left) / 2, (above - below) / 2, *second, mixed / 4]


@lru_cache
def local_noise(kind: Filter, level: int, observation: Observation) -> Local:
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
    return Local(
        sqrt(first[1, 1]),
        float(-first[0, 3]),
        np.moveaxis(weights, -1, 0).astype(np.float32),
        rest.astype(np.float32),
    )


def functional_density(functional: str, edges: Sequence[float]) -> Density:
    """Density of a functional at a pixel, from nu, g_x, g_y, h_xx, h_yy and h_xy there.

    Parameters
    ----------
    functional
        V0, V1 or V2.
    edges
        Edges of the bins in nu.
    """

    def density(nu: Array, *derivatives: Array) -> Array:
        low, high, width = _bins(edges, nu.dtype)
        if functional == "V0":
            return (nu[None] > (low + high) / 2).astype(nu.dtype)
        inside = ((nu[None] >= low) & (nu[None] < high)).astype(nu.dtype) / width
        return inside * _of_derivatives(functional, *derivatives)[None]

    return density


def mean_density(functional: str, edges: Sequence[float], noise: Local) -> Density:
    """Mean of `functional_density` over the noise, where depth is uniform, from S, G_x, G_y, H_xx, H_yy and H_xy.

    The mean of V0 is that of any depth.

    Parameters
    ----------
    functional, edges
        As for `functional_density`.
    noise
        Noise of nu and its derivatives.
    """

    def density(nu: Array, g_x: Array, g_y: Array, h_xx: Array, h_yy: Array, h_xy: Array) -> Array:
        low, high, width = _bins(edges, nu.dtype)
        if functional == "V0":
            return ndtr(nu[None] - (low + high) / 2)
        probability = (ndtr(high - nu[None]) - ndtr(low - nu[None])) / width
        y = (g_x**2 + g_y**2) / (2 * noise.gradient**2)
        if functional == "V1":
            size = noise.gradient * sqrt(pi / 2) * ((1 + y) * i0e(y / 2) + y * i1e(y / 2))
            return probability * size[None] / 4
        direction = _direction(y) / (2 * noise.gradient**2)
        excess = direction * (g_x**2 - g_y**2)
        mixed = 2 * direction * g_x * g_y * h_xy
        curvature = mixed - (1 + excess) / 2 * h_yy - (1 - excess) / 2 * h_xx
        of_noise = (pdf(low - nu[None]) - pdf(high - nu[None])) / width
        return (probability * curvature[None] + noise.tau * of_noise) / (2 * pi)

    return density


def mean_density_given_derivatives(
    functional: str, edges: Sequence[float], noise: Local, drawn: Sequence[Float[Array, "source y x"]]
) -> Density:
    """Mean of `functional_density` over nu for given derivatives of the noise, from S and the derivatives of S + noise.

    Parameters
    ----------
    functional, edges, noise
        As for `mean_density`.
    drawn
        Derivatives g_x, g_y, h_xx, h_yy and h_xy of the noise.
    """
    rest = jnp.asarray(noise.rest)[None, None]
    shift = sum(weight[None] * each for weight, each in zip(noise.weights, drawn, strict=True))

    def density(nu: Array, *derivatives: Array) -> Array:
        low, high, width = _bins(edges, nu.dtype)
        mean = (nu + shift)[None]
        probability = (ndtr((high - mean) / rest) - ndtr((low - mean) / rest)) / width
        return probability * _of_derivatives(functional, *derivatives)[None]

    return density


def _bins(edges: Sequence[float], dtype: Any) -> tuple[Array, Array, Array]:
    """Lower and upper edges of the bins and their widths, with axes of pixels."""
    low, high = (jnp.array(each, dtype)[:, None, None, None] for each in (edges[:-1], edges[1:]))
    return low, high, high - low


def _of_derivatives(functional: str, g_x: Array, g_y: Array, h_xx: Array, h_yy: Array, h_xy: Array) -> Array:
    """Factor of the delta function in V1 or V2."""
    square = g_x**2 + g_y**2
    # a doubled where: the derivatives of the branches that are not taken have to be finite
    is_flat = square == 0
    safe = jnp.where(is_flat, 1, square)
    if functional == "V1":
        return jnp.where(is_flat, 0, jnp.sqrt(safe)) / 4
    curvature = (2 * g_x * g_y * h_xy - g_x**2 * h_yy - g_y**2 * h_xx) / safe
    return jnp.where(is_flat, 0, curvature) / (2 * pi)


def _direction(y: Array) -> Array:
    """(y - 1 + exp(-y)) / y^2, by its series where y is small."""
    is_small = y < 1
    small, large = jnp.where(is_small, y, 0), jnp.where(is_small, 1, y)
    # sum of (-y)^k / (k + 2)!, whose 12th term is 1e-10
    series = jnp.polyval(jnp.array([(-1) ** k / factorial(k + 2) for k in range(11, -1, -1)], y.dtype), small)
    return jnp.where(is_small, series, (large + jnp.expm1(-large)) / large**2)
