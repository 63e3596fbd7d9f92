"""The two cosmologies of the oracle tables, and the comparison of derivatives with finite differences."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import PARAMETER_NAMES, Parameters, basis, cosmology

ORACLES = Path(__file__).parents[1] / "oracles" / "cosmology"
STEP = 1e-4


@pytest.fixture(scope="session", params=["planck15", "w0wa"])
def oracle(request):
    return request.param


@pytest.fixture(scope="session")
def read_table(oracle):
    """Columns of an oracle table by name."""

    def read(kind):
        path = ORACLES / f"{oracle}_{kind}.txt"
        header = [line[2:] for line in path.read_text().splitlines() if line.startswith("#")]
        return dict(zip(header[-1].split(), np.loadtxt(path, unpack=True), strict=True))

    return read


@pytest.fixture(scope="session")
def parameters(oracle):
    """The parameters in the header of the oracle table."""
    words = (ORACLES / f"{oracle}_power.txt").read_text().splitlines()[1].removeprefix("# ").split()
    return Parameters.from_config({name: float(value) for name, value in (word.split("=") for word in words)})


@pytest.fixture(scope="session")
def cosmo(parameters):
    return jax.jit(cosmology)(parameters)


@pytest.fixture(scope="session")
def assert_derivatives(parameters):
    """Compare jvp and vjp with central differences, for every parameter; ``function`` returns one array."""

    def check(function, rtol):
        def push(p, unit):
            return jax.jvp(function, (p,), (unit,))[1]

        def pull(p, cotangent):
            return jax.vjp(function, p)[1](cotangent)[0]

        # the parameters are arguments, so that the second cosmology finds the programs compiled
        units = basis(parameters, PARAMETER_NAMES)
        evaluate = jax.jit(jax.vmap(function))
        ends = [jax.tree.map(lambda x, u, s=sign: x + s * STEP * u, parameters, units) for sign in (1, -1)]
        expected = np.subtract(*map(evaluate, ends)) / (2 * STEP)
        forward = np.asarray(jax.jit(jax.vmap(push, in_axes=(None, 0)))(parameters, units))
        scale = np.abs(expected).max(axis=0)
        np.testing.assert_allclose(forward / scale, expected / scale, atol=rtol)

        cotangent = np.random.default_rng(0).normal(size=scale.shape) / scale
        pulled = jax.jit(pull)(parameters, jnp.asarray(cotangent))
        pushed = (expected * cotangent).reshape(len(expected), -1)
        atol = rtol * np.abs(pushed).sum(axis=1).max()
        np.testing.assert_allclose(jax.tree.leaves(pulled), pushed.sum(axis=1), atol=atol)

    return check
