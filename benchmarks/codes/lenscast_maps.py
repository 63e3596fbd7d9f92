"""lenscast: the programs of a forecast, from a seed to maps, tangents, data vectors and Jacobians.

`codes.lenscast` imports this module, after it has set the precision, and lists its programs with its own.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from workload import Program, Workload

from lenscast.batches import each_box
from lenscast.corrections import Correction, corrected
from lenscast.cosmology import Parameters, cosmology
from lenscast.experiment import Experiment, read
from lenscast.fisher.derivatives import SummaryAndJacobian
from lenscast.gravity import linear_field, lpt, nbody
from lenscast.io import load_correction
from lenscast.measurement import MapAndTangents, expected_and_jacobian, joined
from lenscast.pipeline import Theta, fiducial, maps, summarise, tangents
from lenscast.sections.distribution import Distribution

CONFIG = Path(__file__).parents[2] / "config.yaml"
CONFIGS = CONFIG.parent / "configs"
DLL = CONFIGS / "dll.yaml"
BATCH = 8  # boxes
PARAMETERS = ("Omega_c", "Omega_b", "h", "n_s", "sigma8", "w0")
SYSTEMATICS = ("A_IA", "eta", "log10_T_AGN", "delta_z")  # delta_z is one parameter for each of the 5 bins


class Setup(NamedTuple):
    """What makes the maps of a box, apart from the seed."""

    experiment: Experiment
    theta: Theta
    correction: Correction | None


def measure(given: MapAndTangents, experiment: Experiment) -> SummaryAndJacobian:
    """Data vector of a map and its Jacobian, from one draw of the noise."""
    return joined(expected_and_jacobian(given, experiment), experiment.statistics)


def setup(
    work: Workload,
    survey: str = "dll",
    config: Path | None = None,
    parameters: tuple[str, ...] = PARAMETERS,
    **lightcone: int,
) -> Setup:
    """Box and planes of a config, with the galaxies of a survey.

    Parameters
    ----------
    work
        Gives the particles per side where no config is named.
    survey
        Config in `configs` that gives the sources and the nuisance parameters.
    config
        Config that gives everything else; by default config.yaml, but for the number of particles.
    parameters
        Parameters of the forecast, for the tangents.
    lightcone
        Keys of the section `lightcone` with other values.
    """
    described, other = read(config or CONFIG), read(CONFIGS / f"{survey}.yaml")
    simulation = described.simulation.model_copy(update={} if config else {"particles": work.particles})
    experiment = described.model_copy(
        update={
            "simulation": simulation,
            "lightcone": described.lightcone.model_copy(update=lightcone),
            "survey": other.survey,
            "systematics": other.systematics,
            "forecast": described.forecast.model_copy(update={"parameters": parameters}),
        }
    )
    # not `correction_of`, which warns where the weights were not trained
    section = experiment.simulation.correction
    correction = load_correction(section.weights).correction if section.kind != "none" else None
    return Setup(experiment, fiducial(experiment), correction)


def spectrum_and_peaks(config: Path) -> Experiment:
    """The experiment of a config with the power spectrum and the peaks as its only statistics."""
    return read(config).measuring("power_spectrum", "peaks")


def kappa(work: Workload, devices: int = 1, **settings: Any) -> Program:
    experiment, theta, correction = setup(work, **settings)
    experiment = experiment.model_copy(update={"distribution": Distribution(devices=devices)})
    run = jax.jit(partial(maps, experiment=experiment, correction=correction))
    return Program(partial(run, 0, theta))


def kappa_tangents(work: Workload, **settings: Any) -> Program:
    experiment, theta, correction = setup(work, **settings)
    run = jax.jit(partial(tangents, experiment=experiment, correction=correction))
    return Program(partial(run, 0, theta))


def batch(work: Workload, config: Path, parameters: tuple[str, ...] = ()) -> Program:
    """`BATCH` boxes as a job of the workflow makes them, with tangents if there are parameters."""
    experiment, theta, correction = setup(work, config=config, parameters=parameters)
    program = partial(tangents if parameters else maps, experiment=experiment, correction=correction)
    return Program(lambda: [jax.device_get(each) for each in each_box(program, range(BATCH), theta)])


def statistics(work: Workload, config: Path, parameters: int = 0) -> Program:
    """C_ell and peaks of one map; with a number of parameters, their Jacobian too."""
    measured = spectrum_and_peaks(config)
    pixels = measured.lightcone.pixels
    fields = 0.02 * jax.random.normal(jax.random.key(0), (1 + parameters, 1, pixels, pixels), jnp.float32)
    if parameters:
        run = jax.jit(lambda k, t: measure(MapAndTangents(k, t, None, 0, 0), measured))
        return Program(partial(run, fields[0], fields[1:]))
    return Program(partial(jax.jit(lambda k: summarise(k, 0, 0, measured, 1)), fields[0]))


def box_to_jacobian(work: Workload) -> Program:
    """Maps of a box with their tangents, and data vector and Jacobian of the first map."""
    experiment, theta, correction = setup(work)
    measured = spectrum_and_peaks(CONFIG)

    @jax.jit
    def run(theta):
        made = tangents(0, theta, experiment, correction)
        derived = measure(MapAndTangents(made.kappa[0], made.tangents[0], None, 0, 0), measured)
        return made.kappa, made.tangents, derived.summary, derived.jacobian

    return Program(partial(run, theta))


def data_of_box(work: Workload, how: str = "") -> Program:
    """Mean data vector of the maps of a box, its Jacobian forward, or one row of it in reverse."""
    experiment, theta, correction = setup(work)
    measured, numbers = spectrum_and_peaks(CONFIG), jnp.arange(experiment.lightcone.realisations_per_box)
    adjoint = diffrax.RecursiveCheckpointAdjoint() if how == "reverse" else None

    def data(parameters: Parameters):
        fields = maps(0, Theta(parameters, theta.systematics), experiment, correction, adjoint)
        return jax.lax.map(lambda n: summarise(fields[n], 0, n, measured, 1).expected, numbers).mean(axis=0)

    def jacobian(parameters: Parameters):
        made = tangents(0, Theta(parameters, theta.systematics), experiment, correction)

        def of_map(n):
            return measure(MapAndTangents(made.kappa[n], made.tangents[n], None, 0, n), measured).jacobian

        return jax.lax.map(of_map, numbers).mean(axis=0)

    run = {"": data, "forward": jacobian, "reverse": jax.grad(lambda parameters: data(parameters)[-1])}[how]
    return Program(partial(jax.jit(run), theta.cosmology))


def plain_box(work: Workload, config: Path) -> Program:
    """The N-body behind the maps of a config, from the start to today, without planes and maps."""
    experiment, theta, correction = setup(work, config=config)
    simulation, universe = experiment.simulation, cosmology(theta.cosmology)
    a = jnp.asarray([simulation.a_start, 1.0])

    @jax.jit
    def run(universe):
        field = linear_field(jax.random.key(0), universe.power, simulation)
        start = lpt(field, simulation.a_start, universe, simulation)
        return nbody(start, a, universe, corrected(correction, simulation, simulation.integrator, universe))

    return Program(partial(run, universe))


PROGRAMS = {
    "kappa": kappa,
    "kappa, 6 tangents": kappa_tangents,
    **{f"kappa, {n} tangents": partial(kappa_tangents, parameters=PARAMETERS[:n]) for n in (1, 3)},
    "kappa, 2 devices": partial(kappa, devices=2),
    "kappa, 22 planes": partial(kappa, planes=22),
    "kappa, 512 pixels": partial(kappa, pixels=512),
    "kappa, 16 realisations": partial(kappa, realisations_per_box=16),
    "from parameters to Jacobian": box_to_jacobian,
    "data": data_of_box,
    "Jacobian": partial(data_of_box, how="forward"),
    "one row in reverse mode": partial(data_of_box, how="reverse"),
    **{
        f"{name} {what}": program
        for name, config in (("default", CONFIG), ("DLL", DLL))
        for what, program in {
            "N-body": partial(plain_box, config=config),
            "box": partial(kappa, config=config),
            "box, 5 tangents": partial(kappa_tangents, config=config, parameters=PARAMETERS[:5]),
            "batch": partial(batch, config=config),
            "batch, 5 tangents": partial(batch, config=config, parameters=PARAMETERS[:5]),
            "statistics": partial(statistics, config=config),
            "statistics, 5 tangents": partial(statistics, config=config, parameters=5),
        }.items()
    },
    "5 bins": partial(kappa, survey="lsst_y1"),
    "5 bins, 6 tangents": partial(kappa_tangents, survey="lsst_y1"),
    "5 bins, 6 tangents, 8 of systematics": partial(
        kappa_tangents, survey="lsst_y1", parameters=PARAMETERS + SYSTEMATICS
    ),
}
