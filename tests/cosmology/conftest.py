"""The two cosmologies of the oracle tables, and the comparison of derivatives with finite differences."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.parameters import COSMOLOGICAL

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


def parameters_of(oracle):
    """The parameters in the header of an oracle table."""
    words = (ORACLES / f"{oracle}_power.txt").read_text().splitlines()[1].removeprefix("# ").split()
    return Parameters.of({name: float(value) for name, value in (word.split("=") for word in words)})


@pytest.fixture(scope="session")
def parameters(oracle):
    """Each of the two cosmologies."""
    return parameters_of(oracle)


@pytest.fixture(scope="session")
def w0wa():
    """The general one of them, for what need not be tested twice."""
    return parameters_of("w0wa")


@pytest.fixture(scope="session")
def cosmo(parameters):
    return jax.jit(cosmology)(parameters)


@pytest.fixture(scope="session")
def assert_derivatives(w0wa):
    """Compare jvp and vjp with central differences, for every parameter; ``function`` returns one array."""

    def check(function, rtol):
        def push(p, unit):
            return jax.jvp(function, (p,), (unit,))[1]

        def pull(p, cotangent):
            return jax.vjp(function, p)[1](cotangent)[0]

        units = basis(w0wa, COSMOLOGICAL)
        evaluate = jax.jit(jax.vmap(function))
        ends = [jax.tree.map(lambda x, u, s=sign: x + s * STEP * u, w0wa, units) for sign in (1, -1)]
        expected = np.subtract(*map(evaluate, ends)) / (2 * STEP)
        forward = np.asarray(jax.jit(jax.vmap(push, in_axes=(None, 0)))(w0wa, units))
        scale = np.abs(expected).max(axis=0)
        np.testing.assert_allclose(forward / scale, expected / scale, atol=rtol)

        cotangent = np.random.default_rng(0).normal(size=scale.shape) / scale
        pulled = jax.jit(pull)(w0wa, jnp.asarray(cotangent))
        pushed = (expected * cotangent).reshape(len(expected), -1)
        atol = rtol * np.abs(pushed).sum(axis=1).max()
        np.testing.assert_allclose(jax.tree.leaves(pulled), pushed.sum(axis=1), atol=atol)

    return check
