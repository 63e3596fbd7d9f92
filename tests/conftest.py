"""Settings of the test session, made before JAX is imported: precision, shape checks, compilation cache."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

from _job import machine

REPOSITORY = Path(__file__).resolve().parents[1]

os.environ.update(
    JAX_ENABLE_X64="1",
    JAX_NUMPY_RANK_PROMOTION="raise",
    JAX_COMPILATION_CACHE_DIR=str(REPOSITORY / ".cache" / "jax" / machine()),
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    MPLBACKEND="Agg",
    XLA_FLAGS="--xla_backend_optimization_level=1",  # most of the tests' time is compilation; a fifth less of it
)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # jobs of the workflow start in half the time
install_import_hook("lenscast", "beartype.beartype")


@pytest.fixture(scope="session")
def parameters():
    """Dark energy that evolves, so that a formula for w = -1 alone shows."""
    from lenscast.cosmology import Parameters  # after the import hook

    return Parameters(Omega_c=0.2589, Omega_b=0.0486, h=0.6774, n_s=0.9667, sigma8=0.8159, w0=-0.9, wa=0.2)


@pytest.fixture(scope="session")
def tables():
    """`cosmology`, compiled once."""
    import jax

    from lenscast.cosmology import cosmology

    return jax.jit(cosmology)


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
