"""Timing of programs: one process for each, measured in turn, round after round."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from environments import python_of
from workload import Workload

HERE = Path(__file__).parent


class Subject(NamedTuple):
    """A program of a code."""

    code: str
    program: str


class Spread(NamedTuple):
    """Median with lower and upper quartile."""

    median: float
    low: float
    high: float


@dataclass
class Timing:
    """All measurements of one subject, with one value for each round."""

    subject: Subject
    first: dict[str, float]  # call, compilation included, wall and cpu [s]
    versions: dict[str, str]
    forces: int
    tolerance: float
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    peak_memory: float = 0.0  # of the process [MB]

    def compilation(self, clock: str) -> float:
        """Excess of the first call over the median of the others [s]."""
        return self.first[clock] - spread(getattr(self, clock)).median

    def ratio(self, reference: "Timing", clock: str) -> Spread:
        """Time in units of the time of the reference in the same round."""
        return spread(np.divide(getattr(self, clock), getattr(reference, clock)))


def spread(values: Sequence[float] | np.ndarray) -> Spread:
    """Median and quartiles."""
    low, median, high = np.percentile(values, (25, 50, 75))
    return Spread(float(median), float(low), float(high))


class Worker:
    """A process that holds a program, which it has compiled and run once."""

    def __init__(
        self,
        subject: Subject,
        work: Workload,
        cores: int,
        device: str = "cpu",
        environment: Mapping[str, str] | None = None,
        first_core: int = 0,
    ) -> None:
        arguments = [subject.code, subject.program, str(first_core), str(cores), json.dumps(asdict(work))]
        self.process = subprocess.Popen(
            [str(python_of(subject.code)), str(HERE / "worker.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "JAX_PLATFORMS": device, "JAX_ENABLE_COMPILATION_CACHE": "0", **(environment or {})},
        )
        self.timing = Timing(subject, **self._reply())

    def _reply(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.process.args[2:4]} ended, code {self.process.wait()}")
        return json.loads(line)

    def _ask(self, request: str) -> None:
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()

    def begin(self, seconds: float) -> None:
        """Start one measurement of at least this CPU time [s]."""
        self._ask(f"measure {seconds}")

    def finish(self) -> None:
        """Wait for the measurement and keep it."""
        reply = self._reply()
        self.timing.cpu.append(reply["cpu"])
        self.timing.wall.append(reply["wall"])
        self.timing.peak_memory = reply["peak"]

    def save(self, path: Path) -> None:
        """Save the arrays of the result, as arr_0, arr_1, ..."""
        self._ask(f"save {path}")
        self._reply()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def take_turns(workers: Sequence[Worker], rounds: int, seconds: float) -> None:
    """Measure each worker once in each round; each round begins with another worker."""
    for start in range(rounds):
        for i in range(len(workers)):
            together([workers[(start + i) % len(workers)]], seconds)


def together(workers: Sequence[Worker], seconds: float) -> None:
    """Measure workers at the same time."""
    for worker in workers:
        worker.begin(seconds)
    for worker in workers:
        worker.finish()
