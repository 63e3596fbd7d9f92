"""Format of the HDF5 files: axes, units and descriptions of variables, and a digest by which damage is noticed.

A damaged byte is noticed when what it belongs to is read. Each chunk of a variable and of coordinates has a checksum,
and so have HDF5's own structures from version 1.10 of its format on. The attribute ``digest`` is the hash of all but
the values of variables: names, types, shapes, axes, units, descriptions, coordinates, provenance. Texts have a fixed
length: HDF5 keeps those of variable length in a heap without checksums, and crashes on a damaged heap. The labels of
dimensions are there, for other readers; our own reader takes the attribute ``axes`` in their place. Files of the format
``lenscast 1`` have neither ``digest`` nor ``axes``, and are read without.
"""

import hashlib
import json

import h5py
import numpy as np

from lenscast.io.coordinates import text_dtype

FORMAT, WITHOUT_DIGEST = "lenscast 2", "lenscast 1"


def digest(file: h5py.File) -> str:
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
                add(*axes_of(dataset), text_of(dataset, "unit"), text_of(dataset, "description"))
            if group != "variables" or dataset.ndim == 0:
                add(np.asarray(dataset[()]).tobytes())
    return found.hexdigest()


def axes_of(dataset: h5py.Dataset) -> tuple[str, ...]:
    """Names of the axes of a dataset."""
    if "axes" in dataset.attrs:
        return tuple(json.loads(text_of(dataset, "axes")))
    return tuple(dimension.label for dimension in dataset.dims)


def text_of(owner: h5py.Dataset | h5py.File, key: str) -> str:
    """An attribute that is text, of fixed or variable length."""
    text = owner.attrs[key]
    return text.decode() if isinstance(text, bytes) else str(text)


def write_text(owner: h5py.Dataset | h5py.File, key: str, text: str) -> None:
    """Make an attribute that is text, of fixed length."""
    owner.attrs.create(key, text.encode(), dtype=text_dtype([text.encode()]))


def require_one_length_per_axis(file: h5py.File) -> None:
    """Refuse a file in which an axis has two lengths."""
    lengths: dict[str, tuple[int, str]] = {}
    sizes = [(axis, len(rows), f"coordinates of '{axis}'") for axis, rows in file.get("coordinates", {}).items()]
    for name, dataset in file["variables"].items():
        sizes += [(axis, size, f"'{name}'") for axis, size in zip(axes_of(dataset), dataset.shape, strict=True)]
    for axis, size, owner in sizes:
        first, other = lengths.setdefault(axis, (size, owner))
        if size != first:
            raise ValueError(f"axis '{axis}' has {size} entries in {owner}, but {first} in {other}")
