"""lenscast: the N-body of the comparison, and what a forecast needs, with and without tangents."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ["EQX_ON_ERROR"] = "nan"  # as in the workflow's jobs: programs with host callbacks are never cached

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from workload import COSMOLOGY, Program, Workload, mean_square

if os.environ.get("LENSCAST_BENCHMARK_DOUBLE"):  # the same draws in double precision, before the package is imported

    def of_single(draw):
        return lambda key, shape, dtype=None, *limits: draw(key, shape, "float32", *limits).astype("float64")

    jax.random.normal, jax.random.uniform = map(of_single, (jax.random.normal, jax.random.uniform))
    jnp.float32, jnp.complex64 = jnp.float64, jnp.complex128

from lenscast.batches import each_box
from lenscast.config import read_config
from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.gravity import Adaptive, FixedSteps, ParticleMesh, linear_field, lpt, nbody, paint
from lenscast.gravity.forces import acceleration, inverse_laplacian, spectral_gradient
from lenscast.gravity.painting import read
from lenscast.gravity.reference import Reference
from lenscast.gravity.training import Loss, loss
from lenscast.io import load_correction
from lenscast.lensing import AlignmentModel, Sources, Systematics, shape_noise_rms
from lenscast.simulate import Simulation, convergence_maps
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.statistic import Statistic
from lenscast.summarise import expected_and_jacobian, summarise
from lenscast.tangents import maps_and_tangents

jax.config.update("jax_enable_x64", True)

CONFIG = Path(__file__).parents[2] / "config.yaml"
CONFIGS = CONFIG.parent / "configs"
DLL = CONFIGS / "dll.yaml"
BATCH = 8  # boxes
PARAMETERS = ("Omega_c", "Omega_b", "h", "n_s", "sigma8", "w0")
SYSTEMATICS = ("A_IA", "eta", "log10_T_AGN", "delta_z")  # one shift for each of 5 bins


def positions(field, universe, mesh, work, correction=None, adjoint=None):
    """Particles today."""
    start = lpt(field, work.a_start, universe, mesh)
    a, steps = jnp.array([work.a_start, 1.0]), FixedSteps("bullfrog", work.steps)
    return nbody(start, a, universe, mesh, steps, correction, save=lambda y: y.position(mesh), adjoint=adjoint)[0]


def density(field, universe, mesh, work, correction=None, adjoint=None):
    """Particles per cell today."""
    return paint(positions(field, universe, mesh, work, correction, adjoint), mesh.box_size, mesh.particles)


def density_of_parameters(parameters, mesh, work):
    """The same from the parameters on, with a field of its own."""
    universe = cosmology(parameters)
    return density(linear_field(jax.random.key(0), universe.power, mesh), universe, mesh, work)


def make_field(work: Workload) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles)
    make = jax.jit(lambda parameters: linear_field(jax.random.key(0), cosmology(parameters).power, mesh))
    return Program(lambda: make(Parameters.from_config(COSMOLOGY)))


def make_positions(work: Workload) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles)
    universe = jax.jit(cosmology)(Parameters.from_config(COSMOLOGY))
    run = jax.jit(partial(positions, mesh=mesh, work=work))
    return Program(partial(run, jnp.asarray(np.load(work.field)["arr_0"]), universe))


def simulate(work: Workload, gradient: str = "spectral", weights: str | None = None) -> Program:
    mesh = ParticleMesh(work.box_size, work.particles, gradient=gradient)
    universe = jax.jit(cosmology)(Parameters.from_config(COSMOLOGY))
    correction = load_correction(weights).correction if weights else None
    run = jax.jit(partial(density, mesh=mesh, work=work, correction=correction))
    return Program(partial(run, jnp.asarray(np.load(work.field)["arr_0"]), universe), forces=work.steps)


def kernel(work: Workload, name: str) -> Program:
    """A part of a force evaluation."""
    mesh = ParticleMesh(work.box_size, work.particles)
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
    """Gradient of the mean squared density today by the linear field."""
    work = replace(work, steps=steps or work.steps)
    mesh = ParticleMesh(work.box_size, work.particles)
    universe = jax.jit(cosmology)(Parameters.from_config(COSMOLOGY))
    adjoint = diffrax.RecursiveCheckpointAdjoint()

    @jax.jit
    def run(field, universe):
        return jax.grad(lambda x: mean_square(density(x, universe, mesh, work, adjoint=adjoint)))(field)

    return Program(partial(run, jnp.asarray(np.load(work.field)["arr_0"]), universe), forces=work.steps)


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
    field = jnp.asarray(np.load(work.field)["arr_0"])
    start = jax.jit(partial(lpt, mesh=mesh), static_argnums=1)(field, work.a_start, universe)
    a = jnp.array([work.a_start, 1.0])
    reference = Reference(start, start.position(mesh)[None], a, universe, mesh)
    solve = ADJOINTS[adjoint or "recursive checkpoints"]()
    value = partial(loss, reference=reference, integrator=integrator, weights=Loss(1.0, 1.0, 1.0), adjoint=solve)
    run = jax.jit(jax.grad(value) if adjoint else value)
    return Program(partial(run, load_correction("hpn").correction))


class Box(NamedTuple):
    """What makes the maps of a box."""

    simulation: Simulation
    parameters: Parameters
    systematics: Systematics
    correction: Any


def box(survey: str, of: Path = CONFIG, planes: int = 0, **lightcone: int) -> Box:
    """The simulation of one config with the galaxies of a survey's; with other planes, pixels or realisations."""
    config, other = read_config(of), read_config(CONFIGS / f"{survey}.yaml")
    alignment = AlignmentModel(config.systematics.C1_rho_crit, config.systematics.z_pivot)
    sources = Sources.from_config(other.survey.sources)
    changes = lightcone | ({"planes": planes} if planes else {})
    seen = config.lightcone.model_copy(update=changes)
    simulation = Simulation.from_config(config.simulation, seen, sources, alignment)
    systematics = Systematics.from_values(other.systematics.values, len(sources))
    correction = config.simulation.correction
    weights = load_correction(correction.weights).correction if correction.kind != "none" else None
    return Box(simulation, Parameters.from_config(COSMOLOGY), systematics, weights)


def kappa(work: Workload, survey: str = "dll", **changes: Any) -> Program:
    simulation, parameters, systematics, correction = box(survey, **changes)
    run = jax.jit(partial(convergence_maps, simulation=simulation, correction=correction))
    return Program(partial(run, 0, parameters, systematics))


def kappa_tangents(work: Workload, survey: str = "dll", names: tuple[str, ...] = PARAMETERS, **changes: Any) -> Program:
    simulation, parameters, systematics, correction = box(survey, **changes)
    run = jax.jit(partial(maps_and_tangents, simulation=simulation, names=names, correction=correction))
    return Program(partial(run, 0, parameters, systematics))


def batch(work: Workload, of: Path, names: tuple[str, ...] = ()) -> Program:
    """As many boxes as `BATCH`, as a job of the workflow makes them, with tangents if names are given."""
    simulation, parameters, systematics, correction = box("dll", of)
    given = {"simulation": simulation, "correction": correction} | ({"names": names} if names else {})
    program = partial(maps_and_tangents if names else convergence_maps, **given)
    return Program(lambda: [jax.device_get(each) for each in each_box(program, range(BATCH), parameters, systematics)])


def spectrum_and_peaks(of: Path) -> tuple[Statistic, ...]:
    """What a config measures, but for further statistics."""
    config = read_config(of)
    settings = config.model_dump(mode="json")["statistics"]
    wanted = {name: settings[name] for name in ("power_spectrum", "peaks")}
    pixels, field = config.lightcone.pixels, config.lightcone.field_deg
    noise = ShapeNoise((shape_noise_rms(config.survey.sigma_e, config.survey.n_gal[0], 60 * field / pixels),))
    return statistics_from_config(wanted, pixels, field, noise)


def statistics(work: Workload, of: Path, parameters: int = 0) -> Program:
    """C_ell and peaks of one map, with their Jacobian by so many parameters."""
    measured, pixels = spectrum_and_peaks(of), read_config(of).lightcone.pixels
    maps = 0.02 * jax.random.normal(jax.random.key(0), (1 + parameters, 1, pixels, pixels), jnp.float32)
    if parameters:
        run = jax.jit(lambda k, t: expected_and_jacobian(k, t, t[:0], 0, 0, measured, 1))
        return Program(partial(run, maps[0], maps[1:]))
    return Program(partial(jax.jit(lambda k: summarise(k, 0, 0, measured, 1)), maps[0]))


def box_to_jacobian(work: Workload) -> Program:
    """Maps of a box of config.yaml, their tangents, and what is measured of the first map with its Jacobian."""
    simulation, parameters, systematics, correction = box("dll")
    measured = spectrum_and_peaks(CONFIG)

    @jax.jit
    def run(parameters, systematics):
        maps = maps_and_tangents(0, parameters, systematics, simulation, PARAMETERS, correction)
        kappa, tangents = maps.kappa[0], maps.tangents[0]
        found = expected_and_jacobian(kappa, tangents, tangents[:0], 0, 0, measured, 1)
        return maps.kappa, maps.tangents, found.summary, found.jacobian

    return Program(partial(run, parameters, systematics))


def data_of_box(work: Workload, how: str = "") -> Program:
    """Mean data vector of the maps of a box of config.yaml, its Jacobian forward, or one row of it in reverse."""
    simulation, given, systematics, correction = box("dll")
    measured, maps = spectrum_and_peaks(CONFIG), jnp.arange(simulation.realisations)
    adjoint = diffrax.RecursiveCheckpointAdjoint() if how == "reverse" else None

    def data(parameters):
        kappa = convergence_maps(0, parameters, systematics, simulation, correction, adjoint)
        return jax.lax.map(lambda n: summarise(kappa[n], 0, n, measured, 1).expected, maps).mean(axis=0)

    def jacobian(parameters):
        made = maps_and_tangents(0, parameters, systematics, simulation, PARAMETERS, correction)

        def of_map(n):
            own = made.tangents[n, :0]
            return expected_and_jacobian(made.kappa[n], made.tangents[n], own, 0, n, measured, 1).jacobian

        return jax.lax.map(of_map, maps).mean(axis=0)

    run = {"": data, "forward": jacobian, "reverse": jax.grad(lambda parameters: data(parameters)[-1])}[how]
    return Program(partial(jax.jit(run), given))


def plain_box(work: Workload, of: Path) -> Program:
    """The N-body behind the maps of a config, to the nearest plane, and nothing else."""
    simulation, parameters, _, correction = box("dll", of)
    universe = jax.jit(cosmology)(parameters)
    a = jnp.asarray([simulation.a_start, 1.0])

    @jax.jit
    def run(universe):
        field = linear_field(jax.random.key(0), universe.power, simulation.mesh)
        start = lpt(field, simulation.a_start, universe, simulation.mesh)
        return nbody(start, a, universe, simulation.mesh, simulation.integrator, correction)

    return Program(partial(run, universe))


PROGRAMS = {
    "linear field": make_field,
    "positions": make_positions,
    **{name: partial(kernel, name=name) for name in ("paint", "read", "transforms", "force")},
    "N-body": simulate,
    "gradient by the field": field_gradient,
    **{f"gradient by the field, {n} steps": partial(field_gradient, steps=n) for n in (5, 20, 40)},
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
    **{f"kappa, {n} tangents": partial(kappa_tangents, names=PARAMETERS[:n]) for n in (1, 3)},
    "kappa, 22 planes": partial(kappa, planes=22),
    "kappa, 512 pixels": partial(kappa, pixels=512),
    "kappa, 16 realisations": partial(kappa, realisations_per_box=16),
    "from parameters to Jacobian": box_to_jacobian,
    "data": data_of_box,
    "Jacobian": partial(data_of_box, how="forward"),
    "one row in reverse mode": partial(data_of_box, how="reverse"),
    **{
        f"{name} {what}": program
        for name, of in (("default", CONFIG), ("DLL", DLL))
        for what, program in {
            "N-body": partial(plain_box, of=of),
            "box": partial(kappa, of=of),
            "box, 5 tangents": partial(kappa_tangents, of=of, names=PARAMETERS[:5]),
            "batch": partial(batch, of=of),
            "batch, 5 tangents": partial(batch, of=of, names=PARAMETERS[:5]),
            "statistics": partial(statistics, of=of),
            "statistics, 5 tangents": partial(statistics, of=of, parameters=5),
        }.items()
    },
    "5 bins": partial(kappa, survey="lsst_y1"),
    "5 bins, 6 tangents": partial(kappa_tangents, survey="lsst_y1"),
    "5 bins, 6 tangents, 8 of systematics": partial(kappa_tangents, survey="lsst_y1", names=PARAMETERS + SYSTEMATICS),
}
