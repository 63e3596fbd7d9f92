"""Files of batches: written box by box, and joined with others after checks of what each was made with."""

import json
import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lenscast.io.coordinates import Columns, miscounted
from lenscast.io.origin import disagreement
from lenscast.io.reading import load
from lenscast.io.variables import Contents, NotFiniteError, Variable
from lenscast.io.writing import Writer, writer

LOG = logging.getLogger("lenscast")


class _Nowhere:
    """Takes the boxes of a process that writes no file, and refuses the same ones."""

    def append(self, variables: Mapping[str, Variable], coordinates: Mapping[str, Columns] | None = None) -> None:
        for name, variable in variables.items():
            variable.require_finite(name)


class BatchWriter:
    """Appends boxes to a file that `batch_writer` opened."""

    def __init__(self, file: Writer | _Nowhere) -> None:
        self._file, self.boxes = file, 0

    def append(self, seed: int, variables: Mapping[str, Variable], cause: Callable[[], str] | None = None) -> None:
        """Add a box, variables of which grow along ``map`` or ``box``.

        A box that is not finite is left out, and the log says why.

        Parameters
        ----------
        seed
            Seed of the box.
        variables
            What the file has of it.
        cause
            Says why a box is not finite and what to do; empty where it finds no cause.
        """
        lengths = {each.axes[0]: len(each.values) for each in variables.values()}
        coordinates: dict[str, Columns] = {"box": {"seed": [seed]}} if "box" in lengths else {}
        if number := lengths.get("map"):
            coordinates["map"] = {"seed": number * [seed], "realisation": range(number)}
        try:
            self._file.append(variables, coordinates)
            self.boxes += 1
        except NotFiniteError as error:
            found = cause() if cause else ""
            LOG.error("seed %d is left out of the file: %s%s", seed, error, f"; {found}" if found else "")


@contextmanager
def batch_writer(
    path: str | Path, coordinates: Mapping[str, Columns], provenance: Mapping[str, str]
) -> Iterator[BatchWriter]:
    """Write the file of a batch box by box; of several processes with the same boxes only the first one writes.

    Parameters
    ----------
    path
        File to make, whole or not at all.
    coordinates
        Coordinates of all axes but ``map`` and ``box``.
    provenance
        Provenance of the file, with ``seeds``.

    Raises
    ------
    ValueError
        If none of the boxes is finite.
    """
    with writer(path, coordinates, provenance) if jax.process_index() == 0 else nullcontext(_Nowhere()) as file:
        boxes = BatchWriter(file)
        yield boxes
        if not boxes.boxes:
            raise ValueError(
                f"{path}: no box of seeds {provenance['seeds']} is finite (see above); if other batches are, go on "
                "without these by naming them in left_out_seeds; if not, look at cosmology and simulation.integrator"
            )


def requested_seeds(provenance: Mapping[str, str]) -> list[int]:
    """Seeds that a file was made for, with those that it left out."""
    return json.loads(provenance["seeds"])


def gathered(
    paths: Sequence[str],
    seeds: Mapping[str, Sequence[int]],
    settings: Mapping[str, Mapping[str, Any]],
    names: Sequence[str] | None = None,
) -> Iterator[Contents]:
    """Contents of the batch files, restricted to the requested seeds, one file after another.

    All files are checked before the first one is read.

    Parameters
    ----------
    paths
        One file for each batch.
    seeds
        Requested seeds by the name of the batch.
    settings
        Settings that the files must be made with, by the name of the rule.
    names
        Variables to read; None for all.

    Raises
    ------
    ValueError
        For files that are damaged, were made for other seeds or with other settings, or lack a seed; the error names
        all of them, and what to do.
    """
    problems = []
    for path in map(Path, paths):
        try:
            _require_batch(path, seeds[path.stem], settings)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join([f"{len(problems)} of {len(paths)} files cannot be used", *problems]))
    return (_of_seeds(load(path, names), seeds[Path(path).stem]) for path in paths)


def require_made_by(
    settings: Mapping[str, Mapping[str, Any]], path: str | Path, contents: Contents, remedy: str = ""
) -> None:
    """Refuse a file that was made with other settings.

    Parameters
    ----------
    settings
        Settings that the file must be made with, by the name of the rule.
    path, contents
        The file.
    remedy
        What to remove, by default the file itself.

    Raises
    ------
    ValueError
        With the first setting that differs.
    """
    if difference := disagreement(contents.provenance, settings):
        remedy = remedy or f"remove it (rm {shlex.quote(str(path))})"
        raise ValueError(f"{path}: {difference}; {remedy} and run the same command again")


def _require_batch(path: Path, seeds: Sequence[int], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a file that was made for other seeds or with other settings, or lacks a seed."""
    contents = load(path, names=[])
    remedy = f"remove the files of this batch (rm {shlex.quote(str(path.parents[2]))}/*/{path.parent.name}/{path.name})"
    require_made_by(settings, path, contents, remedy)
    made_for = requested_seeds(contents.provenance)
    if not {*seeds} <= {*made_for}:
        raise ValueError(f"{path}: made for seeds {made_for}, not {[*seeds]}; {remedy} and run the same command again")
    index = contents.coordinates["box" if "box" in contents.coordinates else "map"]
    if lost := sorted({*seeds} - {*index["seed"]}):
        raise ValueError(
            f"{path}: seed {', '.join(map(str, lost))} is missing, since it was not finite (the logs of this batch say "
            f"where); to go on without it, add it to left_out_seeds; to try again, {remedy} and run the same command"
        )
    for axis in ("box", "map"):
        if axis in contents.coordinates and (wrong := miscounted(axis, contents.coordinates[axis])):
            raise ValueError(f"{path}: {wrong}; {remedy} and run the same command again")


def _of_seeds(contents: Contents, seeds: Sequence[int]) -> Contents:
    """The maps and boxes of these seeds."""
    coordinates, kept = dict(contents.coordinates), {}
    for axis in ("map", "box"):
        if axis in coordinates:
            kept[axis] = np.flatnonzero(coordinates[axis]["seed"].isin(seeds))
            coordinates[axis] = coordinates[axis].iloc[kept[axis]]
    variables = {
        name: replace(each, values=each.values[kept[each.axes[0]]]) if each.axes[0] in kept else each
        for name, each in contents.variables.items()
    }
    return Contents(variables, coordinates, contents.provenance)
