"""Tables of coordinates along an axis, between pandas and HDF5 compound data.

A table has one row per index of its axis. Text is stored as UTF-8 of fixed length, so that its bytes in a
file depend on nothing else; missing numbers are NaN.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import h5py
import numpy as np
import pandas as pd

Columns: TypeAlias = Mapping[str, Sequence[Any]] | pd.DataFrame


def records(axis: str, columns: Columns) -> np.ndarray:
    """Rows of a coordinate table as a structured array."""
    table = pd.DataFrame(columns)
    fields = {str(name): _field(axis, str(name), column) for name, column in table.items()}
    rows = np.empty(len(table), np.dtype([(name, field.dtype) for name, field in fields.items()]))
    for name, field in fields.items():
        rows[name] = field
    return rows


def _field(axis: str, name: str, column: pd.Series) -> np.ndarray:
    """One column of a coordinate table as numbers or fixed-length text."""
    if column.isna().all():
        return np.full(len(column), np.nan)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    if not all(isinstance(value, str) for value in column):
        raise ValueError(f"coordinate '{name}' of axis '{axis}' mixes text with other values: {list(column)[:4]}")
    texts = [value.encode() for value in column]
    return np.array(texts, dtype=text_dtype(texts))


def frame(rows: np.ndarray) -> pd.DataFrame:
    """Coordinate table from its structured array."""
    columns = {name: rows[name] for name in rows.dtype.names or ()}
    return pd.DataFrame(
        {
            name: np.char.decode(column, "utf-8") if column.dtype.kind == "S" else column
            for name, column in columns.items()
        }
    )


def miscounted(axis: str, index: pd.DataFrame) -> str:
    """What is wrong with the boxes or maps of a table, as part of a sentence; empty if nothing is.

    Parameters
    ----------
    axis
        ``box``, of which each seed has one, or ``map``, of which each seed has the same number.
    index
        Seeds, and for maps their realisations.
    """
    if axis == "box" or "realisation" in index:
        names = [name for name in ("seed", "realisation") if name in index]
        repeated = index["seed"][index.duplicated(names)]
        if len(repeated):
            return (
                f"{len(repeated)} of {len(index)} entries along '{axis}' come twice, of seed {repeated.iloc[0]} first"
            )
    numbers = index["seed"].value_counts()
    if numbers.nunique() > 1:
        return (
            f"seed {numbers.index[-1]} has {numbers.iloc[-1]} entries along '{axis}', and seed {numbers.index[0]} "
            f"{numbers.iloc[0]}"
        )
    return ""


def text_dtype(texts: Sequence[bytes]) -> np.dtype:
    """Fixed-length UTF-8, whose bytes in a file depend on nothing but the text."""
    return h5py.string_dtype("utf-8", max([1, *(len(text) for text in texts)]))
