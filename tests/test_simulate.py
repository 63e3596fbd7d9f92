"""Maps of a box: what decides them, and their derivatives through the whole forward model."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.batches import each_box
from lenscast.config import read_config
from lenscast.cosmology import PARAMETER_NAMES, Parameters
from lenscast.gravity import HPN, Adaptive, FixedSteps, ParticleMesh
from lenscast.lensing import AlignmentModel, Lightcone, Sources, Systematics
from lenscast.lensing.sources import tabulated
from lenscast.simulate import Simulation, convergence_maps, noise_maps
from lenscast.tangents import maps_and_tangents

REPOSITORY = Path(__file__).parents[1]
STEPS = dict(zip(PARAMETER_NAMES, (0.005, 0.002, 0.01, 0.01, 0.01, 0.02, 0.05), strict=True))
# Cells of 75 Mpc/h: particles keep to theirs, so that differences do not meet the kinks of clouds.
SIMULATION = Simulation(
    mesh=ParticleMesh(600.0, 8),
    a_start=0.2,
    lpt_order=2,
    integrator=FixedSteps("fastpm", 2),
    lightcone=Lightcone(600.0, 2, 4, 16, 10.0, 16),
    ray_tracing=False,
    sources=tabulated(np.array([[0.05, 0.15, 0.3, 0.42]]), np.array([[0.0, 2.0, 1.0, 0.0], [0.0, 0.5, 2.0, 0.0]])),
    alignment=AlignmentModel(C1_rho_crit=0.01388, z_pivot=0.62),
    realisations=2,
)
VALUES = {"A_IA": 0.7, "eta": 1.2, "log10_T_AGN": 7.8, "delta_z_1": 0.01, "delta_z_2": -0.02, "m_1": 0.3}
SYSTEMATICS = Systematics.from_values(VALUES, sources=2)
SHARED = (*PARAMETER_NAMES, "A_IA", "eta", "log10_T_AGN")
MAPS = jax.jit(convergence_maps, static_argnums=3)
NOISE = jax.jit(noise_maps, static_argnums=3)
RMS = jnp.full((2, 1, 1), 0.3, jnp.float32)


@pytest.fixture(scope="module", params=[False, True], ids=["born", "ray_tracing"])
def simulation(request):
    """One realisation, with each projection."""
    return dataclasses.replace(SIMULATION, realisations=1, ray_tracing=request.param)


@pytest.fixture(scope="module")
def maps(parameters):
    return MAPS(3, parameters, SYSTEMATICS, SIMULATION)


@pytest.fixture(scope="module")
def derivatives(parameters, simulation):
    return jax.jit(lambda p, s: maps_and_tangents(3, p, s, simulation, ("delta_z", *SHARED)))(parameters, SYSTEMATICS)


def test_seeds_and_realisations_make_different_maps(parameters, maps):
    other = MAPS(4, parameters, SYSTEMATICS, SIMULATION)
    np.testing.assert_array_equal(MAPS(3, parameters, SYSTEMATICS, SIMULATION), maps)
    fields = np.concatenate([maps, other])[:, 1]
    assert fields.std() > 1e-4
    for first, second in zip(*np.triu_indices(4, 1), strict=True):
        assert np.std(fields[first] - fields[second]) > 0.3 * fields.std()


@pytest.mark.slow
def test_boxes_side_by_side_are_those_alone(parameters, maps):
    def program(seed, parameters):
        return convergence_maps(seed, parameters, SYSTEMATICS, SIMULATION)

    other, first = each_box(program, [4, 3], parameters, memory=2**33)
    np.testing.assert_allclose(first, maps, rtol=0, atol=2e-6 * np.abs(maps).max())
    assert np.abs(other - first).max() > 0.1 * np.abs(maps).max()


@pytest.mark.slow
def test_a_map_is_the_same_with_tangents_and_without_other_realisations(parameters, simulation, maps, derivatives):
    assert derivatives.kappa.shape == (1, 2, 16, 16)
    assert derivatives.tangents.shape == (1, 10, 2, 16, 16)
    assert derivatives.shifts.shape == (1, 2, 16, 16)
    alone = MAPS(3, parameters, SYSTEMATICS, simulation)
    # another program, in float32
    np.testing.assert_allclose(derivatives.kappa, alone, rtol=0, atol=2e-6 * np.abs(maps).max())
    if not simulation.ray_tracing:
        np.testing.assert_allclose(alone, maps[:1], rtol=0, atol=2e-6 * np.abs(maps).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETER_NAMES)
def test_tangents_agree_with_differences_of_the_whole_model(parameters, simulation, derivatives, name):
    step, tangent = STEPS[name], derivatives.tangents[:, PARAMETER_NAMES.index(name)]
    moved = [dataclasses.replace(parameters, **{name: getattr(parameters, name) + sign * step}) for sign in (1, -1)]
    ends = [MAPS(3, each, SYSTEMATICS, simulation) for each in moved]
    difference = (ends[0] - ends[1]) / (2 * step)
    # third order of the step, 1e-4; rounding of maps, 1e-7 / step
    assert np.linalg.norm(tangent - difference) < 3e-3 * np.linalg.norm(difference)
    squares = [(end.astype(jnp.float64) ** 2).sum() for end in ends]
    slope = (2 * derivatives.kappa * tangent).sum(dtype=jnp.float64)
    # a sum over pixels that may cancel
    size = 2 * np.linalg.norm(derivatives.kappa) * np.linalg.norm(tangent)
    np.testing.assert_allclose(slope, (squares[0] - squares[1]) / (2 * step), rtol=0, atol=3e-3 * size)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step"), [("A_IA", 0.5), ("eta", 0.1), ("log10_T_AGN", 0.05), ("delta_z_1", 2e-3), ("delta_z_2", 2e-3)]
)
def test_tangents_of_systematics_agree_with_differences(parameters, simulation, derivatives, name, step):
    def central(step):
        moved = [Systematics.from_values(VALUES | {name: VALUES[name] + sign * step}, 2) for sign in (1, -1)]
        ends = [np.asarray(MAPS(3, parameters, each, simulation), np.float64) for each in moved]
        return (ends[0] - ends[1]) / (2 * step)

    difference = central(step)
    if name.startswith("delta_z"):  # the maps of the other source stay
        own = int(name[-1]) - 1
        np.testing.assert_array_equal(difference[:, 1 - own], 0)
        tangent, difference = derivatives.shifts[:, own], difference[:, own]
    else:
        tangent = derivatives.tangents[:, SHARED.index(name)]
    # third order of the step, 1e-4; rounding of maps, 1e-7 / step, is 1e-3 of what feedback does to planes this coarse:
    # test_feedback has finer ones
    assert np.linalg.norm(difference) > 0
    tolerance = 4e-3 if name == "log10_T_AGN" else 1e-3
    assert np.linalg.norm(tangent - difference) < tolerance * np.linalg.norm(difference)


@pytest.mark.slow
def test_maps_and_tangents_follow_a_correction(parameters, maps):
    correction = HPN.initial(jax.random.key(0), (-4.0, 0.0))
    single, name, step = dataclasses.replace(SIMULATION, realisations=1), "Omega_c", STEPS["Omega_c"]
    made = jax.jit(lambda p: maps_and_tangents(3, p, SYSTEMATICS, single, (name,), correction))
    kappa, tangents, _ = made(parameters)
    assert np.std(kappa - maps[:1]) > 1e-3 * np.std(maps)
    ends = [
        made(Parameters(**vars(parameters) | {name: getattr(parameters, name) + sign * step})).kappa for sign in (1, -1)
    ]
    difference = (ends[0] - ends[1]) / (2 * step)
    assert np.linalg.norm(tangents[:, 0] - difference) < 3e-3 * np.linalg.norm(difference)


@pytest.mark.parametrize("names", [("h", "Omega_x"), ("h", "log10_T_AGN"), ("A_IA",)])
def test_derivatives_refuse_what_is_no_parameter_of_the_maps(parameters, names):
    bare = Systematics.from_values({}, sources=2)
    with pytest.raises(ValueError, match=r"give one or more of Omega_c, .*, and then some of A_IA, delta_z, eta"):
        maps_and_tangents(3, parameters, bare, SIMULATION, names)


def test_noise_has_a_realisation_of_its_own_for_each_map_and_draw():
    labels = [(seed, realisation, draw) for seed in (3, 4) for realisation in (0, 1) for draw in (0, 1)]
    noise = np.array([NOISE(*label, (2, 64, 64), RMS).ravel() for label in labels])
    np.testing.assert_array_equal(NOISE(4, 0, 1, (2, 64, 64), RMS).ravel(), noise[labels.index((4, 0, 1))])
    # 8192 pixels: rms to 0.8 %, correlations to 1.1 %
    np.testing.assert_allclose(noise.std(axis=1), 0.3, rtol=0.04)
    assert np.abs(np.corrcoef(noise) - np.eye(8)).max() < 0.05


def test_simulations_follow_their_config():
    default, dll = (read_config(REPOSITORY / path) for path in ("config.yaml", "configs/dll.yaml"))
    small, large = (
        Simulation.from_config(
            each.simulation, each.lightcone, Sources.from_config(each.survey.sources), SIMULATION.alignment
        )
        for each in (default, dll)
    )
    for config, made in ((default, small), (dll, large)):
        box, light = config.simulation, config.lightcone
        assert made.mesh == ParticleMesh(box.box_size, box.particles, box.mesh_factor, box.gradient)
        assert (made.a_start, made.lpt_order) == (box.a_start, box.lpt_order)
        assert vars(made.lightcone) == {"box_size": box.box_size} | {
            name: getattr(light, name) for name in ("slabs_per_box", "planes", "plane_mesh", "field_deg", "pixels")
        }
        np.testing.assert_array_equal(made.sources.mean, config.survey.sources.z)
        assert made.realisations == light.realisations_per_box
        hash(made)
    assert small.integrator == FixedSteps("bullfrog", default.simulation.integrator.steps)
    assert large.integrator == Adaptive("dopri5", 1e-5, 1e-5)
