"""Files that appear whole or not at all."""

import errno
import glob
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary name in the folder of `path` that takes its place when the block ends without error.

    What a killed process left under such a name is removed first.

    Raises
    ------
    OSError
        Where the disk is full, naming `path`; nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        stale.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        advice = "nothing is left of it; make room there and run the same command again"
        raise OSError(error.errno, f"{os.strerror(error.errno)} while {path} was written: {advice}") from error
    finally:
        temporary.unlink(missing_ok=True)


class Sink(io.FileIO):
    """A file that HDF5 writes through, which loses data or crashes where the system refuses a write.

    From the first refusal on nothing is written, and `check` raises it.
    """

    refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data."""
        rest = memoryview(data).cast("B")
        try:
            while len(rest) and self.refusal is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.refusal = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Give the file this size."""
        try:
            if self.refusal is None:
                super().truncate(size)
        except OSError as error:
            self.refusal = error
        return size or 0

    def check(self) -> None:
        """Raise what the system refused."""
        if self.refusal is not None:
            raise self.refusal


def save_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index and with all digits; it appears whole or not at all."""
    with appearing(Path(path)) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
