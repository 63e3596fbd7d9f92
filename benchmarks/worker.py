"""A process that holds one program of one code and runs it on request: JSON lines on standard input and output.

    python worker.py CODE PROGRAM FIRST_CORE CORES WORKLOAD

Once the program is compiled, the process prints a description of it. Then `measure SECONDS` runs the program for about
this CPU time, and `save FILE` saves the result of one run.
"""

import json
import os
import resource
import sys
import time
from importlib import import_module
from importlib.metadata import version
from typing import Any

DISTRIBUTIONS = {"lenscast": "lenscast", "pmwd": "pmwd", "pmpp": "pmpp", "jaxpm": "JaxPM", "compiled": "scipy"}


def keep_to(first: int, cores: int) -> None:
    """Run on some of the cores that this process may use; call it before XLA starts its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[first : first + cores])
    os.environ["NPROC"] = str(cores)


def measure(run: Any, seconds: float) -> dict[str, Any]:
    """Mean wall and CPU time of a call, over calls that take at least this CPU time together."""
    import jax

    calls = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while calls == 0 or time.process_time() - cpu < seconds:
        jax.block_until_ready(run())
        calls += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall / calls, "cpu": cpu / calls, "calls": calls, "peak": peak_memory()}


def peak_memory() -> float:
    """Largest resident memory of this process so far [MB]."""
    unit = 1e-6 if sys.platform == "darwin" else 1.024e-3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the code prints must not mix with the replies
    code, name, first, cores, work = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    keep_to(first, cores)
    import jax
    import numpy as np
    from workload import Workload

    program = import_module(f"codes.{code}").PROGRAMS[name](Workload(**json.loads(work)))
    first = measure(program.run, 0)
    versions = {name: version(name) for name in (DISTRIBUTIONS[code], "jax", "jaxlib")}
    ready = {"first": first, "versions": versions, "forces": program.forces, "tolerance": program.power_tolerance}
    print(json.dumps(ready), file=replies)
    for line in sys.stdin:
        request, argument = line.split(maxsplit=1)
        if request == "measure":
            reply = measure(program.run, float(argument))
        else:
            np.savez(argument.strip(), *map(np.asarray, jax.tree.leaves(program.run())))
            reply = {}
        print(json.dumps(reply), file=replies)


if __name__ == "__main__":
    main()
