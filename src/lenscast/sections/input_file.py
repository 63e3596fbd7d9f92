"""Paths of files that a config names: what a file holds decides, not where it is or how old it is."""

import hashlib
import os
from functools import cached_property, lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer

from lenscast import trained

__all__ = ["BY_CONTENT", "InputFile", "InputWeights", "NamedFile", "content_hash"]

BY_CONTENT = {"files": "content"}
"""Context of pydantic's serialisers in which a file is the hash of its content."""


class NamedFile(str):
    """A path, and the hash of what the file held when it was first asked for."""

    @cached_property
    def content(self) -> str:
        """Hash of the content; the path where the file cannot be read, which other checks report."""
        try:
            return content_hash(self)
        except (OSError, ValueError):
            return str(self)


class NamedWeights(NamedFile):
    """The path or the name of trained weights, and the hash of what they hold."""

    @cached_property
    def content(self) -> str:
        """Hash of the content; the name where there are no such weights."""
        try:
            return content_hash(self) if trained.is_path(self) else _named(hashlib.sha256(trained.content(self)))
        except (OSError, ValueError):
            return str(self)


def _serialised(path: str, info: Any) -> str:
    """The hash of the content where the context asks for it, else the path."""
    return path.content if isinstance(path, NamedFile) and info.context == BY_CONTENT else str(path)


_SERIALISER = PlainSerializer(_serialised, return_type=str)
InputFile = Annotated[str, AfterValidator(NamedFile), _SERIALISER]
InputWeights = Annotated[str, AfterValidator(NamedWeights), _SERIALISER]


def content_hash(path: str) -> str:
    """SHA-256 of what a file holds.

    A file is read again when its size or one of its times has changed. The time of the last change of its entry in the
    file system is one of them, since that of its content can be set to any value.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is a folder or a device.
    """
    if not os.path.isfile(path):
        raise ValueError(f"{path} is no file; give the path of one")
    state = os.stat(path)
    return _hash(path, (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=256)
def _hash(path: str, _state: tuple[int, ...]) -> str:
    with open(path, "rb") as file:
        return _named(hashlib.file_digest(file, "sha256"))


def _named(digest: Any) -> str:
    return f"sha256:{digest.hexdigest()}"
