"""Sums over pixels of functions of the maps at each pixel, with a derivative that is cheap for many tangents."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float64

__all__ = ["pixel_sums"]


def pixel_sums(
    function: Callable[..., Float[Array, "bin source y x"]],
    counted: Bool[Any, "y x"],
    *maps: Float[Array, "source y x"],
) -> Float64[Array, "source bin"]:
    """Sum over pixels of a function of maps, each pixel by itself.

    Traced by JAX, each tangent of the maps would make an array of its own for all bins and pixels. Here the slopes of
    the function are computed once and serve all tangents.

    Parameters
    ----------
    function
        Function of maps whose value at a pixel depends on the maps at this pixel alone.
    counted
        Whether each pixel counts.
    maps
        Maps that the function takes.
    """
    mask = jnp.asarray(counted)[None, None]

    def totals(values: Float[Array, "bin source y x"]) -> Float64[Array, "source bin"]:
        return jnp.sum(jnp.where(mask, values, 0), axis=(-2, -1), dtype=jnp.float64).T

    @jax.custom_jvp
    def sums(*maps: Array) -> Array:
        return totals(function(*maps))

    @sums.defjvp
    def sums_jvp(maps: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        value, change = totals(function(*maps)), jnp.zeros((), jnp.float64)
        for index, tangent in enumerate(tangents):

            def of_one(here: Array, index: int = index) -> Array:
                return function(*maps[:index], here, *maps[index + 1 :])

            _, slope = jax.jvp(of_one, (maps[index],), (jnp.ones_like(maps[index]),))
            rows = jnp.einsum("bsyx,syx->sby", jnp.where(mask, slope, 0), tangent, precision=jax.lax.Precision.HIGHEST)
            change += jnp.sum(rows, axis=-1, dtype=jnp.float64)
        return value, change

    return sums(*maps)
