"""What keeps the compiler from computing the same thing many times."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

__all__ = ["computed_once"]


def computed_once(array: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """The same array, written to memory before anything uses it.

    XLA repeats what makes an array in each of the fused kernels that use it, for each of their elements. It does not
    look through this loop; an optimization barrier is gone before kernels are fused.

    Parameters
    ----------
    array : two rows or more; a loop of one is none.
    """
    return jax.lax.map(lambda row: array[row], jnp.arange(array.shape[0]))
