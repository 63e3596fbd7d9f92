"""Calls of snakemake for the tests: in forks of one process that has it imported, and in processes of their own.

To start Python, import snakemake and hash the code of all scripts takes 3 s of CPU time, as much as a job. A fork of
a process that has done it once takes .5 s, and calls the same function with the same arguments. Its jobs are forks too
(`_jobs`); a snakemake in a process of its own starts them as a user's does.
"""

import ast
import fcntl
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import yaml

ROOT = Path(__file__).resolve().parents[2]


def arguments(directory: Path, *words: str) -> list[str]:
    """What follows the word snakemake."""
    return ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(directory), *words]


def command(*words: str) -> list[str]:
    """Snakemake in a process of its own."""
    return [sys.executable, "-m", "snakemake", *words]


def killed_once_it_made(path: Path, *words: str) -> None:
    """Start snakemake in a process of its own, and kill it and its jobs as soon as there is a file."""
    process = subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def snakemake(
    *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run snakemake to its end in a fork."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdout", "stderr")]
        request = {
            "words": words,
            "environment": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
            "streams": [*map(str, streams)],
        }
        server = _server()
        print(json.dumps(request), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(["snakemake", *words], code, *(each.read_text() for each in streams))


def finished_run(folder: Path) -> Path:
    """A finished run of the small experiment, made by the first of the test processes that asks for it.

    Tests work on copies: dry runs write a config, and the processes would meet in one folder.
    """
    directory, done = folder / "finished_run", folder / "finished_run.done"
    with (folder / "finished_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            directory.mkdir()
            config = directory / "config.yaml"
            # as tests write theirs, with keys in alphabetical order: the order of statistics is part of an experiment
            config.write_text(yaml.safe_dump(yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())))
            made = snakemake(*arguments(directory, "--configfile", str(config)))
            assert made.returncode == 0, made.stdout + made.stderr
            done.touch()
    return directory


@cache
def _server() -> subprocess.Popen[str]:
    """The process that forks. It ends when its input does, with this process."""
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    import _jobs

    del sys.path[0]  # the folder of this file
    gc.set_threshold(100_000, 50, 100)
    folder = tempfile.TemporaryDirectory()
    interpreter = _jobs.start(Path(folder.name))
    import h5py  # noqa: F401
    import nbformat  # noqa: F401
    import smart_open  # noqa: F401
    from snakemake.cli import get_argument_parser

    from lenscast.code_hash import code_hash
    from lenscast.experiment import campaigns, command_line, dependence, disk, observation  # noqa: F401
    from lenscast.report import captions  # noqa: F401
    from lenscast.statistics.registry import STATISTICS

    figures = []
    for module in ("figures", "posterior_figures"):
        body = ast.parse((ROOT / f"src/lenscast/{module}.py").read_text()).body
        figures += [f"lenscast.{module}:{each.name}" for each in body if isinstance(each, ast.FunctionDef)]
    for script in (ROOT / "workflow/scripts").glob("[!_]*.py"):
        # keeps its graph of definitions until a file changes
        code_hash(script, *STATISTICS.values(), *(figures if script.stem == "figure" else []))
    get_argument_parser()  # imports the plugins
    gc.freeze()  # forks share what is there
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _run(json.loads(line), interpreter)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(request: dict[str, Any], interpreter: str) -> NoReturn:
    from snakemake.cli import main

    code: Any = 1
    try:
        for number, path in enumerate([os.devnull, *request["streams"]]):
            stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = ["snakemake", *request["words"]]
        sys.executable = interpreter
        main()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve()
