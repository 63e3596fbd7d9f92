"""What every job does first: log, precision, threads, compilation cache; the only global settings of the workflow."""

import gc
import hashlib
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _processes import join

if find_spec("lenscast") is None:  # in a conda environment of Snakemake's, which has the packages of others alone
    sys.path.append(str(Path(__file__).parents[2] / "src"))

MAPS = "lightcone.realisations_per_box or lightcone.pixels"
LARGE = {  # keys of the config that decide how much memory a job takes
    "simulate": f"lightcone.plane_mesh, simulation.particles, {MAPS}",
    "simulate_prior": f"lightcone.plane_mesh, simulation.particles, {MAPS}",
    "differentiate": "lightcone.plane_mesh, simulation.particles or the number of forecast.parameters",
    "look": f"lightcone.plane_mesh, the number of forecast.parameters, {MAPS}",
    "measure": MAPS,
    "measure_derivatives": "lightcone.plane_mesh, lightcone.pixels or the number of forecast.parameters",
    "sample_chain": "simulation.particles, lightcone.plane_mesh or lightcone.pixels",
    "gather": "covariance.boxes, derivatives.boxes or the number of bins of statistics",
}


def start(job: Any) -> logging.Logger:
    """Set up the process of a job, before JAX is imported."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(".cache/jax", machine()).absolute()))
    gpus = job.resources.get("gpu", 0)
    platforms = os.environ.setdefault("JAX_PLATFORMS", "" if gpus else "cpu")
    processes = job.resources.get("tasks", 1)
    split = job.config.get("distribution", {}).get("devices", 1)
    if split % processes:
        raise ValueError(
            f"resources: tasks = {processes} and distribution.devices = {split}: each process has the same number of "
            "devices; give a number of tasks that divides it"
        )
    devices = split // processes
    os.environ.update(
        JAX_ENABLE_X64="1",
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        EQX_ON_ERROR="nan",  # a failed solve gives NaN, which io refuses; calls back to the host are never cached
        NPROC=str(max(job.threads, devices)),  # the size of XLA's thread pool on a CPU; devices wait for each other
        OMP_NUM_THREADS=str(job.threads),
        MPLBACKEND="Agg",
    )
    if devices > 1 and not gpus:
        os.environ["JAX_NUM_CPU_DEVICES"] = str(devices)
    gc.set_threshold(100_000, 50, 100)  # JAX traces millions of objects: a tenth of a job was a search for cycles
    name = " ".join([job.rule, *map(str, job.wildcards)])
    number = join(processes, job.resources.get("mpi")) if processes > 1 else 0
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    # long tables are in the log alone; lines of jobs would run through the bars that a terminal has
    handlers[0].setLevel(logging.WARNING if number or sys.stderr.isatty() else logging.INFO)
    if not number:
        handlers.append(logging.FileHandler(job.log[0], mode="w"))
    logging.getLogger("lenscast").setLevel(logging.DEBUG)
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)  # which accelerators are not there
    logging.basicConfig(level=logging.INFO, format=f"{name}: %(message)s", handlers=handlers, force=True)
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _failed(job.rule, error)
    if gpus and not platforms:
        _find_gpu(job.rule)
    return logging.getLogger("lenscast")


def _find_gpu(rule: str) -> None:
    """Stop a job that the profile gives a GPU to where JAX finds none, and would take hours on a CPU."""
    import jax

    if jax.default_backend() == "cpu":
        raise RuntimeError(
            f"the profile gives rule {rule} a GPU (resources: gpu) but JAX finds none on {platform.node()}: "
            "install JAX for it (pip install 'jax[cuda13]'), take the rule's `gpu` out of the profile, or set "
            "JAX_PLATFORMS=cpu"
        )


def _failed(rule: str, error: BaseException) -> None:
    """Log what ended a job, and what to do about a lack of memory."""
    logging.critical("failed", exc_info=error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "out of memory" in str(error).lower()):
        keys = LARGE.get(rule, "the sizes in the config of what is simulated")
        advice = "run fewer jobs at once (snakemake --resources mem_mb=<megabytes there are>)"
        logging.critical("out of memory: lower %s, or take a larger machine, or %s", keys, advice)


def progress(seeds: Iterable[int], log: logging.Logger, what: str) -> Iterator[int]:
    """Go through the seeds of a batch and say what is done and how long the rest will take.

    The log has a line for each box; standard error has those after 2, 4, 8, ... minutes. The first box compiles: the
    time that is left follows from the others.
    """
    seeds, begin, first, quiet_until = list(seeds), time.monotonic(), 0.0, 120.0
    for done, seed in enumerate(seeds, start=1):
        yield seed
        spent = time.monotonic() - begin
        first = first or spent
        left = f"{(spent - first) / (done - 1) * (len(seeds) - done):.0f} s left" if done > 1 else "with compilation"
        level = logging.INFO if spent >= quiet_until else logging.DEBUG
        log.log(level, "box %d of %d (seed %d, %s), %.0f s spent, %s", done, len(seeds), seed, what, spent, left)
        while quiet_until <= spent:
            quiet_until *= 2


def boxes_of(
    path: str, maps: Any, names: Sequence[str] | None, log: logging.Logger, statistics: Sequence[str]
) -> Iterator[tuple[int, Any, Mapping[str, Any]]]:
    """Seed, realisations and variables of each box in a file of maps, one box in memory at a time."""
    import numpy as np

    from lenscast import io

    index = maps.coordinates["map"]
    for number, seed in enumerate(progress(index["seed"].unique().tolist(), log, ", ".join(statistics))):
        rows = np.flatnonzero(index["seed"] == seed)
        here = {"map": slice(rows[0], rows[-1] + 1), "box": slice(number, number + 1)}
        box = io.load(path, names, {axis: here[axis] for axis in here if axis in maps.coordinates}).variables
        yield seed, index["realisation"][rows], box


def planes_of(path: str, log: logging.Logger, what: str) -> Iterator[tuple[int, Any]]:
    """Seed, and planes with their derivatives, of each box in a file of planes, one box in memory at a time."""
    from lenscast import io
    from lenscast.io.plane_files import load_planes

    seeds = io.load(path, names=[]).coordinates["box"]["seed"].tolist()
    for number, seed in enumerate(progress(seeds, log, what)):
        yield seed, load_planes(path, number)


def provenance(job: Any, seeds: Sequence[int], source: Mapping[str, str] | None = None) -> dict[str, str]:
    """What makes the outputs of a job again: its whole config, to be saved as config.yaml, and a command.

    ``settings`` are the parameters of the rule that decide what it makes, by the name of the rule, beside
    those in the provenance of the source, the file that it reads.
    """
    from lenscast import io  # after `start`: numpy reads the number of threads when it is imported

    own = {name: value for name, value in job.params.items() if name not in ("code", "hashes", "seeds")}
    settings = {**json.loads((source or {}).get("settings", "{}")), job.rule: own}
    made = io.provenance(job.config, seeds, f"snakemake --configfile config.yaml -- {job.output[0]}")
    return {**made, **_sources(job), "settings": json.dumps(settings, sort_keys=True)}


def _sources(job: Any) -> dict[str, str]:
    """Mean redshift and width of each source bin, in which a table that was read wrongly shows."""
    from lenscast.sources import redshift_distributions

    sources = redshift_distributions(experiment(job).survey.sources)
    found = {"mean_z": sources.mean.tolist(), "width_z": sources.width.tolist()}
    return {"sources": json.dumps(found)}


def experiment(job: Any) -> Any:
    """The experiment of a job: that of the config, or what its wildcard `variant` or `level` makes of it."""
    from lenscast.experiment import Experiment

    found = Experiment.model_validate(
        {key: value for key, value in job.config.items() if key in Experiment.model_fields}
    )
    if hasattr(job.wildcards, "level"):
        return found.coarser(job.wildcards.level)
    return found.variant(job.wildcards.variant) if hasattr(job.wildcards, "variant") else found


def values(job: Any, described: Any) -> Mapping[str, float]:
    """Values of all parameters in a job: the fiducial ones, or those of its wildcard `cosmology`."""
    return described.cosmologies[job.wildcards.get("cosmology", "fiducial")]


def made_with(job: Any) -> dict[str, str]:
    """What the summaries and Jacobians of a job are made with, so that runs can be merged."""
    from lenscast.experiment import campaigns

    return {"made_with": json.dumps(campaigns.made_with(experiment(job), job.params.hashes), sort_keys=True)}


def machine() -> str:
    """Version of jaxlib and hash of the CPU: a compiled program is good for this pair only."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    cpu = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    digest = hashlib.sha256("".join([platform.machine(), *cpu]).encode()).hexdigest()
    return f"{version('jaxlib')}-{digest[:12]}"
