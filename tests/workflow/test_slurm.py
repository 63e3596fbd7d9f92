"""A small campaign through profiles/slurm, on a Slurm of its own, beside the same campaign without Slurm."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from _workflow import arguments, command, snakemake
from lenscast import io

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SLURM = [sys.executable, str(ROOT / "tests/workflow/local_slurm.py")]
TABLES = [f"results/tiny/fisher/C_ell_{name}.csv" for name in ("parameters", "directions", "reliability")]
# what a test has other than a cluster: no accounting, no patience, no GPU behind what Slurm calls one
PROFILE = ["--workflow-profile", str(ROOT / "profiles/slurm"), "--slurm-status-command", "squeue"]
PROFILE += ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10"]
GROUPS = ["--groups", "simulate=maps", "measure=summaries", "--group-components", "maps=10", "summaries=20"]


def campaign(directory: Path) -> Path:
    """Two batches of maps and one of tangents, for one data vector of two parameters."""
    config = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
    names = ["Omega_c", "sigma8"]
    config |= {"covariance": config["covariance"] | {"boxes": 4}, "derivatives": config["derivatives"] | {"boxes": 2}}
    forecast = {"parameters": names, "priors": {name: config["forecast"]["priors"][name] for name in names}}
    config["forecast"] = forecast | {"data_vectors": {"C_ell": ["power_spectrum"]}}
    steps = {name: config["finite_differences"]["steps"][name] for name in names}
    config["finite_differences"] |= {"steps": steps, "boxes": 2}
    config["resolution"] |= {"levels": []}
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    return directory


def run(directory: Path, *targets: str, env: dict[str, str] | None = None) -> str:
    done = snakemake(*arguments(directory, *targets), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Slurm with one node and partitions `cpu` and `gpu`."""
    folder = tmp_path_factory.mktemp("slurm") / "daemons"
    done = subprocess.run([*SLURM, "start", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    yield os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path, "JAX_PLATFORMS": "cpu"}
    subprocess.run([*SLURM, "stop", str(folder)], check=True)


def jobs(slurm: dict[str, str]) -> list[dict[str, str]]:
    """What Slurm knows of all jobs since it started, in order."""
    show = ["scontrol", "--oneliner", "--all", "show", "job"]
    done = subprocess.run(show, capture_output=True, text=True, check=True, env=slurm)
    lines = [line for line in done.stdout.splitlines() if line.startswith("JobId")]
    return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


def of(rule: str, slurm: dict[str, str]) -> list[dict[str, str]]:
    return [
        job for job in jobs(slurm) if re.match(rf"rule_(?:maps_|summaries_)?{rule}(?:_wildcards|$)", job["Comment"])
    ]


@contextmanager
def begun(words: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed, with its children, if it has not ended."""
    with log.open("w") as stream:
        process = subprocess.Popen(words, stdout=stream, stderr=stream, text=True, env=env, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str], log: Path) -> Any:
    deadline = time.monotonic() + 600
    while not (found := condition()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def two_tasks(request: pytest.FixtureRequest) -> tuple[list[str], dict[str, str] | None]:
    """Words and environment of a snakemake whose boxes run in two processes: by Slurm, or on a machine without it."""
    try:
        slurm = request.getfixturevalue("slurm")
    except pytest.skip.Exception:
        return ["--set-resources", "simulate:tasks=2"], None
    resources = [f"simulate:{each}" for each in ("tasks=2", "mpi=srun", "gpu=0", "slurm_partition=cpu")]
    return [*PROFILE, "--set-resources", *resources, "--set-threads", "simulate=1"], slurm


@pytest.fixture(scope="module")
def local(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign without Slurm, which has its maps already."""
    directory = campaign(Path(shutil.copytree(shared_run, tmp_path_factory.mktemp("local") / "run")))
    run(directory, *TABLES)
    return directory


@pytest.fixture(scope="module")
def submitted(slurm: dict[str, str], local: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign with Slurm, its parent killed, begun again, and then a running job cancelled."""
    directory = campaign(tmp_path_factory.mktemp("submitted"))
    words = command(*arguments(directory, *TABLES, *PROFILE, *GROUPS))
    log = directory / "snakemake.log"

    def running(rule: str) -> list[str]:
        return [job["JobId"] for job in of(rule, slurm) if job["JobState"] == "RUNNING"]

    with begun(words, slurm, log) as process:
        wait_for(lambda: running("simulate") and running("differentiate"), process, log)
    (name,) = re.findall(r"SLURM run ID: (lenscast_\S+)", log.read_text())
    subprocess.run(["scancel", f"--name={name}"], check=True, env=slurm)
    run(directory, "--unlock", env=slurm)

    with begun(words, slurm, log) as process:
        (lost,) = wait_for(lambda: running("differentiate"), process, log)
        subprocess.run(["scancel", lost], check=True, env=slurm)
        assert process.wait(timeout=600) == 0, log.read_text()
    return directory


def test_a_campaign_on_slurm_gives_the_tables_of_a_local_one(submitted: Path, local: Path) -> None:
    for table in TABLES:
        assert (submitted / table).read_bytes() == (local / table).read_bytes()


def test_a_cancelled_job_runs_again_with_more_memory_and_time(submitted: Path, slurm: dict[str, str]) -> None:
    killed, cancelled, retried = of("differentiate", slurm)
    assert [job["JobState"] for job in (killed, cancelled, retried)] == ["CANCELLED", "CANCELLED", "COMPLETED"]
    assert (cancelled["TimeLimit"], retried["TimeLimit"]) == ("08:00:00", "16:00:00")
    memory = [int(job["MinMemoryNode"].removesuffix("M")) for job in (cancelled, retried)]
    assert memory[1] == 2 * memory[0]


def test_what_simulates_has_a_gpu_and_light_rules_are_no_jobs(submitted: Path, slurm: dict[str, str]) -> None:
    for rule in ("simulate", "differentiate"):
        for job in of(rule, slurm):
            assert (job["Partition"], job["TresPerJob"], job["NumCPUs"]) == ("gpu", "gres:gpu:1", "8")
    for rule in ("measure", "measure_derivatives"):
        (job,) = of(rule, slurm)
        assert job["Partition"] == "cpu"
        assert "TresPerJob" not in job
    # two batches of four hours are a group, one after the other; if one ended before the parent was killed, one is left
    times = [job["TimeLimit"] for job in of("simulate", slurm)]
    assert "08:00:00" in times
    assert {*times} <= {"04:00:00", "08:00:00"}
    rules = ["simulate", "differentiate", "measure", "measure_derivatives"]
    assert len(jobs(slurm)) == sum(len(of(rule, slurm)) for rule in rules)


def test_profiles_give_a_gpu_to_the_same_rules_and_to_nothing_else(tmp_path: Path) -> None:
    files = (ROOT / f"profiles/{name}/profile.yaml" for name in ("slurm", "local-gpu"))
    slurm, local = (yaml.safe_load(file.read_text()) for file in files)
    given = {rule: resources["gpu"] for rule, resources in slurm["set-resources"].items()}
    assert given == {rule: resources["gpu"] for rule, resources in local["set-resources"].items()}
    assert set(given.values()) == {local["resources"]["gpu"]} == {1}
    planned = run(campaign(tmp_path), "--dry-run", "-p", "--workflow-profile", str(ROOT / "profiles/local-gpu"))
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", planned, re.MULTILINE)
    with_gpu = {rule for rule, text in jobs if "gpu=1" in text}
    assert with_gpu == {rule for rule, _ in jobs} & given.keys() > {"simulate", "differentiate"}
    assert set(given) | set(slurm["set-threads"]) <= set(run(tmp_path, "--list-rules").split())


def test_a_box_in_two_tasks_gives_the_file_of_one_process(
    shared_run: Path, two_tasks: tuple[list[str], dict[str, str] | None], tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(shared_run, tmp_path / "run"))
    config = yaml.safe_load((directory / "config.yaml").read_text())
    (directory / "config.yaml").write_text(yaml.safe_dump(config | {"distribution": {"devices": 2}}))
    maps = next((directory / "results/tiny/maps/fiducial").glob("*.h5"))
    target = str(maps.relative_to(directory))
    assert "Nothing to be done" in run(directory, target, "--dry-run")
    expected = io.load(maps)
    maps.unlink()

    words, env = two_tasks
    run(directory, target, *words, env=env)
    found = io.load(maps)
    assert found.variables.keys() == expected.variables.keys()
    for axis, rows in expected.coordinates.items():
        assert found.coordinates[axis].equals(rows)
    for name, variable in expected.variables.items():
        # float32 rounds sums in another order
        assert np.std(found.variables[name].values - variable.values) < 1e-5 * np.std(variable.values)
    assert json.loads(found.provenance["config"])["distribution"]["devices"] == 2
    assert found.provenance["settings"] == expected.provenance["settings"]
    (log,) = (directory / "results/tiny/logs/simulate/fiducial").glob(f"{maps.stem}.log")
    assert log.read_text().count("box 1 of ") == 1  # of the first process alone
