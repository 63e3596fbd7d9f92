"""What a job finds of the machine that it runs on."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import _job

ROOT = Path(__file__).resolve().parents[2]
START = """
from types import SimpleNamespace
from _job import start

start(SimpleNamespace(rule="simulate", wildcards=[], threads=1, log=["log"], resources={resources}, config={config}))
import jax

print(jax.config.jax_platforms, jax.default_backend(), jax.device_count())
"""


def started(
    directory: Path, resources: dict[str, int], config: str = "{}", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A job that says where JAX may run and where it does, on a machine that shows no GPU."""
    env = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    env |= {"PYTHONPATH": f"{ROOT / 'workflow/scripts'}:{ROOT / 'src'}", "CUDA_VISIBLE_DEVICES": ""} | environment
    words = [sys.executable, "-c", START.format(resources=resources, config=config)]
    return subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False, env=env)


def test_a_job_without_a_gpu_stays_on_the_cpu(tmp_path: Path) -> None:
    assert started(tmp_path, {}).stdout.split() == ["cpu", "cpu", "1"]


def test_a_job_with_a_gpu_stops_where_there_is_none(tmp_path: Path) -> None:
    done = started(tmp_path, {"gpu": 1})
    assert done.returncode == 1
    assert "the profile gives rule simulate a GPU (resources: gpu) but JAX finds none" in done.stderr
    assert started(tmp_path, {"gpu": 1}, JAX_PLATFORMS="cpu").stdout.split() == ["cpu", "cpu", "1"]


def test_a_box_on_several_devices_gets_parts_of_the_cores(tmp_path: Path) -> None:
    done = started(tmp_path, {}, "{'distribution': {'devices': 3}}")
    assert done.stdout.split() == ["cpu", "cpu", "3"], done.stderr


def test_processes_without_equal_numbers_of_devices_are_refused(tmp_path: Path) -> None:
    done = started(tmp_path, {"tasks": 2}, "{'distribution': {'devices': 3}}")
    assert "tasks = 2 and distribution.devices = 3" in done.stderr
    assert "tasks = 2 and distribution.devices = 1" in started(tmp_path, {"tasks": 2}).stderr


def test_the_time_that_is_left_is_without_the_compilation_and_the_terminal_has_few_lines(monkeypatch, caplog) -> None:
    now = [0.0]
    monkeypatch.setattr(_job.time, "monotonic", lambda: now[0])
    log = logging.getLogger("lenscast.test")
    caplog.set_level(logging.DEBUG, logger=log.name)
    for seed in _job.progress(range(10), log, "planes"):
        now[0] += 50.0 if seed == 0 else 20.0  # the first one compiles for 30 s
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [message for _, message in lines] == [
        f"box {done} of 10 (seed {done - 1}, planes), {30 + 20 * done} s spent, "
        + (f"{20 * (10 - done)} s left" if done > 1 else "with compilation")
        for done in range(1, 11)
    ]
    # the first line after 2 minutes; the next one would be after 4
    assert [number for number, (level, _) in enumerate(lines) if level == logging.INFO] == [4]
