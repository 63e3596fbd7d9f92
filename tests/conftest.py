"""Settings of the test session, made before JAX is imported: precision, shape checks, compilation cache."""

import gc
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import jaxtyping
import pytest
from beartype import beartype

from _job import machine

REPOSITORY = Path(__file__).resolve().parents[1]

# Compilation is most of the time. Without the optimisation of LLVM, without emitters through MLIR and in one module,
# a program of the N-body compiles in 2.8 s of CPU time instead of 12.7 s. Flags of the environment come last and win:
# XLA_FLAGS=--xla_cpu_max_isa=SSE4_2 runs the tests with the rounding of another processor.
FAST_COMPILATION = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.update(
    JAX_ENABLE_X64="1",
    JAX_NUMPY_RANK_PROMOTION="raise",
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    EQX_ON_ERROR="nan",  # as in jobs: JAX caches no program that can raise an error while it runs
    MPLBACKEND="Agg",
    # once, where a process of pytest starts others: flags are part of the keys of the cache
    XLA_FLAGS=f"{FAST_COMPILATION} {os.environ.get('XLA_FLAGS', '').removeprefix(FAST_COMPILATION).strip()}".strip(),
)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(REPOSITORY / ".cache" / "jax" / machine()))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # jobs of the workflow start in half the time
jaxtyped = jaxtyping.jaxtyped


def _has_axes(hint: Any) -> bool:
    """Whether an annotation, or a part of it, may be an array with named axes."""
    if isinstance(hint, str) or getattr(hint, "__module__", "").startswith("jaxtyping"):
        return True
    return any(map(_has_axes, hint if isinstance(hint, list) else get_args(hint)))


def _checked(*, typechecker: Any) -> Callable[[Any], Any]:
    """`jaxtyping.jaxtyped` for functions of arrays; others have no axes to remember, which takes 50 us a call."""

    def decorate(each: Any) -> Any:
        if inspect.isfunction(each) and not any(map(_has_axes, each.__annotations__.values())):
            return beartype(each)
        return jaxtyped(each, typechecker=typechecker)

    return decorate


jaxtyping.jaxtyped = _checked
jaxtyping.install_import_hook("lenscast", "beartype.beartype")
gc.set_threshold(100_000, 50, 100)  # as in jobs: a tenth of the time that JAX traces went into searches for cycles


# Files that take a minute or more come first: the last one to start decides when all processes end. The first one
# makes the run that the others of the workflow copy, and the second one, in another process, does without.
LONGEST = ("workflow", "training", "slurm", "failures", "survey", "wheel", "pipeline", "domain", "independent_stencils")


def pytest_collection_modifyitems(items):
    """Sort files by time; the order within a file stays."""
    places = {f"test_{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One process more than there are cores, since tests of the workflow wait for other processes."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else None


@pytest.fixture(scope="session")
def parameters():
    """Dark energy that evolves, so that a formula for w = -1 alone shows."""
    from lenscast.cosmology import Parameters  # after the import hook

    return Parameters(Omega_c=0.2589, Omega_b=0.0486, h=0.6774, n_s=0.9667, sigma8=0.8159, w0=-0.9, wa=0.2)


@pytest.fixture(scope="session")
def tables():
    """`cosmology`, imported after the import hook."""
    from lenscast.cosmology import cosmology

    return cosmology


@pytest.fixture(scope="session")
def power_law():
    """Matter power P(k, z) = 1e4 (k / 0.1)^-1.5 / (1 + z), without CAMB."""
    from lenscast.theory import MatterPower

    class Interpolator:
        def P(self, z, k):
            return 1e4 * (k / 0.1) ** -1.5 / (1 + z)

    return MatterPower({"linear": Interpolator(), "nonlinear": Interpolator()})


@pytest.fixture(scope="session")
def cosmos(parameters, tables):
    """The cosmology of `parameters`."""
    return tables(parameters)
