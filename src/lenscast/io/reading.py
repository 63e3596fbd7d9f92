"""Reads HDF5 files of ours, whole or in part.

Files are not locked, since none is ever read while it is written.
"""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py

from lenscast.io.coordinates import frame
from lenscast.io.layout import FORMAT, WITHOUT_DIGEST, axes_of, digest, require_one_length_per_axis, text_of
from lenscast.io.variables import Contents, Variable


class _NamedError(ValueError):
    """An error that names the file already."""


def load(
    path: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    select: Mapping[str, slice] | None = None,
) -> Contents:
    """Read a file, or the part of it that is asked for.

    Parameters
    ----------
    path
        File that `save` or `writer` made.
    names
        Variables to read; None for all.
    select
        Entries to read along named axes, such as ``{"map": slice(0, 8)}``; other chunks stay on disk.

    Raises
    ------
    ValueError
        For a truncated, damaged or foreign file (says what to do), a file in which an axis has two lengths, and names
        or axes it lacks.
    """
    select = {} if select is None else dict(select)
    with _opened(Path(path)) as file:
        group = file["variables"]
        axes = {axis for dataset in group.values() for axis in axes_of(dataset)}
        for kind, asked, known in (("variable", names or (), set(group)), ("axis", select, axes)):
            if not set(asked) <= known:
                raise _NamedError(f"{path} has no {kind} {sorted(set(asked) - known)}: it has {sorted(known)}")
        variables = {}
        for name in group if names is None else names:
            dataset = group[name]
            values = dataset[tuple(select.get(axis, slice(None)) for axis in axes_of(dataset))]
            variables[name] = Variable(
                values, axes_of(dataset), text_of(dataset, "unit"), text_of(dataset, "description")
            )
        coordinates = {
            axis: frame(dataset[()][select.get(axis, slice(None))])
            for axis, dataset in file.get("coordinates", {}).items()
        }
        provenance = {key: dataset[()].decode() for key, dataset in file.get("provenance", {}).items()}
    return Contents(variables, coordinates, provenance)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """A file of this format, open for reading."""
    again = f"remove it (rm {shlex.quote(str(path))}) and run the same command, which makes it again"
    try:
        with h5py.File(path, "r", locking=False) as file:
            form = text_of(file, "format") if "format" in file.attrs else ""
            if form not in (FORMAT, WITHOUT_DIGEST):
                raise _NamedError(
                    f"{path} is HDF5, but not of format '{FORMAT}': it was made by other software; {again}"
                )
            if form == FORMAT and text_of(file, "digest") != digest(file):
                raise ValueError("its contents are not those that were written")
            require_one_length_per_axis(file)
            yield file
    except (_NamedError, MemoryError):
        raise
    except Exception as error:  # damage makes h5py raise errors of any type
        if isinstance(error, OSError) and type(error) is not OSError:
            raise
        raise ValueError(f"{path} is truncated, damaged or not HDF5 ({error}): {again}") from error
