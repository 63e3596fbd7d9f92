"""Boxes of a batch, one after another or as many side by side as memory holds."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["each_box"]

SHARE = 0.8
"""Of the memory found, for boxes of a group and the results of the group before."""


def each_box(
    program: Callable[..., Any], seeds: Sequence[int], *arguments: Any, memory: int | None = None
) -> Iterator[Any]:
    """The result of a program for each seed.

    On an accelerator boxes run side by side, in equal groups of as many as its memory holds, and a group runs while
    the results of the one before are used. On a CPU they run one after another: side by side takes it longer.

    Parameters
    ----------
    program : function of a seed and the arguments that JAX can compile.
    seeds : of the boxes.
    arguments : the same for all boxes.
    memory : bytes for boxes side by side; by default those that JAX finds on an accelerator.
    """
    memory = _accelerator() if memory is None else memory
    if memory is None:
        alone = jax.jit(program)
        yield from (alone(seed, *arguments) for seed in seeds)
        return
    size = _fitting(program, len(seeds), arguments, memory)
    together = _side_by_side(program, arguments)
    groups = [jnp.asarray(seeds[first : first + size]) for first in range(0, len(seeds), size)]
    running = together(groups[0], *arguments)
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        done, running = running, None if following is None else together(following, *arguments)
        yield from (jax.tree.map(lambda array, row=row: array[row], done) for row in range(len(group)))


def _side_by_side(program: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    return jax.jit(jax.vmap(program, (0, *(None for _ in arguments))))


def _fitting(program: Callable[..., Any], seeds: int, arguments: Sequence[Any], memory: int) -> int:
    """The largest divisor of the number of seeds that memory holds so many boxes of; 1 even where it does not."""
    size = max(1, min(seeds, int(SHARE * memory / _taken(program, 1, arguments))))
    while size > 1 and (seeds % size or _taken(program, size, arguments) > SHARE * memory):
        size -= 1
    return size


def _taken(program: Callable[..., Any], size: int, arguments: Sequence[Any]) -> int:
    """Bytes of so many boxes side by side while their program runs, and of as many results."""
    compiled = _side_by_side(program, arguments).lower(jnp.arange(size), *arguments).compile()
    found = compiled.memory_analysis()
    return found.temp_size_in_bytes + found.argument_size_in_bytes + 2 * found.output_size_in_bytes


def _accelerator() -> int | None:
    """Bytes of memory that JAX may use on the accelerator; None on a CPU."""
    if jax.default_backend() == "cpu":
        return None
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
