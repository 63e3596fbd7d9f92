"""What is compared: the programs of each table, what they stand beside, and the bars that are claimed."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from agreement import agreement
from environments import UnavailableError, python_of
from measurement import Spread, Subject, Timing, Worker, spread, take_turns, together
from workflow import overhead, scale
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
    sizes : particles per side, where a table has several.
    cores : size of XLA's thread pool and of the process's affinity.
    rounds, seconds : measurements of each program, and the time of one, at least.
    config : experiment whose workflow is measured.
    device : platform of JAX; on others than the CPU wall time counts.
    missing : codes that are left out, and why.
    """

    sizes: tuple[int, ...]
    cores: int
    rounds: int
    seconds: float
    config: Path
    device: str = "cpu"
    missing: dict[str, str] = field(default_factory=dict)

    def present(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Subjects whose code is installed or could be."""
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
        """What ratios are of."""
        return "cpu" if self.device == "cpu" else "wall"


class Bar(NamedTuple):
    """A claim on a ratio or a number of a row."""

    column: str
    at_least: float = 0.0
    at_most: float = np.inf

    def row(self, claim: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is claimed, what was measured."""
        bar = f">= {self.at_least:g}" if self.at_least else f"<= {self.at_most:g}"
        met = "yes" if self.at_least <= row[self.column] <= self.at_most else "no"
        return {"claim": claim, "bar": bar, "cores": row["cores"], "measured": row[self.column], "met": met}


class Table(NamedTuple):
    """A table of the report.

    Attributes
    ----------
    title : of the table.
    columns : names of a row's values by what the report calls them.
    rows : makes them.
    bars : claims of the rows.
    drawn : column of the figure; "ratio" is that of CPU or wall times, whichever counts.
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
    """Processes with these programs, alive together, that share one linear field, or the particles that it makes."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = Workload(size, f"{folder}/field.npz", f"{folder}/positions.npz")
        for name, file in {"linear field": work.field, **({"positions": work.positions} if positions else {})}.items():
            with Worker(own(name), work, options.cores) as worker:
                worker.save(Path(file))
        yield [stack.enter_context(Worker(each, work, options.cores, options.device)) for each in subjects]


def measured(timing: Timing, plain: Timing, size: int, options: Options) -> dict[str, Any]:
    """A row: times, and their ratio to the plain program's in the same rounds."""
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
        row |= _columns(f"{clock}_ratio", timing.ratio(plain, clock))
    return row | _columns("ratio", timing.ratio(plain, options.clock))


def _columns(name: str, value: Spread) -> dict[str, float]:
    return {name: value.median, f"{name}_low": value.low, f"{name}_high": value.high}


def pairs(
    of: Mapping[Subject, Subject],
    title: str,
    bar: Mapping[str, Bar],
    sizes: Sequence[int] = (),
    drawn: str = "ratio",
) -> Table:
    """Programs, each beside the one that it goes with; bars by the name of a program."""

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
        "plain": "beside",
        "cpu": "CPU [s]",
        "cpu_ratio": "CPU / beside",
        "wall_ratio": "wall / beside",
        "compilation": "compilation [s]",
        "peak_memory": "peak memory [MB]",
        "memory_ratio": "peak memory / beside",
    }
    return Table(title, columns, rows, bars, drawn)


def peers(
    programs: Sequence[Subject], title: str, faster: Mapping[int, Mapping[Subject, float]], results: str
) -> Table:
    """Programs of several codes that do the same work, relative to the first one; bars by size and program.

    Results are densities, which have to agree, or gradients.
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
                beside = subjects.index(REFERENCE.get(timing.subject, programs[0]))
                agreed = agreement(each, fields[beside], Workload(size, "").box_size)
                row = measured(timing, timings[beside], size, options) | agreed._asdict()
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


NBODY, FOUR_POINT = own("N-body"), own("N-body, 4-point gradient")
GRADIENT = own("gradient by the field")
DOCUMENTED = {code: Subject(code, "N-body") for code in ("pmwd", "pmpp", "jaxpm")}
JAXPM_STEPS = (", FastPM steps", ", FastPM steps, positions")
# a code is measured by lenscast with the same gradient of the potential
REFERENCE = {Subject("jaxpm", f"N-body{steps}"): FOUR_POINT for steps in ("", *JAXPM_STEPS)}


def kernel_rows(options: Options) -> list[dict[str, Any]]:
    """Parts of a force beside compiled loops, and beside what memory can move."""
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
            if name == "force":  # the sum of its parts
                parts = np.sum([timings[each].cpu for each in compiled[:3]], axis=0)
                row |= _columns("cpu_ratio", spread(np.divide(timings[own(name)].cpu, parts)))
            moved = 4 * size**3 * NUMBERS[name]
            made.append(row | {"bandwidth": bandwidth / 1e9, "of_bandwidth": moved / row["cpu"] / bandwidth})
    return made


def kernel_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of what particles and mesh exchange."""
    for row in rows:
        if row["program"] in ("paint", "read"):
            yield Bar("cpu_ratio", at_most=2.0).row(f"{row['particles']}^3 {row['program']} / loop in C", row)


TRIAD_BYTES = 12 << 25
# numbers that each kernel has to read and write, at least, for each particle and point
NUMBERS = {"paint": 3 + 1, "read": 3 + 3 + 3, "transforms": 1 + 3 * 1 + 2 * 3, "force": 3 + 3}


def tangent_rows(options: Options) -> list[dict[str, Any]]:
    """Tangents beside the program without, and their compilation, cold and from the cache."""
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
    """Of the rows with tangents."""
    for row in rows:
        if "cached" in row:
            yield Bar("ratio", at_most=7.0).row(f"{row['program']} / without", row)


def jacobian_rows(options: Options) -> list[dict[str, Any]]:
    """What the Jacobian of a data vector takes by three ways, as often as each has to run."""
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
        made.append(row | _columns("all_ratio", Spread(*(runs * value for value in ratio))))
    return made


def process_rows(options: Options) -> list[dict[str, Any]]:
    """Throughput of single-threaded processes side by side, and of one process with all cores."""
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


def precision_rows(options: Options) -> list[dict[str, Any]]:
    """Results in the precision that ships beside those of the same program in double precision throughout."""
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
    """Of each map."""
    return np.sqrt(np.mean(values**2, axis=(-2, -1)))


RESULTS = ("kappa, rms of a map", "tangents, rms of a map", "data vector, each datum", "Jacobian, norm of each row")
SCALES = (_rms, _rms, np.abs, partial(np.linalg.norm, axis=-1))


def campaign_rows(options: Options) -> list[dict[str, Any]]:
    """What each box, and the summaries of each map, of a campaign cost."""
    size = "DLL" if options.device != "cpu" else "default"
    batches = () if options.device == "cpu" else ("batch", "batch, 5 tangents")
    programs = ("N-body", "box", "box, 5 tangents", *batches, "statistics", "statistics, 5 tangents")
    names = [f"{size} {each}" for each in programs]
    made, work = [], Workload(SIZE, "")
    for name in names:  # one after another: a box with tangents fills a machine
        with Worker(own(name), work, options.cores, options.device) as worker:
            take_turns([worker], options.rounds, options.seconds)
        made.append(measured(worker.timing, worker.timing, SIZE, options))
    return made


def overhead_rows(options: Options) -> list[dict[str, Any]]:
    """Of the experiment of the options."""
    return overhead(yaml.safe_load(options.config.read_text()), ALL_CORES, options.rounds)


def scale_rows(options: Options) -> list[dict[str, Any]]:
    """Small plans are run too."""
    config, sizes = yaml.safe_load(options.config.read_text()), {1000: True, 10000: False}
    return [row for batches, run in sizes.items() for row in scale(config, batches, ALL_CORES, run)]


def overhead_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of the whole workflow."""
    for row in rows:
        yield Bar("wall_ratio", at_most=1.1).row(f"{row['run']}: workflow / bare loop, wall", row)


def scale_bars(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of the large plan."""
    for row in rows:
        if row["batches"] == 10000:
            yield Bar("wall", at_most=60.0).row(f"dry run of {row['batches']} batches [s]", row)


ADJOINTS = {
    "fixed steps": ("plain reverse", "recursive checkpoints"),
    "adaptive": ("plain reverse", "recursive checkpoints", "backsolve"),
}
TABLES: dict[str, Table] = {
    "kernels": Table(
        "A force evaluation and its parts beside compiled loops and SciPy's transforms on one thread",
        {
            "particles": "particles",
            "cores": "cores",
            "program": "kernel",
            "cpu_ms": "CPU [ms]",
            "cpu_ratio": "CPU / compiled",
            "of_bandwidth": "share of the memory's bandwidth",
            "bandwidth": "bandwidth [GB/s]",
        },
        kernel_rows,
        kernel_bars,
        drawn="cpu_ratio",
    ),
    "nbody": peers(
        [
            NBODY,
            FOUR_POINT,
            *DOCUMENTED.values(),
            Subject("pmwd", "N-body, one program"),
            *(Subject("jaxpm", f"N-body{steps}") for steps in JAXPM_STEPS),
        ],
        "N-body: 2LPT and 10 steps from a = 0.1, one particle per mesh cell, to the density today",
        {
            SIZE: dict(zip(DOCUMENTED.values(), (4.0, 6.5, 12.0), strict=True)),
            LARGE: dict(zip(DOCUMENTED.values(), (3.0, 4.5, 8.5), strict=True)),
        },
        "densities",
    ),
    "gradients": peers(
        [
            GRADIENT,
            *(Subject(code, GRADIENT.program) for code in DOCUMENTED),
            *(Subject("jaxpm", f"{GRADIENT.program}{steps}") for steps in JAXPM_STEPS),
        ],
        "Reverse mode: the gradient of the mean squared density of the same N-body by its linear field",
        {SIZE: {Subject("pmwd", GRADIENT.program): 1.7, Subject("jaxpm", GRADIENT.program): 5.0}},
        "gradients",
    ),
    "steps": pairs(
        {own(f"{GRADIENT.program}, {steps} steps"): GRADIENT for steps in (5, 20, 40)},
        "Memory of reverse mode with the number of steps, beside 10",
        {f"{GRADIENT.program}, {steps} steps": Bar("memory_ratio", at_most=1.5) for steps in (20, 40)},
        [SIZE],
        drawn="memory_ratio",
    ),
    "tangents": Table(
        f"Derivatives with respect to 6 parameters, {SIZE}^3 particles; central differences would take 13 times a run",
        {
            "cores": "cores",
            "program": "program",
            "cpu": "CPU [s]",
            "cpu_ratio": "CPU / without tangents",
            "wall_ratio": "wall / without tangents",
            "compilation": "compilation [s]",
            "compilation_cpu": "its CPU [s]",
            "cached": "from the cache [s]",
            "cached_cpu": "its CPU [s]",
            "peak_memory": "peak memory [MB]",
        },
        tangent_rows,
        tangent_bars,
    ),
    "jacobian": Table(
        f"C_ell and peaks of the maps of a box, {SIZE}^3 particles, and their Jacobian by 6 parameters",
        {
            "program": "way",
            "cores": "cores",
            "cpu": "one run: CPU [s]",
            "runs": "runs",
            "cpu_all": "all of them: CPU [s]",
            "all_ratio": "all / the data alone",
            "peak_memory": "peak memory [MB]",
            "compilation": "compilation [s]",
        },
        jacobian_rows,
        drawn="all_ratio",
    ),
    "statistics": pairs(
        {own(each): own("DLL N-body") for each in ("DLL statistics", "DLL statistics, 5 tangents")},
        "C_ell and peaks of a map of configs/dll.yaml, with and without their Jacobian, beside the N-body of a box",
        {"DLL statistics, 5 tangents": Bar("ratio", at_most=0.2)},
        [SIZE],
    ),
    "corrections": pairs(
        {own(f"N-body, {kind}"): NBODY for kind in ("HPN", "PGD")},
        "Corrections of small scales: the same N-body with and without",
        {f"N-body, {kind}": Bar("ratio", at_most=1.3) for kind in ("HPN", "PGD")},
    ),
    "adjoints": pairs(
        {
            own(f"gradient, {steps}, {each}"): own(f"loss, {steps}")
            for steps, adjoints in ADJOINTS.items()
            for each in adjoints
        },
        "Gradient of the training loss by the weights, beside the loss",
        {},
        [SIZE],
    ),
    "systematics": pairs(
        {
            own("5 bins, 6 tangents"): own("5 bins"),
            own("5 bins, 6 tangents, 8 of systematics"): own("5 bins, 6 tangents"),
        },
        "Maps of five tomographic bins with tangents, beside those with fewer",
        {"5 bins, 6 tangents, 8 of systematics": Bar("ratio", at_most=1.1)},
        [SIZE],
    ),
    "scaling": pairs(
        {
            own(f"kappa, {more}"): own("kappa")
            for more in ("22 planes", "512 pixels", "16 realisations", "1 tangents", "3 tangents")
        },
        "Maps of a box of config.yaml (64^3 particles, 11 planes, 256^2 pixels, 8 realisations) with more of each",
        {},
        [SIZE],
    ),
    "processes": Table(
        f"Boxes of config.yaml a second, {SIZE}^3 particles",
        {"program": "how", "processes": "processes", "cores": "threads of each", "rate": "boxes / s", "gain": "gain"},
        process_rows,
        drawn="rate",
    ),
    "precision": Table(
        "Single beside double precision: largest error, relative to the number itself",
        {"result": "result", "error": "error"},
        precision_rows,
        drawn="error",
    ),
    "campaign": Table(
        "A campaign, program by program",
        {
            "program": "program",
            "cpu": "CPU [s]",
            "wall": "wall [s]",
            "compilation": "compilation [s]",
            "peak_memory": "peak memory [MB]",
        },
        campaign_rows,
        drawn="wall",
    ),
    "overhead": Table(
        "A campaign by the workflow, beside a bare loop over its batches",
        {
            "run": "run",
            "cores": "cores",
            "jobs": "jobs",
            "wall": "wall [s]",
            "loop_wall": "wall, bare loop [s]",
            "wall_ratio": "wall / bare loop",
            "cpu_ratio": "CPU / bare loop",
        },
        overhead_rows,
        overhead_bars,
        drawn="wall_ratio",
    ),
    "scale": Table(
        "Campaigns of many batches, two jobs each, on scripts that only touch their outputs",
        {
            "batches": "batches",
            "call": "call of Snakemake",
            "cores": "cores",
            "wall": "wall [s]",
            "cpu": "CPU [s]",
            "peak_memory": "peak memory [MB]",
        },
        scale_rows,
        scale_bars,
        drawn="wall",
    ),
}
