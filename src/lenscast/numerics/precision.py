"""Numbers of 64 bits where a caller's JAX is set to 32."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

P = ParamSpec("P")
R = TypeVar("R")


def in_double_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function use 64-bit numbers, and leave JAX's setting as it was."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return inner
