"""Jobs of several processes, on one node or more: a box is split over the devices of all of them."""

import os
import shlex
import socket
import subprocess
import sys
import time

PROCESS = "LENSCAST_PROCESS"
"""Variable of the environment in each process of a job: its number and the address of process 0, if they are known."""


def join(processes: int, launcher: str | None) -> int:
    """Run the script of this job in several processes and end as they do; in one of them, find the others.

    Parameters
    ----------
    processes
        Number of processes.
    launcher
        Command that starts them, such as ``srun`` or ``mpiexec``; None for processes on this machine.

    Returns
    -------
    Number of this process among them, from 0; only one of them returns.
    """
    if PROCESS not in os.environ:
        words = [sys.executable, *sys.argv]
        sys.exit(_launched(words, processes, launcher) if launcher else _run_here(words, processes))
    import jax

    number, _, address = os.environ[PROCESS].partition(",")
    if address:
        jax.distributed.initialize(address, processes, int(number))
    else:  # the launcher says it, in variables that JAX knows
        jax.distributed.initialize()
    return jax.process_index()


def _launched(words: list[str], processes: int, launcher: str) -> int:
    """Run a command in several processes that a launcher starts."""
    command = [*shlex.split(launcher), "-n", str(processes), *words]
    return subprocess.run(command, env=os.environ | {PROCESS: ""}, check=False).returncode


def _run_here(words: list[str], processes: int) -> int:
    """Run a command in several processes on this machine; the first one that fails ends the others."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    running = [
        subprocess.Popen(words, env=os.environ | {PROCESS: f"{number},{address}"}) for number in range(processes)
    ]
    try:
        while any(each.poll() is None for each in running):
            if any(each.poll() for each in running):
                break
            time.sleep(0.1)
        return next((code for each in running if (code := each.poll())), 0)
    finally:
        for each in running:
            each.kill()
            each.wait()
