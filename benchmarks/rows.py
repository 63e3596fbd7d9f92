"""Rows of the tables that are not plain comparisons of programs, and their bars."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measurement import Spread, Subject, Worker, spread, take_turns, together
from table import ALL_CORES, LARGE, SIZE, Bar, Options, columns, measured, own, workers
from workflow import overhead, scale
from workload import Workload

from lenscast.experiment import complete


def kernel_rows(options: Options) -> list[dict[str, Any]]:
    """A force and its parts, compared with compiled loops and with the bandwidth of the memory."""
    made = []
    for size in options.sizes:
        names = ("paint", "read", "transforms", "force")
        subjects = [own(name) for name in names]
        compiled = [Subject("compiled", name) for name in ("paint", "read", "transforms", "triad")]
        with workers([*subjects, *compiled], size, options, positions=True) as processes:
            take_turns(processes, options.rounds, options.seconds)
        timings = dict(zip([*subjects, *compiled], (each.timing for each in processes), strict=True))
        bandwidth = TRIAD_BYTES / spread(timings[compiled[-1]].cpu).median
        for name in names:
            plain = timings.get(Subject("compiled", name), timings[own(name)])
            row = measured(timings[own(name)], plain, size, options)
            if name == "force":  # there is no compiled force: its parts together
                parts = np.sum([timings[each].cpu for each in compiled[:3]], axis=0)
                row |= columns("cpu_ratio", spread(np.divide(timings[own(name)].cpu, parts)))
            moved = 4 * size**3 * NUMBERS[name]
            made.append(row | {"bandwidth": bandwidth / 1e9, "of_bandwidth": moved / row["cpu"] / bandwidth})
    return made


def kernel_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Bars of the kernels between particles and mesh."""
    for row in rows:
        if row["program"] in ("paint", "read"):
            yield Bar("cpu_ratio", at_most=2.0).row(f"{row['particles']}^3 {row['program']} / loop in C", row)


TRIAD_BYTES = 12 << 25
# float32 numbers that each kernel must read and write for each particle and mesh point
NUMBERS = {"paint": 3 + 1, "read": 3 + 3 + 3, "transforms": 1 + 3 * 1 + 2 * 3, "force": 3 + 3}


def tangent_rows(options: Options) -> list[dict[str, Any]]:
    """Programs with tangents compared with those without, and their compilation, without and with JAX's cache."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        work = Workload(SIZE, "")
        for subject, plain in TANGENTS.items():
            cache = {
                "JAX_ENABLE_COMPILATION_CACHE": "1",
                "JAX_COMPILATION_CACHE_DIR": f"{folder}/{subject.program}",
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            }
            with (
                Worker(subject, work, options.cores, options.device, cache) as worker,
                Worker(plain, work, options.cores, options.device) as reference,
            ):
                take_turns((reference, worker), options.rounds, options.seconds)
            with Worker(subject, work, options.cores, options.device, cache) as warm:
                together([warm], options.seconds)
            for timing in (reference.timing, worker.timing):
                made.append(measured(timing, reference.timing, SIZE, options))
            made[-1] |= {"cached": warm.timing.compilation("wall"), "cached_cpu": warm.timing.compilation("cpu")}
    return made


TANGENTS = {
    own("N-body, 6 tangents"): own("N-body from parameters"),
    own("kappa, 6 tangents"): own("kappa"),
}


def tangent_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Bars of the programs with tangents."""
    for row in rows:
        if "cached" in row:
            yield Bar("ratio", at_most=7.0).row(f"{row['program']} / without", row)


def jacobian_rows(options: Options) -> list[dict[str, Any]]:
    """Cost of the Jacobian of a data vector in three ways, with the number of runs that each way takes."""
    subjects = [own(name) for name in ("data", "Jacobian", "one row in reverse mode")]
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        work = Workload(SIZE, "")
        processes = [stack.enter_context(Worker(each, work, options.cores, options.device)) for each in subjects]
        take_turns(processes, options.rounds, options.seconds)
        processes[1].save(Path(folder, "jacobian.npz"))
        with np.load(Path(folder, "jacobian.npz")) as file:
            parameters, data = file["arr_0"].shape
    timings = [worker.timing for worker in processes]
    ways = {
        "the data alone": (0, 1),
        "forward tangents": (1, 1),
        "central differences": (0, 2 * parameters + 1),
        "reverse mode": (2, data),
    }
    made = []
    for way, (timing, runs) in ways.items():
        row = measured(timings[timing], timings[0], SIZE, options) | {"program": way, "runs": runs}
        row |= {f"{clock}_all": runs * row[clock] for clock in ("cpu", "wall")}
        ratio = timings[timing].ratio(timings[0], options.clock)
        made.append(row | columns("all_ratio", Spread(*(runs * value for value in ratio))))
    return made


def process_rows(options: Options) -> list[dict[str, Any]]:
    """Throughput of single-threaded processes at the same time, and of one process with all cores."""
    made, work = [], Workload(SIZE, "")
    ways = {"one process": (1, 1), "a process each core": (ALL_CORES, 1), "threads": (1, ALL_CORES)}
    for label, (number, cores) in ways.items():
        with ExitStack() as stack:
            processes = [stack.enter_context(Worker(own("kappa"), work, cores, first_core=n)) for n in range(number)]
            for _ in range(options.rounds):
                together(processes, options.seconds)
            rate = sum(1 / spread(worker.timing.wall).median for worker in processes)
        made.append({"program": label, "processes": number, "cores": cores, "rate": rate, "versions": {}})
    for row in made:
        row["gain"] = row["rate"] / made[0]["rate"]
    return made


def device_rows(options: Options) -> list[dict[str, Any]]:
    """A box on two devices, each with half of the cores, compared with one device that has all of them."""
    work, split = Workload(LARGE, ""), {"JAX_NUM_CPU_DEVICES": "2"}
    with (
        Worker(own("kappa"), work, ALL_CORES) as reference,
        Worker(own("kappa, 2 devices"), work, ALL_CORES, environment=split) as worker,
    ):
        take_turns((reference, worker), options.rounds, options.seconds)
    rows = [measured(timing, reference.timing, LARGE, options) for timing in (reference.timing, worker.timing)]
    return [row | {"cores": ALL_CORES} for row in rows]


def device_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Bar of the box on two devices."""
    yield Bar("wall_ratio", at_most=1.0).row("two devices / one device with the threads of both, wall", rows[-1])


def precision_rows(options: Options) -> list[dict[str, Any]]:
    """Errors of the shipped precision: differences from the same program in double precision throughout."""
    subject, work = own("from parameters to Jacobian"), Workload(SIZE, "")
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, environment in (("single", {}), ("double", {"LENSCAST_BENCHMARK_DOUBLE": "1"})):
            with Worker(subject, work, options.cores, options.device, environment) as worker:
                worker.save(Path(folder, f"{name}.npz"))
            with np.load(Path(folder, f"{name}.npz")) as file:
                found.append([file[each].astype(float) for each in file.files])
    made = []
    for name, size, single, double in zip(RESULTS, SCALES, *found, strict=True):
        error = size(single - double) / size(double)
        made.append({"result": name, "error": float(np.max(error)), "cores": options.cores, "versions": {}})
    return made


def _rms(values: np.ndarray) -> np.ndarray:
    """Rms of each map."""
    return np.sqrt(np.mean(values**2, axis=(-2, -1)))


RESULTS = ("kappa, rms of a map", "tangents, rms of a map", "data vector, each datum", "Jacobian, norm of each row")
SCALES = (_rms, _rms, np.abs, partial(np.linalg.norm, axis=-1))


def campaign_rows(options: Options) -> list[dict[str, Any]]:
    """Cost of each box of a campaign, and of the summaries of each map."""
    size = "DLL" if options.device != "cpu" else "default"
    batches = () if options.device == "cpu" else ("batch", "batch, 5 tangents")
    programs = ("N-body", "box", "box, 5 tangents", *batches, "statistics", "statistics, 5 tangents")
    names = [f"{size} {each}" for each in programs]
    made, work = [], Workload(SIZE, "")
    for name in names:  # one after another, since a box with tangents fills the memory of a machine
        with Worker(own(name), work, options.cores, options.device) as worker:
            take_turns([worker], options.rounds, options.seconds)
        made.append(measured(worker.timing, worker.timing, SIZE, options))
    return made


def overhead_rows(options: Options) -> list[dict[str, Any]]:
    """Cost of the workflow of the experiment."""
    return overhead(_config(options), ALL_CORES, options.rounds)


def scale_rows(options: Options) -> list[dict[str, Any]]:
    """Cost of plans of many batches; small plans run too."""
    config, sizes = _config(options), {1000: True, 10000: False}
    return [row for batches, run in sizes.items() for row in scale(config, batches, ALL_CORES, run)]


def _config(options: Options) -> dict[str, Any]:
    """Complete config of the experiment of the options, also where its file names a base."""
    return complete(yaml.safe_load(options.config.read_text()), str(options.config), options.config.parent)


def overhead_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Bar of the whole workflow."""
    for row in rows:
        yield Bar("wall_ratio", at_most=1.1).row(f"{row['run']}: workflow / bare loop, wall", row)


def scale_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Bar of the large plan."""
    for row in rows:
        if row["batches"] == 10000:
            yield Bar("wall", at_most=60.0).row(f"dry run of {row['batches']} batches [s]", row)
