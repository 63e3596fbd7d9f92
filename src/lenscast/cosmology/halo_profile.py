"""Profile of a halo in Fourier space: Navarro, Frenk & White (1997, astro-ph/9611107), cut at the virial radius.

The transform has a closed form in sine and cosine integrals. JAX has neither, so their smooth auxiliary functions f and
g are tabulated here with scipy. Convention: the transform is divided by the mass, so that it is 1 at k = 0.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import sici

from lenscast.numerics.interpolation import UniformHermiteTable

LN_X = np.linspace(np.log(1e-7), np.log(1e5), 513)
"""Knots of `_auxiliary`."""


def _auxiliary_table() -> tuple[Float[np.ndarray, "knot 2"], Float[np.ndarray, "knot 2"]]:
    """Auxiliary functions f and g on LN_X, and their derivatives with respect to ln x."""
    x = np.exp(LN_X)
    si, ci = sici(x)
    # Abramowitz & Stegun (1964) eqs. 5.2.6 and 5.2.7; df/dx = -g and dg/dx = f - 1/x
    f = ci * np.sin(x) + (np.pi / 2 - si) * np.cos(x)
    g = (np.pi / 2 - si) * np.sin(x) - ci * np.cos(x)
    return np.stack([f, g], axis=-1), np.stack([-x * g, x * f - 1], axis=-1)


AUXILIARY, AUXILIARY_SLOPE = _auxiliary_table()


class _Auxiliary(NamedTuple):
    """Auxiliary functions f and g, in their order along the last axis of the table."""

    f: Float[Array, "*shape"]
    g: Float[Array, "*shape"]


def _auxiliary(x: Float[Array, "*shape"]) -> _Auxiliary:
    """Auxiliary f = int sin(t) / (t + x) dt and g = int cos(t) / (t + x) dt, t > 0 (Abramowitz & Stegun, 5.2)."""
    spacing = float(LN_X[1] - LN_X[0])
    table = UniformHermiteTable(jnp.asarray(AUXILIARY), jnp.asarray(AUXILIARY_SLOPE), float(LN_X[0]), spacing)
    both = table(jnp.log(x))
    return _Auxiliary(*(both[..., column] for column in range(2)))


class _Profile(NamedTuple):
    """Transform of a profile and its partial derivatives, with x = k r_v / c.

    Attributes
    ----------
    transform
        U(x, c).
    slope_ln_x
        Derivative with respect to ln x at fixed concentration.
    slope_concentration
        Derivative with respect to the concentration at fixed x.
    """

    transform: Float[Array, " halo"]
    slope_ln_x: Float[Array, " halo"]
    slope_concentration: Float[Array, " halo"]


@jax.custom_jvp
def nfw_transform(
    k: Float[Array, ""], radius: Float[Array, " halo"], concentration: Float[Array, " halo"]
) -> Float[Array, " halo"]:
    r"""Fourier transform of a Navarro-Frenk-White profile that ends at its virial radius, 1 at k = 0.

    Cooray & Sheth (2002, astro-ph/0206508) eq. 81, with f and g in place of the sine and cosine integrals.

    Parameters
    ----------
    k
        Wavenumber [h/Mpc], positive.
    radius
        Virial radius r_v [Mpc/h].
    concentration
        Virial radius over scale radius, c.

    Notes
    -----
    With x = k r_v / c, y = (1 + c) x, and the auxiliary functions f and g of the sine and cosine integrals,

        U = [g(x) + (f(y) - 1/y) sin(c x) - g(y) cos(c x)] / m,   m = ln(1 + c) - c / (1 + c),

    accurate to 1e-7 between x = 1e-7 and y = 1e5.
    """
    return _nfw(k, radius, concentration).transform


@nfw_transform.defjvp
def _nfw_transform_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """Derivatives in closed form, computed once for all tangents: a third of the time of automatic ones."""
    k, radius, concentration = primals
    k_dot, radius_dot, concentration_dot = tangents
    transform, slope_ln_x, slope_concentration = _nfw(k, radius, concentration)
    ln_x_dot = k_dot / k + radius_dot / radius - concentration_dot / concentration
    return transform, slope_ln_x * ln_x_dot + slope_concentration * concentration_dot


def _nfw(k: Float[Array, ""], radius: Float[Array, " halo"], concentration: Float[Array, " halo"]) -> _Profile:
    """`nfw_transform` and its derivatives."""
    x = k * radius / concentration
    y = (1 + concentration) * x
    edge = concentration * x
    sin, cos = jnp.sin(edge), jnp.cos(edge)
    (f_x, g_x), (f_y, g_y) = _auxiliary(x), _auxiliary(y)
    # f(y) and 1/y nearly cancel for large y: their difference is taken first
    f_y = f_y - 1 / y
    shell = concentration / (1 + concentration)
    mass = jnp.log1p(concentration) - shell
    transform = (g_x + f_y * sin - g_y * cos) / mass
    # f' = -g and g' = f - 1/x; the terms from the arguments of sin and cos cancel against part of those of f(y), g(y)
    slope_ln_x = (x * f_x - 1 - x * (f_y * cos + g_y * sin) + sin / y) / mass
    # a shell of the profile at the virial radius, less the share of it that the normalisation takes
    slope_concentration = shell / (1 + concentration) * (sin / edge - transform) / mass
    return _Profile(transform, slope_ln_x, slope_concentration)
