"""Tables of redshift distributions, as surveys publish them: text with any usual separator, FITS, or NumPy's arrays.

The first column has redshifts and the others n(z) of a source each. Names of columns decide where they are given:
`z_low` (or `z_mid`) says that a row is a bin of a histogram, and where the bin is.
"""

import gzip
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from lenscast.sections.array_file import FITS, is_array, read_array
from lenscast.sections.redshift_fits import read_fits

__all__ = ["Redshifts", "Table", "read_table"]

Redshifts = Literal["starts", "centres", "edges"]

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII)
COMMENTS = ("#", "%", "!", "//")
LARGEST_Z = 20.0
LARGEST = 10**8
"""Bytes of a table; one of 1e5 rows and 20 sources has 5e7."""

NAMES: dict[Redshifts, re.Pattern[str]] = {
    "starts": re.compile(r"(z|bin|zbin)?_?(low|lo|min|start|left)_?(z|edge)?s?", re.IGNORECASE),
    "centres": re.compile(r"(z|bin|zbin)?_?(mid|middle|cent|centre|center)_?(z)?s?", re.IGNORECASE),
    "edges": re.compile(r"(z|bin|zbin)?_?(high|hi|max|end|right)_?(z|edge)?s?", re.IGNORECASE),
}
"""Names of a first column that has lower ends or centres of bins, and (`edges`) of further ones with upper ends."""


class Table(NamedTuple):
    """Redshift distributions of a file.

    Attributes
    ----------
    z
        Redshifts, increasing; what they are of is the file's to say, or the config's.
    n
        Galaxies per redshift, a column for each source, each in a unit of its own.
    redshifts
        What the names of columns say: bins of a histogram by their starts or centres; None where they do not tell.
    last
        Upper end of the last bin, where the file has a column of upper ends.
    """

    z: np.ndarray
    n: np.ndarray
    redshifts: Redshifts | None
    last: float | None


def read_table(path: str) -> Table:
    """Redshift distributions of a file.

    Raises
    ------
    ValueError
        If the file cannot be read or is no such table: with the line and the column, and what to do.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ValueError(f"{path} is a folder or a device; give the path of a text file of numbers in columns")
        state = Path(path).stat()
    except OSError as error:
        raise ValueError(
            f"cannot read {path} ({error.strerror}); give the path of a text file of numbers in columns"
        ) from None
    if state.st_size > LARGEST:
        raise ValueError(f"{path} has {state.st_size} bytes, and a table {LARGEST} at most; give fewer rows")
    return _table(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _table(path: str, _changed: int, _size: int) -> Table:
    """The table of a file, which is read again when it has changed."""
    try:
        content = Path(path).read_bytes()
        if content.startswith(b"\x1f\x8b"):
            with gzip.open(path) as file:
                content = file.read(LARGEST)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read {path} ({reason}); give a text file of numbers in columns") from None
    names: list[str] = []
    if content.startswith(FITS):
        return _checked(path, *read_fits(path, content))
    if is_array(content[:16]):
        values = read_array(path).astype(float)
        if values.ndim != 2:
            raise ValueError(f"{path} has {values.ndim} axes; give rows with a redshift and n(z) of each source")
        places = [f"row {row}" for row in range(len(values))]
    else:
        values, places, names = _text(path, _decoded(path, content))
    return _checked(path, values, places, names)


def _decoded(path: str, content: bytes) -> str:
    """Text of a file, whatever the byte order mark says of it."""
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # accents in comments
    if "\0" in text:
        raise ValueError(f"cannot read {path} (it is no text); give a text file of numbers in columns")
    return text


def _text(path: str, text: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Values, the line of each row, and the names of columns."""
    rows: list[list[float]] = []
    places: list[str] = []
    names: list[str] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        bare = line.strip()
        if bare.startswith(COMMENTS):
            names = names if rows else _words(bare.lstrip("#%!/ \t"))
            continue
        words = _words(bare.split("#")[0])
        if not words:
            continue
        if not rows and not NUMBER.fullmatch(words[0]) and not words[0][:1].isdigit():
            names = words  # a header
            continue
        for column, word in enumerate(words, 1):
            if not NUMBER.fullmatch(word):
                commas = "," in word or ("," in bare and " " in word)
                advice = "write points for decimal commas" if commas else "give a text file of numbers in columns"
                raise ValueError(
                    f"cannot read {path} (line {number}, column {column}: {word!r} is no number); {advice}"
                )
        if rows and len(words) != len(rows[0]):
            raise ValueError(
                f"{path} has {len(words)} columns in line {number} and {len(rows[0])} in {places[0]}; give each "
                "row the same number"
            )
        rows.append([float(re.sub("[dD]", "e", word) if word[-1:].isdigit() else word) for word in words])
        places.append(f"line {number}")
    return np.array(rows, float).reshape(len(rows), len(rows[0]) if rows else 0), places, names


def _words(line: str) -> list[str]:
    """Columns of a line."""
    for separator in (";", "|", ","):
        if separator in line:
            words = [word.strip() for word in line.strip(f"{separator} \t").split(separator)]
            return [word.strip("\"'") for word in words]
    return [word.strip("\"'") for word in line.split()]


def _checked(path: str, values: np.ndarray, places: list[str], names: list[str]) -> Table:
    """The table of these values, if they are one."""
    rows, columns = values.shape
    if not rows:
        raise ValueError(f"{path} has no row of numbers; give redshifts in the first column and n(z) in the others")
    if rows < 2 or columns < 2:
        raise ValueError(f"{path} has {rows} rows and {columns} columns; 2 is the least of both")
    if columns > 2 * rows and np.all(np.diff(values[0]) > 0):
        raise ValueError(f"{path} has {rows} rows and {columns} columns: redshifts go down a column; transpose it")
    for row, column in np.argwhere(~np.isfinite(values))[:1]:
        raise ValueError(f"{path} has {values[row, column]} in {places[row]}, column {column + 1}; give a number")
    z = values[:, 0]
    for row in np.flatnonzero(np.diff(z) <= 0)[:1]:
        raise ValueError(
            f"{path}: redshifts in the first column must increase, but {z[row + 1]:g} in {places[row + 1]} follows "
            f"{z[row]:g}; sort the rows, each redshift once"
        )
    if z[0] < 0 or z[-1] > LARGEST_Z:
        raise ValueError(
            f"{path} has {z[0]:g} to {z[-1]:g} in the first column; give redshifts from 0 to {LARGEST_Z:g} there"
        )
    redshifts, first, last = _bins(values, names if len(names) == columns else [])
    n = values[:, first:]
    if columns == first:
        raise ValueError(f"{path} has redshifts and no n(z); give a column for each source")
    second = values[:, 1]
    within = np.all(second[:-1] >= z[:-1]) and np.all(second[:-1] <= z[1:]) and np.all(np.diff(second) > 0)
    if redshifts is None and rows > 3 and within:
        raise ValueError(
            f"{path} has redshifts in column 2 too, as centres or ends of bins; name the columns in the first line, "
            "such as z_low z_mid z_high n_1 n_2"
        )
    for row, column in np.argwhere(n < 0)[:1]:
        raise ValueError(
            f"{path} has n(z) = {n[row, column]:g} in {places[row]}, column {first + column + 1}; give 0 or more"
        )
    for column in np.flatnonzero(n.max(axis=0) == 0)[:1]:
        raise ValueError(
            f"{path} has n(z) of 0 everywhere in column {first + column + 1}; give its galaxies, or remove it"
        )
    # sums of 1e308 overflow, and a power of two changes no digit
    n = np.ldexp(n, -np.frexp(n.max(axis=0))[1])
    # rows without galaxies beyond the outermost ones ask for lens planes that lens nothing
    some = np.flatnonzero(n.max(axis=1) > 0)
    kept = slice(max(some[0] - 1, 0), some[-1] + 2)
    return Table(z[kept], n[kept], redshifts, last if some[-1] + 2 > rows - 1 else None)


def _bins(values: np.ndarray, names: list[str]) -> tuple[Redshifts | None, int, float | None]:
    """What the names of columns say of the bins, the first column with n(z), and the end of the last bin."""

    def means(column: int, kind: Redshifts) -> bool:
        return len(names) > column and NAMES[kind].fullmatch(names[column]) is not None

    if means(0, "starts"):
        first = 2 if means(1, "centres") else 1
        return ("starts", first + 1, float(values[-1, first])) if means(first, "edges") else ("starts", first, None)
    return ("centres", 1, None) if means(0, "centres") else (None, 1, None)
