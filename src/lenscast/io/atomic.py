"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary name in the folder of `path` that takes its place when the block ends without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index and with all digits; it appears whole or not at all."""
    with appearing(Path(path)) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
