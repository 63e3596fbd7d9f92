"""Virtual environments of the other codes, one for each code, in the folder of this file."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = ("pmwd", "pmpp", "jaxpm")
PMWD_ARCHIVE = "https://github.com/eelregit/pmwd/archive/0552bc0131755367574d8d51ae4fc08d6c29ecf1.tar.gz"


class UnavailableError(Exception):
    """A code cannot be measured here; the message says why."""


def python_of(code: str) -> Path:
    """Interpreter that can import a code; the code is installed first if it is missing.

    Raises
    ------
    UnavailableError
        If the code cannot be installed.
    """
    if code not in PEERS:
        return Path(sys.executable)
    requirements = HERE / "requirements" / f"{code}.txt"
    environment = HERE / f".venv-{code}"
    python = environment / "bin" / "python"
    source = _source(code)
    wanted = f"{source}\n{requirements.read_text()}"
    stamp = environment / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"Installing {code} into {environment.relative_to(HERE.parent)}", flush=True)
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    install = ("pip", "install", "--quiet", "--python", str(python), "--no-deps")
    _uv(*install, "-r", str(requirements))
    if source:
        _uv(*install, source, SETUPTOOLS_SCM_PRETEND_VERSION="0.1.dev0")  # an archive does not know its version
    stamp.write_text(wanted)
    return python


def _source(code: str) -> str:
    """Archive or folder of a code that is not on PyPI; empty for codes that are."""
    if code != "pmwd":
        return ""
    source = os.environ.get("PMWD_SOURCE", "")
    if not source:
        raise UnavailableError(f"it is not on PyPI; to measure it: PMWD_SOURCE={PMWD_ARCHIVE} make benchmarks")
    return source


def _uv(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "-m", "uv", *arguments]
    if subprocess.run(command, env={**os.environ, **environment}).returncode:
        raise UnavailableError("its installation failed")
