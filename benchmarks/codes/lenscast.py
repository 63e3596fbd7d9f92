"""lenscast: the N-body of the comparison, and what a forecast needs, with and without tangents."""

import os
from functools import partial
from pathlib import Path

os.environ["EQX_ON_ERROR"] = "nan"  # as in the workflow's jobs: programs with host callbacks are never cached

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from workload import COSMOLOGY, Program, Workload

from lenscast.config import read_config
from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.gravity import Adaptive, FixedSteps, ParticleMesh, linear_field, lpt, nbody, paint
from lenscast.gravity.reference import Reference
from lenscast.gravity.training import Loss, loss
from lenscast.io import load_correction
from lenscast.lensing import AlignmentModel, Sources, Systematics
from lenscast.simulate import Simulation, convergence_maps
from lenscast.tangents import maps_and_tangents

jax.config.update("jax_enable_x64", True)

CONFIG = Path(__file__).parents[2] / "config.yaml"
CONFIGS = CONFIG.parent / "configs"
PARAMETERS = ("Omega_c", "Omega_b", "h", "n_s", "sigma8", "w0")
SYSTEMATICS = ("A_IA", "eta", "log10_T_AGN", "delta_z")  # one shift for each of 5 bins


def density(field, universe, mesh, work, correction=None):
    """Particles per cell today."""
    start = lpt(field, work.a_start, universe, mesh)
    a, steps = jnp.array([work.a_start, 1.0]), FixedSteps("bullfrog", work.steps)
    final = nbody(start, a, universe, mesh, steps, correction, save=lambda y: y.position(mesh))
    return paint(final[0], mesh.box_size, mesh.particles)


def density_of_parameters(parameters, mesh, work):
    """The same from the parameters on, with a field of its own."""
    universe = cosmology(parameters)
    return density(linear_field(jax.random.key(0), universe.power, mesh), universe, mesh, work)


def make_field(work: Workload) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles)
    make = jax.jit(lambda parameters: linear_field(jax.random.key(0), cosmology(parameters).power, mesh))
    return Program(lambda: make(Parameters.from_config(COSMOLOGY)))


def simulate(work: Workload, gradient: str = "spectral", weights: str | None = None) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles, gradient=gradient)
    universe = jax.jit(cosmology)(Parameters.from_config(COSMOLOGY))
    correction = load_correction(weights).correction if weights else None
    run = jax.jit(partial(density, mesh=mesh, work=work, correction=correction))
    return Program(partial(run, jnp.asarray(np.load(work.field)), universe), forces=work.steps)


def simulate_from_parameters(work: Workload) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles)
    run = jax.jit(partial(density_of_parameters, mesh=mesh, work=work))
    return Program(partial(run, Parameters.from_config(COSMOLOGY)), forces=work.steps)


def simulate_tangents(work: Workload) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles)

    @jax.jit
    def run(parameters):
        def along(tangent):
            return jax.jvp(partial(density_of_parameters, mesh=mesh, work=work), (parameters,), (tangent,))

        return jax.vmap(along, out_axes=(None, 0))(basis(parameters, PARAMETERS))

    return Program(partial(run, Parameters.from_config(COSMOLOGY)), forces=work.steps)


FIXED, ADAPTIVE = FixedSteps("bullfrog", 10), Adaptive("tsit5", 1e-3, 1e-3, max_steps=32)
ADJOINTS = {
    "plain reverse": diffrax.DirectAdjoint,
    "recursive checkpoints": diffrax.RecursiveCheckpointAdjoint,
    "backsolve": diffrax.BacksolveAdjoint,
}


def train(work: Workload, integrator: FixedSteps | Adaptive, adjoint: str | None = None) -> Program:
    """The loss of a training with one snapshot, or its gradient with respect to the weights."""
    mesh = ParticleMesh(work.box_size, work.particles)
    universe = jax.jit(cosmology)(Parameters.from_config(COSMOLOGY))
    start = jax.jit(partial(lpt, mesh=mesh), static_argnums=1)(jnp.asarray(np.load(work.field)), work.a_start, universe)
    a = jnp.array([work.a_start, 1.0])
    reference = Reference(start, start.position(mesh)[None], a, universe, mesh)
    solve = ADJOINTS[adjoint or "recursive checkpoints"]()
    value = partial(loss, reference=reference, integrator=integrator, weights=Loss(1.0, 1.0, 1.0), adjoint=solve)
    run = jax.jit(jax.grad(value) if adjoint else value)
    return Program(partial(run, load_correction("hpn").correction))


def _box(survey: str) -> tuple[Simulation, Parameters, Systematics]:
    config, other = read_config(CONFIG), read_config(CONFIGS / f"{survey}.yaml")
    alignment = AlignmentModel(config.systematics.C1_rho_crit, config.systematics.z_pivot)
    sources = Sources.from_config(other.survey.sources)
    simulation = Simulation.from_config(config.simulation, config.lightcone, sources, alignment)
    return (
        simulation,
        Parameters.from_config(COSMOLOGY),
        Systematics.from_values(other.systematics.values, len(sources)),
    )


def kappa(work: Workload, survey: str = "dll") -> Program:
    simulation, parameters, systematics = _box(survey)
    return Program(partial(jax.jit(partial(convergence_maps, simulation=simulation)), 0, parameters, systematics))


def kappa_tangents(work: Workload, survey: str = "dll", names: tuple[str, ...] = PARAMETERS) -> Program:
    simulation, parameters, systematics = _box(survey)
    run = jax.jit(partial(maps_and_tangents, simulation=simulation, names=names))
    return Program(partial(run, 0, parameters, systematics))


PROGRAMS = {
    "linear field": make_field,
    "N-body": simulate,
    "N-body, 4-point gradient": partial(simulate, gradient="finite_difference"),
    "N-body from parameters": simulate_from_parameters,
    "N-body, 6 tangents": simulate_tangents,
    "N-body, HPN": partial(simulate, weights="hpn"),
    "N-body, PGD": partial(simulate, weights="pgd"),
    "loss, fixed steps": partial(train, integrator=FIXED),
    "loss, adaptive": partial(train, integrator=ADAPTIVE),
    **{f"gradient, fixed steps, {name}": partial(train, integrator=FIXED, adjoint=name) for name in list(ADJOINTS)[:2]},
    **{f"gradient, adaptive, {name}": partial(train, integrator=ADAPTIVE, adjoint=name) for name in ADJOINTS},
    "kappa": kappa,
    "kappa, 6 tangents": kappa_tangents,
    "5 bins": partial(kappa, survey="lsst_y1"),
    "5 bins, 6 tangents": partial(kappa_tangents, survey="lsst_y1"),
    "5 bins, 6 tangents, 8 of systematics": partial(kappa_tangents, survey="lsst_y1", names=PARAMETERS + SYSTEMATICS),
}
