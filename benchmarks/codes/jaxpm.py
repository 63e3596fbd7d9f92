"""JaxPM 0.1.6 (Differentiable Universe Initiative): 4-point gradient, complex transforms, lengths in cells.

Its notebooks integrate dx/da and dp/da with diffrax's LeapfrogMidpoint. Ten such steps lose a tenth of the power on all
scales. We therefore also measure its forces in FastPM steps made from its own growth functions, which are more accurate
and, without the solver, cheaper.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jax_cosmo asks for pkg_resources
    import jax_cosmo
from jaxpm.growth import E, Gf, dGfa, growth_factor
from jaxpm.painting import cic_paint, cic_paint_dx
from jaxpm.pm import lpt, make_diffrax_ode, pm_forces
from workload import COSMOLOGY, Program, Workload, mean_square


def _factors(cosmology, work: Workload) -> jax.Array:
    """Factors of half drift, kick and half drift for each step, after FastPM (Feng et al. 2016, arXiv:1603.00476)."""
    edges = np.linspace(work.a_start, 1, work.steps + 1)
    a0, a1 = edges[:-1], edges[1:]
    middle = (a0 + a1) / 2
    D0, D, D1 = (growth_factor(cosmology, a) for a in (a0, middle, a1))
    F0, F1 = Gf(cosmology, a0), Gf(cosmology, a1)
    kick = 1.5 * cosmology.Omega_m * (F1 - F0) / (dGfa(cosmology, middle) * middle**2 * E(cosmology, middle))
    return jnp.stack([(D - D0) / F0, kick, (D1 - D) / F1], axis=1)


def _cosmology() -> jax_cosmo.Cosmology:
    return jax_cosmo.Cosmology(**COSMOLOGY, Omega_k=0.0)


class Simulation(NamedTuple):
    """Function from a linear field to the density today, and the field."""

    density: Callable[[jax.Array], jax.Array]
    field: jax.Array


def _leapfrog(work: Workload) -> Simulation:
    """The simulation of its notebook on solvers: diffrax integrates displacements from the lattice."""
    shape = (work.particles,) * 3
    width = (1 - work.a_start) / work.steps
    cosmology = _cosmology()

    def density(field):
        dx, p, _ = lpt(cosmology, field, a=work.a_start, order=2)
        final = diffrax.diffeqsolve(
            diffrax.ODETerm(make_diffrax_ode(shape, paint_absolute_pos=False)),
            diffrax.LeapfrogMidpoint(),
            t0=work.a_start,
            t1=1.0,
            dt0=width,
            y0=jnp.stack([dx, p]),
            args=cosmology,
            saveat=diffrax.SaveAt(t1=True),
            stepsize_controller=diffrax.ConstantStepSize(),
        )
        return cic_paint_dx(final.ys[0, 0])

    return Simulation(density, jnp.asarray(np.load(work.field)["arr_0"]))


def _fastpm(work: Workload, absolute: bool) -> Simulation:
    """Its forces in FastPM steps, with particles as positions (absolute) or as displacements from the lattice."""
    shape = (work.particles,) * 3
    cosmology = _cosmology()
    factors = _factors(cosmology, work)  # this call also fills the tables of the cosmology, which stay in it
    points = jnp.arange(work.particles, dtype=jnp.float32)
    lattice = jnp.stack(jnp.meshgrid(points, points, points, indexing="ij"), axis=-1) if absolute else None

    def step(state, factor):
        x, p = state
        x = x + factor[0] * p
        p = p + factor[1] * pm_forces(x, mesh_shape=shape, paint_absolute_pos=absolute)
        return (x + factor[2] * p, p), None

    def density(field):
        dx, p, _ = lpt(cosmology, field, lattice, a=work.a_start, order=2)
        (x, _), _ = jax.lax.scan(step, (lattice + dx if absolute else dx, p), factors)
        return cic_paint(jnp.zeros(shape), x) if absolute else cic_paint_dx(x)

    return Simulation(density, jnp.asarray(np.load(work.field)["arr_0"]))


SIMULATIONS = {
    "": _leapfrog,
    ", FastPM steps": partial(_fastpm, absolute=False),
    ", FastPM steps, positions": partial(_fastpm, absolute=True),
}


def simulate(work: Workload, steps: str) -> Program:
    density, field = SIMULATIONS[steps](work)
    return Program(partial(jax.jit(density), field), forces=work.steps, power_tolerance=0.03 if steps else 0.2)


def field_gradient(work: Workload, steps: str) -> Program:
    """Gradient of the mean squared density today with respect to the linear field."""
    density, field = SIMULATIONS[steps](work)
    run = jax.jit(jax.grad(lambda field: mean_square(density(field))))
    return Program(partial(run, field), forces=work.steps)


PROGRAMS = {
    f"{what}{steps}": partial(program, steps=steps)
    for what, program in (("N-body", simulate), ("field gradient", field_gradient))
    for steps in SIMULATIONS
}
