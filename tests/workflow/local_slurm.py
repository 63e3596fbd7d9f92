"""Slurm with one node on this machine, for tests: needs root and the Debian packages slurm-wlm and munge.

python tests/workflow/local_slurm.py start FOLDER    prints the environment, to be read by `eval`
python tests/workflow/local_slurm.py stop FOLDER

Everything is in FOLDER and on loopback. Cores, memory and GPUs are pretended: nothing holds jobs to them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
CORES, MEMORY_MB, GPUS = 32, 256_000, 2

CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# without cgroups
ProctrackType=proctrack/linuxproc
# without accounting: squeue knows finished jobs for an hour
MinJobAge=3600
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory_mb} Gres=gpu:{gpus}
PartitionName=cpu Nodes={host} MaxTime=2-0
PartitionName=gpu Nodes={host} MaxTime=2-0
"""


def missing() -> str:
    """Why Slurm cannot run here; empty where it can."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"no {', '.join(absent)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


def environment(folder: Path) -> dict[str, str]:
    """What commands of Slurm need to find this one."""
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"])
    return os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}


def start(folder: Path) -> None:
    """Start munge, the controller and the node, and wait until the node is idle."""
    folder.chmod(0o755)
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    host = socket.gethostname().split(".")[0]
    settings = {"cores": CORES, "memory_mb": MEMORY_MB, "gpus": GPUS}
    (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, host=host, ports=_free_ports(2), **settings))
    devices = [folder / f"gpu{number}" for number in range(GPUS)]
    for device in devices:
        device.touch()
    (folder / "gres.conf").write_text("".join(f"NodeName={host} Name=gpu File={device}\n" for device in devices))
    # a job of snakemake calls srun without SLURM_CONF
    srun = folder / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    munged = ["munged", "--force", *(f"--{option}={folder}/munge.{ending}" for option, ending in files.items())]
    # with files, because a daemon keeps pipes open
    with (folder / "start.log").open("w") as log:
        for command in (munged, ["slurmctld", "-i"], ["slurmd"]):
            subprocess.run(command, env=environment(folder), stdout=log, stderr=log, check=True)
    deadline = time.monotonic() + 60
    while "idle" not in _slurm(folder, "sinfo", "--noheader", "--format=%T"):
        if time.monotonic() > deadline:
            logs = "\n".join(f"{log}:\n{log.read_text()[-1000:]}" for log in folder.glob("*.log"))
            stop(folder)
            raise RuntimeError(f"Slurm did not come up\n{logs}")
        time.sleep(0.1)


def stop(folder: Path) -> None:
    """Cancel all jobs and end the daemons, by their pid files."""
    _slurm(folder, "scancel", "--user=root")
    deadline = time.monotonic() + 30
    while _slurm(folder, "squeue", "--noheader") and time.monotonic() < deadline:
        time.sleep(0.1)
    for name in ("slurmd.pid", "slurmctld.pid", "munge.pid"):
        pid = folder / name
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
            while pid.exists() and time.monotonic() < deadline:
                time.sleep(0.1)


def _slurm(folder: Path, *command: str) -> str:
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    action, folder = sys.argv[1], Path(sys.argv[2]).absolute()
    if reason := missing():
        print(reason, file=sys.stderr)
        sys.exit(2)
    if action == "start":
        folder.mkdir(parents=True)
        start(folder)
        print(f"export SLURM_CONF={folder}/slurm.conf PATH={folder}/bin:$PATH")
    else:
        stop(folder)
