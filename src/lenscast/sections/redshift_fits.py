"""Tables of redshift distributions in FITS, as surveys publish them; astropy reads them, an optional dependency.

Two layouts are known. Files of two-point functions (DES, KiDS, HSC) have a table ``NZ_SOURCE`` with the columns Z_LOW,
Z_MID, Z_HIGH, BIN1, BIN2, ... SACC (DESC) has a table with the columns z and nz for each tracer. Any other file must
have a single table.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lenscast.sections.array_file import refuse_damage

__all__ = ["Columns", "read_fits"]


class Columns(NamedTuple):
    """Numbers of a table.

    Attributes
    ----------
    values
        Redshifts, and n(z) of each source: columns of the table.
    places
        What each row is called in errors.
    names
        Names of the columns.
    """

    values: np.ndarray
    places: list[str]
    names: list[str]


def read_fits(path: str, content: bytes) -> Columns:
    """Redshifts and distributions of the sources in a FITS file.

    Parameters
    ----------
    path
        Path of the file, for errors.
    content
        What it holds.

    Raises
    ------
    ValueError
        If astropy is not installed, the file is damaged, it has no table of redshift distributions, or several of which
        none is that of the sources.
    """
    try:
        from astropy.io import fits
    except ImportError:
        raise ValueError(
            f"{path} is FITS, which astropy reads; install it (pip install astropy), or save redshifts and n(z) as "
            "columns of text"
        ) from None
    try:
        with warnings.catch_warnings():
            refuse_damage()
            with fits.open(io.BytesIO(content), memmap=False) as units:
                tables = [unit for unit in units if isinstance(unit, fits.BinTableHDU | fits.TableHDU)]
                tracers = [
                    each for each in tables if _word(each, "SACCTYPE") == "tracer" and "nz" in each.columns.names
                ]
                return _of_tracers(path, _sources(tracers)) if tracers else _of_table(path, _only(path, tables))
    except (OSError, ValueError, TypeError, KeyError, IndexError, UserWarning) as error:
        if str(error).startswith(path):
            raise
        raise ValueError(f"{path} is damaged ({' '.join(str(error).split())}); copy it again") from None


def _word(table: Any, key: str) -> str:
    """Word of the head of a table in small letters."""
    return str(table.header.get(key, "")).lower()


def _sources(tracers: Sequence[Any]) -> Sequence[Any]:
    """Tracers whose shapes are measured; all of them where none says so."""
    of_shear = [each for each in tracers if _word(each, "SACCQTTY") == "galaxy_shear"]
    by_name = [each for each in tracers if any(word in _word(each, "SACCNAME") for word in ("source", "src", "wl"))]
    return of_shear or by_name or tracers


def _of_tracers(path: str, tracers: Sequence[Any]) -> Columns:
    """Columns of the tracers of a SACC file, which share their redshifts."""
    z = np.asarray(tracers[0].data["z"], float)
    for each in tracers[1:]:
        if not np.array_equal(z, np.asarray(each.data["z"], float)):
            raise ValueError(
                f"{path} has tracers with redshifts of their own ({tracers[0].header['SACCNAME']} and "
                f"{each.header['SACCNAME']}); save n(z) of all of them at the same redshifts as columns of text"
            )
    values = np.stack([z, *(np.asarray(each.data["nz"], float) for each in tracers)], axis=1)
    names = ["z", *(str(each.header["SACCNAME"]) for each in tracers)]
    return Columns(values, [f"row {row}" for row in range(len(values))], names)


def _only(path: str, tables: Sequence[Any]) -> Any:
    """The table of the sources."""
    chosen = [each for each in tables if each.name.lower().startswith("nz_source")] or tables
    if len(chosen) == 1:
        return chosen[0]
    found = ", ".join(each.name or "a table without a name" for each in chosen)
    raise ValueError(
        f"{path} has {f'the tables {found}' if chosen else 'no table'}; give a file with one table of redshifts and "
        "n(z), or name that of the sources NZ_SOURCE"
    )


def _of_table(path: str, table: Any) -> Columns:
    """Columns of numbers of a table."""
    names = [str(name) for name in table.columns.names]
    columns = [np.asarray(table.data[name]) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.dtype.kind not in "fiu":
            raise ValueError(
                f"{path} has a column {name} of {'vectors' if column.ndim > 1 else 'no numbers'}; give a table with a "
                "number for each redshift and source"
            )
    values = np.stack([column.astype(float) for column in columns], axis=1)
    return Columns(values, [f"row {row}" for row in range(len(values))], names)
