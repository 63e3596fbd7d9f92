"""Boxes of a batch, computed one after another or side by side, in groups that fit into memory.

The program of a box and its results belong to the callers; this module decides only how many boxes run at a time. Every
box has the same results either way, up to rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.multihost_utils import process_allgather

SHARE = 0.8
"""Share of the accelerator's memory for the boxes of a group and the results of the previous group."""


def each_box(
    program: Callable[..., Any], seeds: Sequence[int], *arguments: Any, memory: int | None = None, devices: int = 1
) -> Iterator[Any]:
    """Yield the result of a program for each seed, in the order of the seeds.

    On an accelerator boxes run side by side, in equal groups that fit into its memory. A group runs while the caller
    uses the results of the previous one. On a CPU boxes run one after another: side by side they take longer.

    Parameters
    ----------
    program
        Function of a seed and the arguments that JAX can compile.
    seeds
        Seeds of the boxes.
    arguments
        Further arguments of the program, the same for all boxes.
    memory
        Memory for boxes side by side [bytes]; by default the memory of the accelerator that JAX runs on.
    devices
        Devices that one box is split over; boxes on more than one run one after another.
    """
    memory = _accelerator() if memory is None else memory
    if memory is None or devices > 1:
        alone = jax.jit(program)
        boxes = (alone(seed, *arguments) for seed in seeds)
        # every process gets the whole of results that are spread over the devices of several
        yield from (process_allgather(box, tiled=True) for box in boxes) if devices > 1 else boxes
        return
    size = _group_size(program, len(seeds), arguments, memory)
    together = _side_by_side(program, arguments)
    groups = [jnp.asarray(seeds[first : first + size]) for first in range(0, len(seeds), size)]
    # JAX dispatches asynchronously: the next group is sent off before the results of this one are read
    running = together(groups[0], *arguments)
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        results, running = running, None if following is None else together(following, *arguments)
        yield from (jax.tree.map(lambda array, row=row: array[row], results) for row in range(len(group)))


def _side_by_side(program: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Program of a vector of seeds, compiled for each length of it."""
    return jax.jit(jax.vmap(program, (0, *(None for _ in arguments))))


def _group_size(program: Callable[..., Any], seeds: int, arguments: Sequence[Any], memory: int) -> int:
    """Largest number of boxes that fits into memory and divides the number of seeds; 1 even where one does not fit."""
    # equal groups share one compiled program
    size = max(1, min(seeds, int(SHARE * memory / _required_bytes(program, 1, arguments))))
    while size > 1 and (seeds % size or _required_bytes(program, size, arguments) > SHARE * memory):
        size -= 1
    return size


def _required_bytes(program: Callable[..., Any], size: int, arguments: Sequence[Any]) -> int:
    """Memory of a group of boxes while their program runs, with its own results and those of the previous group."""
    compiled = _side_by_side(program, arguments).lower(jnp.arange(size), *arguments).compile()
    analysis = compiled.memory_analysis()
    return analysis.temp_size_in_bytes + analysis.argument_size_in_bytes + 2 * analysis.output_size_in_bytes


def _accelerator() -> int | None:
    """Memory that JAX may use on the accelerator [bytes]; None on a CPU."""
    if jax.default_backend() == "cpu":
        return None
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
