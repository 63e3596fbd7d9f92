"""Settings of the test session, made before JAX is imported: precision, shape checks, compilation cache."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

from jaxtyping import install_import_hook

REPOSITORY = Path(__file__).resolve().parents[1]


def _machine() -> str:
    """Version of jaxlib and hash of the CPU: a compiled program is good for this pair only."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    cpu = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    digest = hashlib.sha256("".join([platform.machine(), *cpu]).encode()).hexdigest()
    return f"{version('jaxlib')}-{digest[:12]}"


os.environ.update(
    JAX_ENABLE_X64="1",
    JAX_NUMPY_RANK_PROMOTION="raise",
    JAX_COMPILATION_CACHE_DIR=str(REPOSITORY / ".cache" / "jax" / _machine()),
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    MPLBACKEND="Agg",
)
install_import_hook("lenscast", "beartype.beartype")
