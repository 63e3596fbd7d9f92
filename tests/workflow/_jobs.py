"""Jobs of the workflow in forks of one process that has imported what their scripts do.

To start Python and to import JAX and lenscast takes 3 s of CPU time, more than the job of a small experiment. A fork
takes .05 s, and runs the same script. Jobs whose environment sets JAX or Python in another way start as users' do.
"""

import ast
import atexit
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
READ_ON_IMPORT = ("JAX", "XLA", "EQX", "PYTHON")
OF_JOBS = {  # what `_job.start` sets before JAX is imported
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "EQX_ON_ERROR": "nan",
}
# the interpreter of a job: asks the process that forks, and runs Python itself where that one will not
CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as stream:
    stream.connect({path!r})
    request = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(stream, [len(request).to_bytes(8, "big")], [0, 1, 2])
    stream.sendall(request)
    answer = stream.recv(16)
if answer == b"start":
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
code = int(answer or 1)
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def start(folder: Path) -> str:
    """Start the process that forks, which ends with this one, and make the interpreter that asks it."""
    path, client, interpreter = (folder / name for name in ("jobs", "client.py", "python"))
    client.write_text(CLIENT.format(path=str(path), python=sys.executable))
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{client}" "$@"\n')
    interpreter.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    words = [sys.executable, __file__, str(listener.fileno())]
    # its standard input ends when this process does
    subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], env={**os.environ, **OF_JOBS})
    return str(interpreter)


def _serve(listener: socket.socket) -> None:
    del sys.path[0]  # the folder of this file
    warnings.filterwarnings("ignore", message="os.fork")  # no thread of JAX has begun
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    names = {"snakemake.logging", "snakemake.iocontainers", "matplotlib.pyplot", "lenscast.figures"}
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        for node in ast.parse(script.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("_"):
                names.add(node.module)
    for name in sorted(names):
        importlib.import_module(name)
    while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
        stream, _ = listener.accept()
        if os.fork() == 0:
            _answer(stream)
        stream.close()


def _answer(stream: socket.socket) -> NoReturn:
    """Run the job that a client asks for, and tell it how that ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, streams, _, _ = socket.recv_fds(stream, 8, 3)
    request = b""
    while len(request) < int.from_bytes(length, "big"):
        request += stream.recv(1 << 20)
    words, environment, directory = json.loads(request)
    if not words[0].endswith(".py") or _settings(environment) != _settings(os.environ):
        stream.sendall(b"start")
        os._exit(0)
    if (child := os.fork()) == 0:
        for number, each in enumerate(streams):
            os.dup2(each, number)
        _run(words, environment, directory)
    # whichever ends first
    job = os.pidfd_open(child)
    if stream in select.select([stream, job], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        stream.sendall(str(code).encode())
    os._exit(0)


def _settings(environment: Any) -> dict[str, str]:
    """What the modules read from the environment while they are imported."""
    found = {name: value for name, value in environment.items() if name.startswith(READ_ON_IMPORT)}
    return {**OF_JOBS, **found}


def _run(words: list[str], environment: dict[str, str], directory: str) -> NoReturn:
    code: Any = 0
    try:
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
