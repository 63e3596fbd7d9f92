"""Writes HDF5 files with variables along named axes, coordinates and provenance, at once or piece by piece.

Data are not compressed, since noise-like float32 maps shrink by 17 % at 20 times the time to write.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from lenscast.io.atomic import Sink, appearing
from lenscast.io.coordinates import Columns, records, text_dtype
from lenscast.io.layout import FORMAT, axes_of, digest, require_one_length_per_axis, text_of, write_text
from lenscast.io.variables import Variable


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
                    f"to '{name}', which holds {dataset.dtype}{list(dataset.shape)} {axes_of(dataset)} "
                    f"[{text_of(dataset, 'unit')}]"
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
            write_text(dataset, key, text)
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
        write_text(file, "format", FORMAT)
        for axis, columns in coordinates.items():
            rows = records(axis, columns)
            layout: dict[str, Any] = {"chunks": rows.shape, "fletcher32": True} if rows.nbytes else {}
            file.create_dataset(f"coordinates/{axis}", data=rows, **layout)
        for key, text in provenance.items():
            file.create_dataset(f"provenance/{key}", data=text.encode(), dtype=text_dtype([text.encode()]))
        yield Writer(file, sink)
        require_one_length_per_axis(file)
        write_text(file, "digest", digest(file))


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


def _same_kind(dataset: h5py.Dataset, variable: Variable) -> bool:
    """Whether a dataset can take more of a variable."""
    values, texts = variable.values, (text_of(dataset, "unit"), text_of(dataset, "description"))
    held = (axes_of(dataset), dataset.dtype, dataset.shape[1:], *texts)
    return held == (variable.axes, values.dtype, values.shape[1:], variable.unit, variable.description)
