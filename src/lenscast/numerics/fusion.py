"""Control over what the compiler fuses: arrays that XLA must compute only once.

XLA fuses the operations that make an array into every kernel that uses it. That saves memory traffic, but repeats
expensive operations; where it repeats too many, `computed_once` ends a fusion.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped


def computed_once(array: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """Return the same array, written to memory before anything uses it.

    Without this, XLA repeats the operations that make the array in each of the fused kernels that use it, for each
    element of these kernels.

    Parameters
    ----------
    array
        Array with two or more rows. XLA removes a loop over a single row, and fuses again.
    """
    # XLA does not fuse across a loop; it removes jax.lax.optimization_barrier before it fuses kernels
    return jax.lax.map(lambda row: array[row], jnp.arange(array.shape[0]))
