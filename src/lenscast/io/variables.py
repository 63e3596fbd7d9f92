"""What a file holds: arrays with named axes, coordinates along them, and provenance."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

CHUNK_BYTES = 2**20  # about one map


class NotFiniteError(ValueError):
    """A variable holds NaN or infinity."""


@dataclass(frozen=True)
class Variable:
    """An array with named axes.

    Parameters
    ----------
    values
        Numbers or booleans, of any dtype, which files preserve.
    axes
        One name per axis, such as ``("map", "source", "y", "x")``; a matrix names its axis twice.
    unit
        Unit, such as ``"Mpc/h"``; ``"1"`` for pure numbers.
    description
        Meaning, in one line.

    Raises
    ------
    ValueError
        For axes that do not fit the array, and values that are not numbers.
    """

    values: Any
    axes: tuple[str, ...]
    unit: str
    description: str

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        object.__setattr__(self, "values", values)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"variable of dtype {values.dtype}: only numbers are stored; put text into coordinates")
        if len(self.axes) != values.ndim or 0 in values.shape:
            raise ValueError(
                f"axes {self.axes} for an array of shape {values.shape}: every axis needs a name and an entry"
            )

    def require_finite(self, name: str) -> None:
        """Refuse NaN and infinity; the name is for the error."""
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            index = tuple(int(i) for i in bad[0])
            where = ", ".join(f"{axis} {i}" for axis, i in zip(self.axes, index, strict=True))
            raise NotFiniteError(
                f"'{name}' is {self.values[index]} at {where or 'its only entry'} ({len(bad)} of "
                f"{self.values.size} entries not finite)"
            )

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunk of at most about `CHUNK_BYTES` along the trailing axes, but never less than the last two axes."""
        chunk, size = [], self.values.dtype.itemsize
        for axis, length in enumerate(reversed(self.values.shape)):
            chunk.append(length if axis < 2 else max(1, min(length, CHUNK_BYTES // size)))
            size *= chunk[-1]
        return tuple(reversed(chunk))


class Contents(NamedTuple):
    """What a file holds."""

    variables: dict[str, Variable]
    coordinates: dict[str, pd.DataFrame]
    provenance: dict[str, str]
