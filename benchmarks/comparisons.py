"""Tables that compare programs: pairs of programs of lenscast, and programs of several codes that do the same work."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from agreement import agreement
from measurement import Subject, take_turns
from table import Bar, Options, Table, measured, own, workers
from workload import Workload

NBODY, FOUR_POINT = own("N-body"), own("N-body, 4-point gradient")
GRADIENT = own("field gradient")
DOCUMENTED = {code: Subject(code, "N-body") for code in ("pmwd", "pmpp", "jaxpm")}
JAXPM_STEPS = (", FastPM steps", ", FastPM steps, positions")
# the reference of a code is lenscast with the same gradient of the potential
REFERENCE = {Subject("jaxpm", f"N-body{steps}"): FOUR_POINT for steps in ("", *JAXPM_STEPS)}


def pairs(
    of: Mapping[Subject, Subject],
    title: str,
    bar: Mapping[str, Bar],
    sizes: Sequence[int] = (),
    drawn: str = "ratio",
) -> Table:
    """Table of programs, each compared with another program.

    Parameters
    ----------
    of
        The program to compare with, by program.
    title
        Title of the table.
    bar
        Bars by the name of a program.
    sizes
        Particles per side; by default those of the options.
    drawn
        Column of the figure.
    """

    def rows(options: Options) -> list[dict[str, Any]]:
        made = []
        for size in sizes or options.sizes:
            for subject, plain in of.items():
                with workers([plain, subject], size, options) as (reference, worker):
                    take_turns((reference, worker), options.rounds, options.seconds)
                made.append(measured(worker.timing, reference.timing, size, options) | {"plain": plain.program})
        return made

    def bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            if row["program"] in bar:
                wanted = bar[row["program"]]
                what = ", memory" if wanted.column == "memory_ratio" else ""
                yield wanted.row(f"{row['particles']}^3: {row['program']} / {row['plain']}{what}", row)

    columns = {
        "particles": "particles",
        "cores": "cores",
        "program": "program",
        "plain": "reference",
        "cpu": "CPU [s]",
        "cpu_ratio": "CPU / reference",
        "wall_ratio": "wall / reference",
        "compilation": "compilation [s]",
        "peak_memory": "peak memory [MB]",
        "memory_ratio": "peak memory / reference",
    }
    return Table(title, columns, rows, bars, drawn)


def peers(
    programs: Sequence[Subject], title: str, faster: Mapping[int, Mapping[Subject, float]], results: str
) -> Table:
    """Table of programs of several codes that do the same work, relative to lenscast.

    Parameters
    ----------
    programs
        Programs; the first one is the reference of those that `REFERENCE` does not name.
    title
        Title of the table.
    faster
        Bars: how many times the time of lenscast a program takes at least, by particles per side and program.
    results
        What the programs return: "densities", which must agree, or "gradients".
    """

    def measure(options: Options) -> list[dict[str, Any]]:
        rows = []
        for size in options.sizes:
            subjects = options.present(programs)
            with workers(subjects, size, options) as processes, tempfile.TemporaryDirectory() as folder:
                take_turns(processes, options.rounds, options.seconds)
                fields = []
                for number, worker in enumerate(processes):
                    worker.save(Path(folder, f"{number}.npz"))
                    with np.load(Path(folder, f"{number}.npz")) as file:
                        made = file["arr_0"]
                    fields.append(made / made.mean(dtype=float) if results == "densities" else made)
            timings = [worker.timing for worker in processes]
            for timing, each in zip(timings, fields, strict=True):
                plain = subjects.index(REFERENCE.get(timing.subject, programs[0]))
                agreed = agreement(each, fields[plain], Workload(size, "").box_size)
                row = measured(timing, timings[plain], size, options) | agreed._asdict()
                rows.append(row | {"agrees": results != "densities" or agreed.holds(timing.tolerance)})
        return rows

    def bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            factor = faster.get(row["particles"], {}).get(Subject(row["code"], row["program"]))
            if factor:
                claim = f"{row['particles']}^3 {row['program']}: {row['code']} / lenscast"
                yield Bar("ratio", at_least=factor).row(claim, row)

    columns = {
        "particles": "particles",
        "cores": "cores",
        "code": "code",
        "program": "program",
        "forces": "forces",
        "cpu": "CPU [s]",
        "cpu_ratio": "CPU / lenscast",
        "wall_ratio": "wall / lenscast",
        "compilation": "compilation [s]",
        "peak_memory": "peak memory [MB]",
        "power": f"P / P(lenscast) - 1 of {results}",
        "correlation": f"correlation of {results}",
    }
    return Table(title, columns, measure, bars)
