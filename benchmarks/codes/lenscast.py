"""lenscast: its particle mesh, alone and with corrections, tangents and adjoints; `lenscast_maps` has the forecasts."""

import os
from dataclasses import replace
from functools import partial

os.environ["EQX_ON_ERROR"] = "nan"  # as in the workflow's jobs: JAX never caches programs with host callbacks

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from workload import COSMOLOGY, Program, Workload, mean_square

if os.environ.get("LENSCAST_BENCHMARK_DOUBLE"):
    # Double precision throughout. The random numbers must be those of single precision, so that both precisions
    # simulate the same box. All this comes before the import of lenscast, which reads these names.

    def drawn_in_single(draw):
        return lambda key, shape, dtype=None, *limits: draw(key, shape, "float32", *limits).astype("float64")

    jax.random.normal, jax.random.uniform = map(drawn_in_single, (jax.random.normal, jax.random.uniform))
    jnp.float32, jnp.complex64 = jnp.float64, jnp.complex128

from codes import lenscast_maps
from lenscast.corrections import corrected
from lenscast.corrections.reference import Reference
from lenscast.corrections.training import loss
from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.gravity import AdaptiveSteps, FixedSteps, ParticleMesh, linear_field, lpt, nbody, paint, read
from lenscast.gravity.forces import acceleration, inverse_laplacian, spectral_gradient
from lenscast.io import load_correction
from lenscast.sections.training import Loss

jax.config.update("jax_enable_x64", True)

PARAMETERS = lenscast_maps.PARAMETERS


def positions(field, universe, mesh, work, correction=None, adjoint=None):
    """Positions of the particles today [Mpc/h]."""
    start = lpt(field, work.a_start, universe, mesh)
    a, steps = jnp.array([work.a_start, 1.0]), FixedSteps(kind="bullfrog", steps=work.steps)
    method = corrected(correction, mesh, steps, universe)
    return nbody(start, a, universe, method, save=lambda y: y.position(mesh), adjoint=adjoint)[0]


def density(field, universe, mesh, work, correction=None, adjoint=None):
    """Particles per cell today."""
    return paint(positions(field, universe, mesh, work, correction, adjoint), mesh.box_size, mesh.particles)


def density_of_parameters(parameters, mesh, work):
    """Particles per cell today, from the parameters: background and linear field are part of the program."""
    universe = cosmology(parameters)
    return density(linear_field(jax.random.key(0), universe.power, mesh), universe, mesh, work)


def make_field(work: Workload) -> Program:
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)
    make = jax.jit(lambda parameters: linear_field(jax.random.key(0), cosmology(parameters).power, mesh))
    return Program(lambda: make(Parameters.of(COSMOLOGY)))


def make_positions(work: Workload) -> Program:
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)
    universe = cosmology(Parameters.of(COSMOLOGY))
    run = jax.jit(partial(positions, mesh=mesh, work=work))
    return Program(partial(run, jnp.asarray(np.load(work.field)["arr_0"]), universe))


def simulate(work: Workload, gradient: str = "spectral", weights: str | None = None) -> Program:
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles, gradient=gradient)
    universe = cosmology(Parameters.of(COSMOLOGY))
    correction = load_correction(weights).correction if weights else None
    run = jax.jit(partial(density, mesh=mesh, work=work, correction=correction))
    return Program(partial(run, jnp.asarray(np.load(work.field)["arr_0"]), universe), forces=work.steps)


def kernel(work: Workload, name: str) -> Program:
    """A force evaluation, or one of its parts."""
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)
    position = jnp.asarray(np.load(work.positions)["arr_0"])
    painted = jax.jit(partial(paint, box_size=mesh.box_size, mesh_size=mesh.mesh_size))(position)

    def field(density):
        return spectral_gradient(inverse_laplacian(jnp.fft.rfftn(density), mesh), mesh)

    gradient = jax.jit(field)(painted)
    run, *inputs = {
        "paint": (lambda x: paint(x, mesh.box_size, mesh.mesh_size), position),
        "read": (lambda f, x: read(f, x, mesh.box_size), gradient, position),
        "transforms": (field, painted),
        "force": (lambda x: acceleration(x, mesh), position),
    }[name]
    return Program(partial(jax.jit(run), *inputs), forces=int(name == "force"))


def field_gradient(work: Workload, steps: int = 0) -> Program:
    """Gradient of the mean squared density today with respect to the linear field."""
    work = replace(work, steps=steps or work.steps)
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)
    universe = cosmology(Parameters.of(COSMOLOGY))
    adjoint = diffrax.RecursiveCheckpointAdjoint()

    @jax.jit
    def run(field, universe):
        return jax.grad(lambda x: mean_square(density(x, universe, mesh, work, adjoint=adjoint)))(field)

    return Program(partial(run, jnp.asarray(np.load(work.field)["arr_0"]), universe), forces=work.steps)


def simulate_from_parameters(work: Workload) -> Program:
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)
    run = jax.jit(partial(density_of_parameters, mesh=mesh, work=work))
    return Program(partial(run, Parameters.of(COSMOLOGY)), forces=work.steps)


def simulate_tangents(work: Workload) -> Program:
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)

    @jax.jit
    def run(parameters):
        def along(tangent):
            return jax.jvp(partial(density_of_parameters, mesh=mesh, work=work), (parameters,), (tangent,))

        return jax.vmap(along, out_axes=(None, 0))(basis(parameters, PARAMETERS))

    return Program(partial(run, Parameters.of(COSMOLOGY)), forces=work.steps)


FIXED = FixedSteps(kind="bullfrog", steps=10)
ADAPTIVE = AdaptiveSteps(kind="tsit5", rtol=1e-3, atol=1e-3, max_steps=32)
ADJOINTS = {
    "plain reverse": diffrax.DirectAdjoint,
    "recursive checkpoints": diffrax.RecursiveCheckpointAdjoint,
    "backsolve": diffrax.BacksolveAdjoint,
}


def train(work: Workload, integrator: FixedSteps | AdaptiveSteps, adjoint: str | None = None) -> Program:
    """The loss of a training with one snapshot; with an adjoint, its gradient with respect to the weights."""
    mesh = ParticleMesh(box_size=work.box_size, particles=work.particles)
    universe = cosmology(Parameters.of(COSMOLOGY))
    field = jnp.asarray(np.load(work.field)["arr_0"])
    start = jax.jit(partial(lpt, mesh=mesh), static_argnums=1)(field, work.a_start, universe)
    a = jnp.array([work.a_start, 1.0])
    # any particles serve as the reference: the time does not depend on how far the simulation is from them
    reference = Reference(start, start.position(mesh)[None], a, universe, mesh)
    solve = ADJOINTS[adjoint or "recursive checkpoints"]()
    weights = Loss(position=1.0, power=1.0, correlation=1.0)
    value = partial(loss, reference=reference, integrator=integrator, weights=weights, adjoint=solve)
    run = jax.jit(jax.grad(value) if adjoint else value)
    return Program(partial(run, load_correction("hpn").correction))


PROGRAMS = {
    "linear field": make_field,
    "positions": make_positions,
    **{name: partial(kernel, name=name) for name in ("paint", "read", "transforms", "force")},
    "N-body": simulate,
    "field gradient": field_gradient,
    **{f"field gradient, {n} steps": partial(field_gradient, steps=n) for n in (5, 20, 40)},
    "N-body, 4-point gradient": partial(simulate, gradient="finite_difference"),
    "N-body from parameters": simulate_from_parameters,
    "N-body, 6 tangents": simulate_tangents,
    "N-body, HPN": partial(simulate, weights="hpn"),
    "N-body, PGD": partial(simulate, weights="pgd"),
    "loss, fixed steps": partial(train, integrator=FIXED),
    "loss, adaptive": partial(train, integrator=ADAPTIVE),
    **{f"gradient, fixed steps, {name}": partial(train, integrator=FIXED, adjoint=name) for name in list(ADJOINTS)[:2]},
    **{f"gradient, adaptive, {name}": partial(train, integrator=ADAPTIVE, adjoint=name) for name in ADJOINTS},
    **lenscast_maps.PROGRAMS,
}
