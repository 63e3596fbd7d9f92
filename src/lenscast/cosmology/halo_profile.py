"""Profile of a halo in Fourier space: Navarro, Frenk & White (1997, astro-ph/9611107), cut at the virial radius."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import sici

from lenscast.numerics.interpolation import UniformHermiteTable

__all__ = ["nfw_transform"]

LN_X = np.linspace(np.log(1e-7), np.log(1e5), 513)
"""Knots of `_auxiliary`."""


def _auxiliary_table() -> tuple[Float[np.ndarray, "knot 2"], Float[np.ndarray, "knot 2"]]:
    """Auxiliary functions of the sine and cosine integrals on LN_X, and their derivatives by ln x."""
    x = np.exp(LN_X)
    si, ci = sici(x)
    f = ci * np.sin(x) + (np.pi / 2 - si) * np.cos(x)
    g = (np.pi / 2 - si) * np.sin(x) - ci * np.cos(x)
    return np.stack([f, g], axis=-1), np.stack([-x * g, x * f - 1], axis=-1)


AUXILIARY, AUXILIARY_SLOPE = _auxiliary_table()


def _auxiliary(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Auxiliary f = int sin(t) / (t + x) dt and g = int cos(t) / (t + x) dt, t > 0 (Abramowitz & Stegun, 5.2)."""
    spacing = float(LN_X[1] - LN_X[0])
    table = UniformHermiteTable(jnp.asarray(AUXILIARY), jnp.asarray(AUXILIARY_SLOPE), float(LN_X[0]), spacing)
    both = table(jnp.log(x))
    return both[..., 0], both[..., 1]


@jax.custom_jvp
def nfw_transform(
    k: Float[Array, ""], radius: Float[Array, " halo"], concentration: Float[Array, " halo"]
) -> Float[Array, " halo"]:
    r"""Fourier transform of a Navarro-Frenk-White profile that ends at its virial radius, 1 at k = 0.

    With x = k r_v / c, y = (1 + c) x, and the auxiliary functions f and g of the sine and cosine integrals

        U = [g(x) + (f(y) - 1/y) sin(c x) - g(y) cos(c x)] / m,   m = ln(1 + c) - c / (1 + c),

    accurate to 1e-7 between x = 1e-7 and y = 1e5.

    Parameters
    ----------
    k : wavenumber [h/Mpc], positive.
    radius : virial radius r_v [Mpc/h].
    concentration : virial radius over scale radius, c.

    References: Cooray & Sheth (2002), astro-ph/0206508, Eq. 81, with f and g in place of the integrals.
    """
    return _nfw(k, radius, concentration)[0]


@nfw_transform.defjvp
def _nfw_transform_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """The derivatives in closed form, found once for all tangents: a third of the time."""
    k, radius, concentration = primals
    k_dot, radius_dot, concentration_dot = tangents
    transform, by_ln_x, by_concentration = _nfw(k, radius, concentration)
    ln_x_dot = k_dot / k + radius_dot / radius - concentration_dot / concentration
    return transform, by_ln_x * ln_x_dot + by_concentration * concentration_dot


def _nfw(
    k: Float[Array, ""], radius: Float[Array, " halo"], concentration: Float[Array, " halo"]
) -> tuple[Float[Array, " halo"], Float[Array, " halo"], Float[Array, " halo"]]:
    """`nfw_transform`, its derivative by ln x at fixed c, and by c at fixed x."""
    x = k * radius / concentration
    y = (1 + concentration) * x
    edge = concentration * x
    sin, cos = jnp.sin(edge), jnp.cos(edge)
    (f_x, g_x), (f_y, g_y) = _auxiliary(x), _auxiliary(y)
    f_y = f_y - 1 / y
    shell = concentration / (1 + concentration)
    mass = jnp.log1p(concentration) - shell
    transform = (g_x + f_y * sin - g_y * cos) / mass
    by_ln_x = (x * f_x - 1 - x * (f_y * cos + g_y * sin) + sin / y) / mass
    by_concentration = shell / (1 + concentration) * (sin / edge - transform) / mass
    return transform, by_ln_x, by_concentration
