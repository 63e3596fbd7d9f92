"""Arrays in files of the user's: NumPy's .npy, and images in FITS where astropy is installed.

What a file is, its first bytes say and not its name. Its shape and type are checked before anything is allocated, and
nothing in it is ever run.
"""

import math
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

__all__ = ["FITS", "is_array", "read_array", "refuse_damage"]

NUMPY, FITS = b"\x93NUMPY", b"SIMPLE  ="
OTHERS = {
    b"PK\x03\x04": "an archive (.npz or .zip): save the array alone, with numpy.save",
    b"\x1f\x8b": "compressed by gzip: decompress it (gunzip)",
    b"BZh": "compressed by bzip2: decompress it (bunzip2)",
    b"\x89HDF": "HDF5: save the array with numpy.save (of sacc: save_fits)",
    b"\x80": "a pickle, which is never loaded: save the array with numpy.save",
}
LARGEST = 2**31
"""Bytes of an array; the largest maps that fit into memory with their tangents have 1e8 pixels."""


def is_array(start: bytes) -> bool:
    """Whether a file that starts like this holds an array, in a format that is read or in one that is named."""
    return any(start.startswith(each) for each in (NUMPY, FITS, *OTHERS))


def read_array(path: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Numbers of a file.

    Parameters
    ----------
    path
        File in NumPy's format or in FITS.
    shape
        Shape that the array must have; None for any.

    Raises
    ------
    ValueError
        If there is no such file, it is something else, or its values are no numbers or of another shape. The message
        starts with the path and is one line.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ValueError(f"{path} is a folder or a device; give the path of a file")
        with open(path, "rb") as file:
            start = file.read(16)
            file.seek(0)
            if start.startswith(NUMPY):
                return _numpy(file, path, shape)
            if start.startswith(FITS):
                return _fits(path, shape)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{path} cannot be read ({reason}); give the path of an array that numpy.save wrote") from None
    except (ValueError, MemoryError, SyntaxError, UserWarning) as error:
        if str(error).startswith(path):
            raise
        raise ValueError(f"{path} is damaged ({' '.join(str(error).split())}); save it again") from None
    found = next((text for magic, text in OTHERS.items() if start.startswith(magic)), None)
    if not start:
        raise ValueError(f"{path} is empty; give an array that numpy.save wrote")
    raise ValueError(f"{path} is {found or 'no array'}" + ("" if found else "; give one that numpy.save wrote"))


def _numpy(file: BinaryIO, path: str, shape: tuple[int, ...] | None) -> np.ndarray:
    """Values of a file of NumPy's, whose head is checked before they are read."""
    version = npy.read_magic(file)
    read_head = {(1, 0): npy.read_array_header_1_0}.get(version, npy.read_array_header_2_0)
    found, _, kind = read_head(file)
    _require_numbers(path, found, kind, shape)
    size, there = math.prod(found) * kind.itemsize, os.fstat(file.fileno()).st_size - file.tell()
    if there != size:
        raise ValueError(f"{path} has {there} bytes of values, and its head says {size}; save or copy it again")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _fits(path: str, shape: tuple[int, ...] | None) -> np.ndarray:
    """The first image of a FITS file."""
    try:
        from astropy.io import fits
    except ImportError:
        raise ValueError(
            f"{path} is FITS, which astropy reads; install it (pip install astropy), or save the array with numpy.save"
        ) from None
    with warnings.catch_warnings():
        refuse_damage()
        with fits.open(path, memmap=False) as units:
            for unit in units:
                if getattr(unit, "is_image", False) and unit.shape:
                    _require_numbers(path, unit.shape, np.dtype("f8"), shape)
                    values = np.asarray(unit.data)
                    return values.astype(values.dtype.newbyteorder("="))
    raise ValueError(f"{path} is FITS without an image; give one that has the map in its first image")


def refuse_damage() -> None:
    """Make errors of what astropy warns of and reads on, in files that are cut; its other warnings are of style."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", message="(?s).*(truncated|corrupted)")


def _require_numbers(path: str, found: tuple[int, ...], kind: np.dtype, shape: tuple[int, ...] | None) -> None:
    """Refuse an array of another shape, or of something else than numbers."""
    size = " x ".join(map(str, found)) or "1"
    wanted = f"give {' x '.join(map(str, shape))} numbers, one per pixel" if shape else "give numbers"
    if kind.kind not in "fiub":
        name = "Python objects, which are never loaded" if kind.hasobject else f"type {kind}"
        raise ValueError(f"{path} holds {size} values of {name}; {wanted}")
    if shape is not None and found != shape:
        raise ValueError(f"{path} holds {size} values; {wanted}")
    if math.prod(found) * kind.itemsize > LARGEST:
        raise ValueError(f"{path} holds {size} values, more than {LARGEST} bytes; give a smaller array")
