"""What Snakemake costs: a campaign compared with a bare loop over its batches, and plans of thousands of batches."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from measurement import HERE, spread

ROOT = HERE.parent
GATHERED = ("covariance/summaries.h5", "derivatives/jacobians.h5")
TOUCH = """from pathlib import Path

for path in snakemake.output:
    Path(path).touch()
"""


class Cost(NamedTuple):
    """Cost of commands, their child processes included."""

    wall: float  # [s]
    cpu: float  # [s]
    peak_memory: float  # of the largest process [MB]


def cost(commands: Sequence[Sequence[str]], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run commands at the same time and wait for all of them."""
    begin, usages = time.monotonic(), []
    with open(folder / "output.txt", "w") as output:
        running = [
            subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output) for command in commands
        ]
        for process in running:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            usages.append(usage)
    if failed := [process.args for process in running if process.returncode]:
        raise SystemExit(f"{failed[0]} failed:\n{(folder / 'output.txt').read_text()[-5000:]}")
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Cost(time.monotonic() - begin, cpu, max(usage.ru_maxrss for usage in usages) / 1000)


def snakemake(snakefile: Path, cores: int, *arguments: str) -> list[str]:
    """Call of the workflow on `config.yaml` of the working directory."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", str(cores)]
    return [*command, *arguments, "--quiet", "all", "--configfile", "config.yaml"]


def sized(config: Mapping[str, Any], batches: int) -> dict[str, Any]:
    """The config with a number of batches, half of them for the covariance and half for the derivatives."""
    boxes = batches // 2 * config["boxes_per_batch"]
    first = {"covariance": config["covariance"]["first_seed"] + boxes, "derivatives": 0}
    return {**config, **{name: config[name] | {"first_seed": seed, "boxes": boxes} for name, seed in first.items()}}


def scale(config: Mapping[str, Any], batches: int, cores: int, run: bool) -> list[dict]:
    """Costs of calls of Snakemake on the rules of the workflow, with scripts that only touch their outputs.

    Parameters
    ----------
    config
        Complete config of an experiment.
    batches
        Number of batches.
    cores
        Cores that Snakemake may use.
    run
        Whether to run the plan, and then to call Snakemake again when nothing is left to do.

    Returns
    -------
    rows
        One row for each call: the dry run, the run, and the dry run after it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "workflow", folder / "workflow")
        for file in ("configs", "profiles"):
            (folder / file).symlink_to(ROOT / file)
        for script in (folder / "workflow/scripts").glob("*.py"):
            script.write_text(TOUCH)
        (folder / "config.yaml").write_text(yaml.safe_dump(sized(config, batches)))
        calls = {"dry run": ["--dry-run"]} | ({"run": [], "nothing to do": ["--dry-run"]} if run else {})
        rows = []
        for call, arguments in calls.items():
            taken = cost([snakemake(folder / "workflow/Snakefile", cores, *arguments)], folder, os.environ)
            rows.append({"batches": batches, "call": call, "cores": cores, **taken._asdict()})
            rows[-1]["versions"] = {"snakemake": version("snakemake")}
    return rows


def brief(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with one small batch of each kind; it compiles the same programs."""
    few = max(boxes for boxes in range(1, 9) if config["covariance"]["boxes"] % boxes == 0)
    fewer = {name: config[name] | {"boxes": few} for name in ("derivatives", "finite_differences")}
    return {**config, "boxes_per_batch": few, **fewer}


def overhead(config: Mapping[str, Any], cores: int, rounds: int) -> list[dict]:
    """Cost of a campaign, from nothing to gathered summaries and Jacobians, in units of a bare loop over its batches.

    The loop is one process for each core. A process compiles once, and computes and writes its share of the batches
    with the same functions. Both take compiled programs from JAX's cache; a first round with few boxes fills the cache
    and does not count.

    Parameters
    ----------
    config
        Complete config of an experiment.
    cores
        Cores that Snakemake may use, and processes of the loop.
    rounds
        Number of measurements.

    Returns
    -------
    rows
        One row.
    """
    pairs: list[tuple[Cost, Cost]] = []
    with tempfile.TemporaryDirectory() as name:
        environment = {"JAX_COMPILATION_CACHE_DIR": f"{name}/cache"} | os.environ
        made = [f"results/{config['run']}/{file}" for file in GATHERED]
        workflow = [snakemake(ROOT / "Snakefile", cores, *made)]
        loop = [
            [sys.executable, str(HERE / "campaign_loop.py"), "config.yaml", str(part), str(cores)]
            for part in range(cores)
        ]
        for number in range(rounds + 1):
            costs = []
            for label, commands in (("workflow", workflow), ("loop", loop)):
                folder = Path(name, f"{label}_{number}")
                folder.mkdir()
                (folder / "config.yaml").write_text(yaml.safe_dump(dict(config) if number else brief(config)))
                costs.append(cost(commands, folder, environment))
                print(label, "to fill the cache" if number == 0 else f"round {number}", costs[-1], flush=True)
                shutil.rmtree(folder)
            pairs += [tuple(costs)] if number else []
    batches = [config[name]["boxes"] // config["boxes_per_batch"] for name in ("covariance", "derivatives")]
    packages = {package: version(package) for package in ("snakemake", "jax", "lenscast")}
    row = {"run": config["run"], "cores": cores, "jobs": 2 * sum(batches) + 1, "versions": packages}
    for clock in ("wall", "cpu"):
        workflow_times, loop_times = ([getattr(each, clock) for each in column] for column in zip(*pairs, strict=True))
        ratio = spread([a / b for a, b in zip(workflow_times, loop_times, strict=True)])
        row |= {clock: spread(workflow_times).median, f"loop_{clock}": spread(loop_times).median}
        row |= {f"{clock}_ratio": ratio.median, f"{clock}_ratio_low": ratio.low, f"{clock}_ratio_high": ratio.high}
    return [row]
