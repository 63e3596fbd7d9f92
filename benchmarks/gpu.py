"""Kernels and N-body steps on an accelerator, where one is at hand; no other code is needed.

    python benchmarks/gpu.py [--sizes 128 256 512] [--output docs/benchmarks/gpu.csv]

Wall times, medians with quartiles. A step is a tenth of the difference between twelve and two BullFrog steps from 2LPT
at a = 0.1, so that compilation, start and output cancel. Cells of 1 Mpc/h, one particle a cell.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity import FixedSteps, ParticleMesh, lattice, linear_field, lpt
from lenscast.gravity.forces import acceleration
from lenscast.gravity.nbody import Method, nbody
from lenscast.gravity.painting import paint
from lenscast.streams import INITIAL_FIELD, box_key

jax.config.update("jax_enable_x64", True)  # cosmology is in double precision

PLANCK = Parameters.of(
    {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
)


def quartiles(program: Callable[..., Any], *arguments: Any) -> np.ndarray:
    """Median and quartiles of the wall time of a program [s], over about a second of runs."""

    def once() -> float:
        begin = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        return time.perf_counter() - begin

    once()  # compiles
    runs = min(50, max(3, int(1 / once())))
    return np.quantile([once() for _ in range(runs)], [0.5, 0.25, 0.75])


def rows(particles: int) -> list[dict[str, Any]]:
    """Times of the kernels of a force and of a whole step, for one size."""
    cosmos = cosmology(PLANCK)
    mesh = ParticleMesh(box_size=float(particles), particles=particles)
    field = jax.jit(lambda: linear_field(box_key(1, INITIAL_FIELD), cosmos.power, mesh))()
    start = jax.jit(lambda delta: lpt(delta, 0.1, cosmos, mesh, 2))(field)
    position = jax.jit(lambda delta: lpt(delta, 0.5, cosmos, mesh, 1))(field).displacement + lattice(mesh)
    density = paint(position, mesh.box_size, particles)
    cell = jax.random.randint(jax.random.key(0), (particles**3,), 0, particles**3)

    def scatter(dtype: str) -> Any:
        # to random cells: a scatter that falls back to compare-and-swap is many times slower in float32 than in int32
        program = jax.jit(lambda index, one: jnp.zeros(particles**3, dtype).at[index].add(one))
        return quartiles(program, cell, jnp.ones(particles**3, dtype))

    def solve(steps: int) -> Any:
        method = Method(mesh, FixedSteps(kind="bullfrog", steps=steps))
        times = jnp.array([0.1, 1.0])
        return jax.jit(lambda begun: nbody(begun, times, cosmos, method, save=lambda state: state.displacement))

    two, twelve = (quartiles(solve(steps), start) for steps in (2, 12))
    measured = {
        "scatter-add, float32": scatter("float32"),
        "scatter-add, int32": scatter("int32"),
        "paint": quartiles(jax.jit(lambda x: paint(x, mesh.box_size, particles)), position),
        "Fourier transform": quartiles(jax.jit(jnp.fft.rfftn), density),
        "acceleration": quartiles(jax.jit(lambda x: acceleration(x, mesh)), position),
        "12 steps": twelve,
        "step": (twelve - two) / 10,
    }
    return [
        {"particles": particles, "program": name, **dict(zip(("median_ms", "low_ms", "high_ms"), 1e3 * t, strict=True))}
        for name, t in measured.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512], help="particles per side")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/gpu.csv"))
    given = parser.parse_args()
    device = jax.devices()[0].device_kind
    table = pd.concat([pd.DataFrame(rows(size)) for size in given.sizes]).assign(device=device, jax=jax.__version__)
    table.to_csv(given.output, index=False, float_format="%.4g")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
