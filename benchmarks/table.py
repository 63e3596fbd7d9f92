"""A table of the report: how its programs are measured, what a row holds, and the bars that are claimed."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from environments import UnavailableError, python_of
from measurement import Spread, Subject, Timing, Worker, spread
from workload import Workload

ALL_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
SIZE = 64
LARGE = 128


def own(program: str) -> Subject:
    """A program of lenscast."""
    return Subject("lenscast", program)


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes
    ----------
    sizes
        Particles per side, for tables with several sizes.
    cores
        Size of XLA's thread pool and of the affinity of a process.
    rounds
        Measurements of each program.
    seconds
        Least CPU time of a measurement [s].
    config
        File of the experiment whose workflow is measured.
    device
        Platform of JAX; wall time counts on platforms other than the CPU.
    missing
        Codes that are not measured, with the reason.
    """

    sizes: tuple[int, ...]
    cores: int
    rounds: int
    seconds: float
    config: Path
    device: str = "cpu"
    missing: dict[str, str] = field(default_factory=dict)

    def present(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Subjects whose code is installed or can be installed."""
        for code in dict.fromkeys(subject.code for subject in subjects):
            if code not in self.missing:
                try:
                    python_of(code)
                except UnavailableError as error:
                    self.missing[code] = str(error)
                    print(f"{code} left out: {error}", flush=True)
        return [subject for subject in subjects if subject.code not in self.missing]

    @property
    def clock(self) -> str:
        """Clock of the ratios: cpu or wall."""
        return "cpu" if self.device == "cpu" else "wall"


class Bar(NamedTuple):
    """A claim about a number of a row.

    Attributes
    ----------
    column
        Name of the number.
    at_least, at_most
        Limits of the claim.
    """

    column: str
    at_least: float = 0.0
    at_most: float = np.inf

    def row(self, claim: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Row of the table of claims: the claim, the bar and the measured number."""
        bar = f">= {self.at_least:g}" if self.at_least else f"<= {self.at_most:g}"
        met = "yes" if self.at_least <= row[self.column] <= self.at_most else "no"
        return {"claim": claim, "bar": bar, "cores": row["cores"], "measured": row[self.column], "met": met}


class Table(NamedTuple):
    """A table of the report.

    Attributes
    ----------
    title
        Title.
    columns
        Labels of the columns in the report, by the names of the numbers in a row.
    rows
        Function that measures the rows.
    bars
        Function from the rows to their claims.
    drawn
        Column of the figure; "ratio" is the ratio of CPU or wall times, whichever counts.
    """

    title: str
    columns: Mapping[str, str]
    rows: Callable[[Options], list[dict[str, Any]]]
    bars: Callable[[Sequence[Mapping[str, Any]]], Iterator[dict[str, Any]]] = lambda rows: iter(())
    drawn: str = "ratio"


@contextmanager
def workers(
    subjects: Sequence[Subject], size: int, options: Options, positions: bool = False
) -> Iterator[list[Worker]]:
    """Processes with programs, alive together, that share one linear field.

    Parameters
    ----------
    subjects
        Programs.
    size
        Particles per side.
    options
        Cores and platform of the processes.
    positions
        Whether the processes also share the positions of the particles today.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = Workload(size, f"{folder}/field.npz", f"{folder}/positions.npz")
        for name, file in {"linear field": work.field, **({"positions": work.positions} if positions else {})}.items():
            with Worker(own(name), work, options.cores) as worker:
                worker.save(Path(file))
        yield [stack.enter_context(Worker(each, work, options.cores, options.device)) for each in subjects]


def measured(timing: Timing, plain: Timing, size: int, options: Options) -> dict[str, Any]:
    """A row: times, and their ratio to the times of the plain program in the same rounds."""
    row = {
        "particles": size,
        "cores": options.cores,
        "code": timing.subject.code,
        "program": timing.subject.program,
        "forces": timing.forces,
        "compilation": timing.compilation("wall"),
        "compilation_cpu": timing.compilation("cpu"),
        "peak_memory": timing.peak_memory,
        "plain_peak_memory": plain.peak_memory,
        "memory_ratio": timing.peak_memory / plain.peak_memory,
        "versions": timing.versions,
    }
    for clock in ("cpu", "wall"):
        row[clock] = spread(getattr(timing, clock)).median
        row[f"{clock}_ms"] = 1e3 * row[clock]
        row |= columns(f"{clock}_ratio", timing.ratio(plain, clock))
    return row | columns("ratio", timing.ratio(plain, options.clock))


def columns(name: str, value: Spread) -> dict[str, float]:
    """Columns of a row that hold a median and its quartiles."""
    return {name: value.median, f"{name}_low": value.low, f"{name}_high": value.high}
