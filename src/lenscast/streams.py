"""Random streams: what is random in a box, and the key of each part of it.

Convention: ``jax.random.key(seed)`` is the root of a box; everything random in it folds in a fixed stream number, so
that a new stream moves no old one and a realisation is the same whatever others are made with it.
"""

import jax
from jaxtyping import Array, Int, Key

INITIAL_FIELD, VIEW, SHAPE_NOISE = range(3)


def box_key(seed: Int[Array, ""] | int, stream: int) -> Key[Array, ""]:
    """Key of what there is once in a box."""
    return jax.random.fold_in(jax.random.key(seed), stream)


def stream_key(seed: Int[Array, ""] | int, stream: int, realisation: Int[Array, ""] | int) -> Key[Array, ""]:
    """Key of what each realisation of the sky has of its own."""
    return jax.random.fold_in(box_key(seed, stream), realisation)
