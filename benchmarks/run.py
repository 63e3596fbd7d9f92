"""Speed and memory of lenscast beside other particle-mesh codes, and of its tangents beside its maps.

    make benchmarks                        32^3 and 64^3 particles, on 1 core and on 2
    make benchmarks ARGS=--large           128^3 too
    make benchmarks ARGS="--rounds 3 --sizes 64 --cores 1"

Tables go to benchmarks/results: all of them to speed.md, one alone (--only) to a file of its name. README.md says what
is compared and how.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import report
from agreement import agreement
from environments import UnavailableError, python_of
from measurement import HERE, Spread, Subject, Timing, Worker, spread, take_turns
from workload import Workload

NBODY = (
    Subject("lenscast", "N-body"),
    Subject("lenscast", "N-body, 4-point gradient"),
    Subject("pmwd", "N-body"),
    Subject("pmwd", "N-body, one program"),
    Subject("pmpp", "N-body"),
    Subject("jaxpm", "N-body"),
    Subject("jaxpm", "N-body, FastPM steps"),
    Subject("jaxpm", "N-body, FastPM steps, positions"),
)
TANGENTS = {
    Subject("lenscast", "N-body, 6 tangents"): Subject("lenscast", "N-body from parameters"),
    Subject("lenscast", "kappa, 6 tangents"): Subject("lenscast", "kappa"),
}
CORRECTIONS = {Subject("lenscast", f"N-body, {kind}"): Subject("lenscast", "N-body") for kind in ("HPN", "PGD")}
ADJOINTS = {
    Subject("lenscast", f"gradient, {steps}, {adjoint}"): Subject("lenscast", f"loss, {steps}")
    for steps, adjoints in {
        "fixed steps": ("plain reverse", "recursive checkpoints"),
        "adaptive": ("plain reverse", "recursive checkpoints", "backsolve"),
    }.items()
    for adjoint in adjoints
}
SYSTEMATICS = {
    Subject("lenscast", "5 bins, 6 tangents"): Subject("lenscast", "5 bins"),
    Subject("lenscast", "5 bins, 6 tangents, 8 of systematics"): Subject("lenscast", "5 bins, 6 tangents"),
}
# a code is measured by lenscast with the same gradient of the potential
REFERENCE = {"jaxpm": Subject("lenscast", "N-body, 4-point gradient")}
BAR_SIZE = 64
# at least so many times the CPU time of lenscast; pmpp stands in where pmwd is not installed
FASTER_THAN = {"pmwd": 3.5, "pmpp": 6.0, "jaxpm": 9.0}
TANGENT_COST = 9.0
COMPILATION = 20.0  # s
TABLES = ["nbody", "tangents", "corrections", "adjoints", "systematics"]
CORRECTION_COST = 1.3
SYSTEMATICS_COST = 1.1


def compare_codes(size: int, cores: int, options: argparse.Namespace, subjects: Sequence[Subject]) -> list[dict]:
    """One row a code and program."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = Workload(size, f"{folder}/field.npy")
        with Worker(Subject("lenscast", "linear field"), work, cores) as worker:
            worker.save(Path(work.field))
        workers = [stack.enter_context(Worker(subject, work, cores)) for subject in subjects]
        take_turns(workers, options.rounds, options.seconds)
        densities = []
        for number, worker in enumerate(workers):
            worker.save(Path(folder, f"{number}.npy"))
            densities.append(np.load(Path(folder, f"{number}.npy")))
        timings = [worker.timing for worker in workers]
    rows = []
    for timing, density in zip(timings, densities, strict=True):
        reference = subjects.index(REFERENCE.get(timing.subject.code, NBODY[0]))
        agreed = agreement(density, densities[reference], work.box_size)
        rows.append({"particles": size, **_row(timing, timings[reference], cores), **agreed._asdict()})
        rows[-1]["agrees"] = agreed.holds(timing.tolerance)
    return rows


def compare_tangents(cores: int, options: argparse.Namespace) -> list[dict]:
    """One row a program: with tangents, and the same without."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Workload(BAR_SIZE, "")
        for subject, plain in TANGENTS.items():
            cache = {
                "JAX_ENABLE_COMPILATION_CACHE": "1",
                "JAX_COMPILATION_CACHE_DIR": f"{folder}/{subject.program}",
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            }
            with Worker(subject, work, cores, cache) as worker, Worker(plain, work, cores) as reference:
                take_turns((reference, worker), options.rounds, options.seconds)
            with Worker(subject, work, cores, cache) as warm:
                warm.measure(options.seconds)
            rows += [_row(timing, reference.timing, cores) for timing in (reference.timing, worker.timing)]
            rows[-1] |= {"cached": warm.timing.compilation("wall"), "cached_cpu": warm.timing.compilation("cpu")}
    return rows


def compare_pairs(pairs: Mapping[Subject, Subject], size: int, cores: int, options: argparse.Namespace) -> list[dict]:
    """One row a program: what it takes beside the plain one that it goes with."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Workload(size, f"{folder}/field.npy")
        with Worker(Subject("lenscast", "linear field"), work, cores) as worker:
            worker.save(Path(work.field))
        for subject, plain in pairs.items():
            with Worker(plain, work, cores) as reference, Worker(subject, work, cores) as worker:
                take_turns((reference, worker), options.rounds, options.seconds)
            rows.append({"particles": size, **_row(worker.timing, reference.timing, cores)})
            rows[-1]["plain_peak_memory"] = reference.timing.peak_memory
    return rows


def _row(timing: Timing, reference: Timing, cores: int) -> dict[str, Any]:
    row = {
        "cores": cores,
        "code": timing.subject.code,
        "program": timing.subject.program,
        "forces": timing.forces,
        "compilation": timing.compilation("wall"),
        "compilation_cpu": timing.compilation("cpu"),
        "peak_memory": timing.peak_memory,
        "versions": timing.versions,
    }
    for clock in ("cpu", "wall"):
        row[clock] = spread(getattr(timing, clock)).median
        row |= _spread_columns(f"{clock}_ratio", timing.ratio(reference, clock))
    return row


def _spread_columns(name: str, value: Spread) -> dict[str, float]:
    return {name: value.median, f"{name}_low": value.low, f"{name}_high": value.high}


def bars(
    nbody: Sequence[dict], tangents: Sequence[dict], corrections: Sequence[dict], systematics: Sequence[dict]
) -> list[dict]:
    """What is claimed, what was measured."""
    rows = []
    at_size = [row for row in nbody if row["particles"] == BAR_SIZE and row["code"] in FASTER_THAN]
    installed = {row["code"] for row in at_size}
    for row in at_size:
        if row["code"] == "pmpp" and "pmwd" in installed:
            continue
        claim = f"{BAR_SIZE}^3 {row['program']}: {row['code']} / lenscast, CPU"
        rows.append(_bar(claim, row, row["cpu_ratio"], at_least=FASTER_THAN[row["code"]]))
    for row in tangents:
        if "cached" in row:
            rows.append(_bar(f"{row['program']} / without, CPU", row, row["cpu_ratio"], at_most=TANGENT_COST))
            rows.append(_bar(f"{row['program']}: compilation [s]", row, row["compilation"], at_most=COMPILATION))
    for row in corrections:
        claim = f"{row['particles']}^3 {row['program']} / without, CPU"
        rows.append(_bar(claim, row, row["cpu_ratio"], at_most=CORRECTION_COST))
    for row in systematics[1::2]:
        rows.append(_bar(f"{row['program']} / without these, CPU", row, row["cpu_ratio"], at_most=SYSTEMATICS_COST))
    return rows


def _bar(claim: str, row: dict, measured: float, at_least: float = 0.0, at_most: float = np.inf) -> dict:
    bar = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    met = "yes" if at_least <= measured <= at_most else "no"
    return {"claim": claim, "bar": bar, "cores": row["cores"], "measured": measured, "met": met}


def available(subjects: Sequence[Subject]) -> tuple[list[Subject], list[str]]:
    """Subjects whose code is installed or could be, and why the others are left out."""
    missing = {}
    for code in dict.fromkeys(subject.code for subject in subjects):
        try:
            python_of(code)
        except UnavailableError as error:
            missing[code] = str(error)
            print(f"{code} left out: {error}", flush=True)
    present = [subject for subject in subjects if subject.code not in missing]
    return present, [f"{code} was not measured: {reason}." for code, reason in missing.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64], help="particles per side (32 64)")
    parser.add_argument("--large", action="store_true", help="128 particles per side, too")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2], help="numbers of cores (1 2)")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each program (7)")
    parser.add_argument("--seconds", type=float, default=0.5, help="CPU time of one measurement, at least (0.5)")
    parser.add_argument("--only", choices=TABLES, help="one table, in a file of its own")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder of the tables")
    options = parser.parse_args()

    notes = [f"{report.machine()}; load average at the start: {report.load()}."]
    subjects, left_out = available(NBODY)
    nbody: list[dict] = []
    tangents: list[dict] = []
    corrections: list[dict] = []
    adjoints: list[dict] = []
    systematics: list[dict] = []
    wanted = [options.only] if options.only else TABLES
    for cores in options.cores:
        for size in options.sizes + [128] * options.large:
            if "nbody" in wanted:
                print(f"N-body, {size}^3, {cores} core(s)", flush=True)
                nbody += compare_codes(size, cores, options, subjects)
            if "corrections" in wanted:
                print(f"Corrections, {size}^3, {cores} core(s)", flush=True)
                corrections += compare_pairs(CORRECTIONS, size, cores, options)
        if "tangents" in wanted:
            print(f"Tangents, {cores} core(s)", flush=True)
            tangents += compare_tangents(cores, options)
        if "adjoints" in wanted:
            print(f"Adjoints, {cores} core(s)", flush=True)
            adjoints += compare_pairs(ADJOINTS, BAR_SIZE, cores, options)
        if "systematics" in wanted:
            print(f"Systematics, {cores} core(s)", flush=True)
            systematics += compare_pairs(SYSTEMATICS, BAR_SIZE, cores, options)
    made = (nbody, tangents, corrections, adjoints, systematics)
    tables = dict(zip(TABLES, made, strict=True))
    versions = {
        name: number for rows in tables.values() for row in rows for name, number in row.pop("versions").items()
    }
    notes += [f"Medians of {options.rounds} rounds; ratios within a round, with quartiles.", *left_out]
    document = options.output / f"{options.only or 'speed'}.md"
    print(report.write(document, {"bars": bars(nbody, tangents, corrections, systematics), **tables}, versions, notes))
    wrong = sorted({f"{row['code']} ({row['program']}, {row['particles']}^3)" for row in nbody if not row["agrees"]})
    if wrong:
        raise SystemExit(f"not the same simulation as lenscast's: {', '.join(wrong)}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
