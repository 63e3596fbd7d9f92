"""HDF5 files: variables with named axes, coordinates along them, provenance.

Data are not compressed, since noise-like float32 maps shrink by 17 % at 20 times the time to write. Files are not
locked, since none is ever read while it is written.

A damaged byte is noticed when what it belongs to is read. Each chunk of a variable and of coordinates has a checksum,
and so have HDF5's own structures from version 1.10 of its format on. The attribute ``digest`` is the hash of all but
the values of variables: names, types, shapes, axes, units, descriptions, coordinates, provenance. Texts have a fixed
length: HDF5 keeps those of variable length in a heap without checksums, and crashes on a damaged heap. The labels of
dimensions are there, for other readers; our own reader takes the attribute ``axes`` in their place. Files of the format
``lenscast 1`` have neither ``digest`` nor ``axes``, and are read without.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lenscast.io.atomic import Sink, appearing
from lenscast.io.coordinates import Columns, frame, records, text_dtype
from lenscast.io.variables import Contents, Variable

FORMAT, WITHOUT_DIGEST = "lenscast 2", "lenscast 1"


class _NamedError(ValueError):
    """An error that names the file already."""


class Writer:
    """Appends to a file that `writer` opened."""

    def __init__(self, file: h5py.File, sink: Sink) -> None:
        self._file, self._group, self._sink = file, file.create_group("variables"), sink

    def append(self, variables: Mapping[str, Variable], coordinates: Mapping[str, Columns] | None = None) -> None:
        """Add entries along the first axis of each variable; the first call creates them.

        Parameters
        ----------
        variables
            Arrays by name.
        coordinates
            Coordinates of the entries, along the axes that grow.

        Raises
        ------
        NotFiniteError
            For non-finite numbers (naming variable and index); nothing was added.
        ValueError
            For names that are not identifiers, and entries whose dtype, axes, unit, description or other lengths differ
            from those before.
        OSError
            Where the disk is full.
        """
        for name, variable in variables.items():
            variable.require_finite(name)
        for axis, columns in (coordinates or {}).items():
            rows, name = records(axis, columns), f"coordinates/{axis}"
            if name not in self._file:
                layout: dict[str, Any] = {"chunks": rows.shape, "maxshape": (None,), "fletcher32": True}
                self._file.create_dataset(name, (0,), rows.dtype, **layout)
            dataset = self._file[name]
            dataset.resize(len(dataset) + len(rows), axis=0)
            dataset[-len(rows) :] = rows
        for name, variable in variables.items():
            if name not in self._group:
                self._create(name, variable)
                continue
            dataset, values = self._group[name], variable.values
            if values.ndim == 0 or not _same_kind(dataset, variable):
                raise ValueError(
                    f"cannot append {values.dtype}{list(values.shape)} {variable.axes} [{variable.unit}] "
                    f"to '{name}', which holds {dataset.dtype}{list(dataset.shape)} {_axes(dataset)} "
                    f"[{_text(dataset, 'unit')}]"
                )
            dataset.resize(len(dataset) + len(values), axis=0)
            dataset[-len(values) :] = values
        self._sink.check()

    def _create(self, name: str, variable: Variable) -> None:
        """Create a dataset that grows along its first axis."""
        if not name.isidentifier():
            raise ValueError(f"variable name '{name}' must be an identifier")
        values = variable.values
        layout: dict[str, Any] = {}
        if values.ndim:
            layout = {"chunks": variable.chunks, "maxshape": (None, *values.shape[1:]), "fletcher32": True}
        dataset = self._group.create_dataset(name, data=values, **layout)
        texts = {"unit": variable.unit, "description": variable.description, "axes": json.dumps(variable.axes)}
        for key, text in texts.items():
            _write_text(dataset, key, text)
        for dimension, axis in zip(dataset.dims, variable.axes, strict=True):
            dimension.label = axis


@contextmanager
def writer(
    path: str | os.PathLike[str], coordinates: Mapping[str, Columns], provenance: Mapping[str, str]
) -> Iterator[Writer]:
    """Write a file piece by piece; it appears when the block ends without error.

    Parameters
    ----------
    path
        File to make or replace.
    coordinates
        For each axis that does not grow, columns with one entry per index; text, or numbers where None and NaN mean
        none.
    provenance
        See `provenance`.

    Raises
    ------
    ValueError
        If in the end variables and coordinates disagree on the length of an axis; or as `Writer.append`.
    OSError
        Where the disk is full, naming the file.
    """
    with appearing(Path(path)) as temporary, _sink(temporary) as sink, _created(sink) as file:
        _write_text(file, "format", FORMAT)
        for axis, columns in coordinates.items():
            rows = records(axis, columns)
            layout: dict[str, Any] = {"chunks": rows.shape, "fletcher32": True} if rows.nbytes else {}
            file.create_dataset(f"coordinates/{axis}", data=rows, **layout)
        for key, text in provenance.items():
            file.create_dataset(f"provenance/{key}", data=text.encode(), dtype=text_dtype([text.encode()]))
        yield Writer(file, sink)
        _require_one_length_per_axis(file)
        _write_text(file, "digest", _digest(file))


def _created(sink: Sink) -> h5py.File:
    """A new file, of the first version of the format of HDF5 in which all structures have checksums."""
    return h5py.File(sink, "w", libver=("v110", "v110"))


@contextmanager
def _sink(path: Path) -> Iterator[Sink]:
    """A file for HDF5 to write through; what the system refused comes before what HDF5 makes of it."""
    with Sink(path, "w+") as sink:
        try:
            yield sink
        finally:
            sink.check()


def save(
    path: str | os.PathLike[str],
    variables: Mapping[str, Variable],
    coordinates: Mapping[str, Columns],
    provenance: Mapping[str, str],
) -> None:
    """Write a file at once; see `writer`.

    Raises
    ------
    ValueError
        As `writer`.
    """
    with writer(path, coordinates, provenance) as pieces:
        pieces.append(variables)


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
        axes = {axis for dataset in group.values() for axis in _axes(dataset)}
        for kind, asked, known in (("variable", names or (), set(group)), ("axis", select, axes)):
            if not set(asked) <= known:
                raise _NamedError(f"{path} has no {kind} {sorted(set(asked) - known)}: it has {sorted(known)}")
        variables = {}
        for name in group if names is None else names:
            dataset = group[name]
            values = dataset[tuple(select.get(axis, slice(None)) for axis in _axes(dataset))]
            variables[name] = Variable(values, _axes(dataset), _text(dataset, "unit"), _text(dataset, "description"))
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
            form = _text(file, "format") if "format" in file.attrs else ""
            if form not in (FORMAT, WITHOUT_DIGEST):
                raise _NamedError(
                    f"{path} is HDF5, but not of format '{FORMAT}': it was made by other software; {again}"
                )
            if form == FORMAT and _text(file, "digest") != _digest(file):
                raise ValueError("its contents are not those that were written")
            _require_one_length_per_axis(file)
            yield file
    except (_NamedError, MemoryError):
        raise
    except Exception as error:  # damage makes h5py raise errors of any type
        if isinstance(error, OSError) and type(error) is not OSError:
            raise
        raise ValueError(f"{path} is truncated, damaged or not HDF5 ({error}): {again}") from error


def _digest(file: h5py.File) -> str:
    """Hash of all that a file holds but the values of variables with axes, whose chunks have checksums."""
    found = hashlib.sha256()

    def add(*parts: object) -> None:
        for part in parts:
            content = part if isinstance(part, bytes) else str(part).encode()
            found.update(len(content).to_bytes(8, "little"))
            found.update(content)

    for group in ("coordinates", "provenance", "variables"):
        add(group, len(file.get(group, ())))
        for name, dataset in file.get(group, {}).items():
            add(name, dataset.dtype, dataset.shape)
            if group == "variables":
                add(*_axes(dataset), _text(dataset, "unit"), _text(dataset, "description"))
            if group != "variables" or dataset.ndim == 0:
                add(np.asarray(dataset[()]).tobytes())
    return found.hexdigest()


def _axes(dataset: h5py.Dataset) -> tuple[str, ...]:
    """Names of the axes of a dataset."""
    if "axes" in dataset.attrs:
        return tuple(json.loads(_text(dataset, "axes")))
    return tuple(dimension.label for dimension in dataset.dims)


def _text(owner: h5py.Dataset | h5py.File, key: str) -> str:
    """An attribute that is text, of fixed or variable length."""
    text = owner.attrs[key]
    return text.decode() if isinstance(text, bytes) else str(text)


def _write_text(owner: h5py.Dataset | h5py.File, key: str, text: str) -> None:
    """Make an attribute that is text, of fixed length."""
    owner.attrs.create(key, text.encode(), dtype=text_dtype([text.encode()]))


def _same_kind(dataset: h5py.Dataset, variable: Variable) -> bool:
    """Whether a dataset can take more of a variable."""
    values, texts = variable.values, (_text(dataset, "unit"), _text(dataset, "description"))
    held = (_axes(dataset), dataset.dtype, dataset.shape[1:], *texts)
    return held == (variable.axes, values.dtype, values.shape[1:], variable.unit, variable.description)


def _require_one_length_per_axis(file: h5py.File) -> None:
    """Refuse a file in which an axis has two lengths."""
    lengths: dict[str, tuple[int, str]] = {}
    sizes = [(axis, len(rows), f"coordinates of '{axis}'") for axis, rows in file.get("coordinates", {}).items()]
    for name, dataset in file["variables"].items():
        sizes += [(axis, size, f"'{name}'") for axis, size in zip(_axes(dataset), dataset.shape, strict=True)]
    for axis, size, owner in sizes:
        first, other = lengths.setdefault(axis, (size, owner))
        if size != first:
            raise ValueError(f"axis '{axis}' has {size} entries in {owner}, but {first} in {other}")
