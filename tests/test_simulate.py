"""Maps of a box: what decides them, and their derivatives through the whole forward model."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.config import read_config
from lenscast.cosmology import PARAMETER_NAMES, Parameters
from lenscast.gravity import HPN, Adaptive, FixedSteps, ParticleMesh
from lenscast.lensing import Lightcone
from lenscast.simulate import Simulation, convergence_maps, maps_and_tangents, noise_maps

REPOSITORY = Path(__file__).parents[1]
STEPS = dict(zip(PARAMETER_NAMES, (0.005, 0.002, 0.01, 0.01, 0.01, 0.02, 0.05), strict=True))
# Cells of 75 Mpc/h: particles keep to theirs, so that differences do not meet the kinks of clouds.
SIMULATION = Simulation(
    mesh=ParticleMesh(600.0, 8),
    a_start=0.2,
    lpt_order=2,
    integrator=FixedSteps("fastpm", 2),
    lightcone=Lightcone(600.0, 2, 4, 16, 10.0, 16),
    z_source=(0.25, 0.4),
    realisations=2,
)
MAPS = jax.jit(convergence_maps, static_argnums=2)
NOISE = jax.jit(noise_maps, static_argnums=3)
RMS = jnp.full((2, 1, 1), 0.3, jnp.float32)


@pytest.fixture(scope="module")
def maps(parameters):
    return MAPS(3, parameters, SIMULATION)


@pytest.fixture(scope="module")
def derivatives(parameters):
    """Of the first realisation alone."""
    single = dataclasses.replace(SIMULATION, realisations=1)
    return jax.jit(lambda p: maps_and_tangents(3, p, single, PARAMETER_NAMES))(parameters)


def test_seeds_and_realisations_make_different_maps(parameters, maps):
    other = MAPS(4, parameters, SIMULATION)
    np.testing.assert_array_equal(MAPS(3, parameters, SIMULATION), maps)
    fields = np.concatenate([maps, other])[:, 1]
    assert fields.std() > 1e-4
    for first, second in zip(*np.triu_indices(4, 1), strict=True):
        assert np.std(fields[first] - fields[second]) > 0.3 * fields.std()


def test_a_map_is_the_same_with_tangents_and_without_other_realisations(maps, derivatives):
    assert derivatives.kappa.shape == (1, 2, 16, 16)
    assert derivatives.tangents.shape == (1, 7, 2, 16, 16)
    # another program, in float32
    np.testing.assert_allclose(derivatives.kappa, maps[:1], rtol=0, atol=2e-6 * np.abs(maps).max())


@pytest.mark.parametrize("name", PARAMETER_NAMES)
def test_tangents_agree_with_differences_of_the_whole_model(parameters, derivatives, name):
    step, tangent = STEPS[name], derivatives.tangents[:, PARAMETER_NAMES.index(name)]
    ends = [
        MAPS(3, Parameters(**vars(parameters) | {name: getattr(parameters, name) + sign * step}), SIMULATION)[:1]
        for sign in (1, -1)
    ]
    difference = (ends[0] - ends[1]) / (2 * step)
    # third order of the step, 1e-4; rounding of maps, 1e-7 / step
    assert np.linalg.norm(tangent - difference) < 3e-3 * np.linalg.norm(difference)
    squares = [(end.astype(jnp.float64) ** 2).sum() for end in ends]
    slope = (2 * derivatives.kappa * tangent).sum(dtype=jnp.float64)
    np.testing.assert_allclose(slope, (squares[0] - squares[1]) / (2 * step), rtol=2e-3)


def test_maps_and_tangents_follow_a_correction(parameters, maps):
    correction = HPN.initial(jax.random.key(0), (-4.0, 0.0))
    single, name, step = dataclasses.replace(SIMULATION, realisations=1), "Omega_c", STEPS["Omega_c"]
    made = jax.jit(lambda p: maps_and_tangents(3, p, single, (name,), correction))
    kappa, tangents = made(parameters)
    assert np.std(kappa - maps[:1]) > 1e-3 * np.std(maps)
    ends = [
        made(Parameters(**vars(parameters) | {name: getattr(parameters, name) + sign * step})).kappa for sign in (1, -1)
    ]
    difference = (ends[0] - ends[1]) / (2 * step)
    assert np.linalg.norm(tangents[:, 0] - difference) < 3e-3 * np.linalg.norm(difference)


def test_derivatives_refuse_an_unknown_parameter(parameters):
    with pytest.raises(ValueError, match=r"unknown cosmological parameters \['Omega_x'\]: choose from \('Omega_c'"):
        maps_and_tangents(3, parameters, SIMULATION, ("h", "Omega_x"))


def test_noise_has_a_realisation_of_its_own_for_each_map_and_draw():
    labels = [(seed, realisation, draw) for seed in (3, 4) for realisation in (0, 1) for draw in (0, 1)]
    noise = np.array([NOISE(*label, (2, 64, 64), RMS).ravel() for label in labels])
    np.testing.assert_array_equal(NOISE(4, 0, 1, (2, 64, 64), RMS).ravel(), noise[labels.index((4, 0, 1))])
    # 8192 pixels: rms to 0.8 %, correlations to 1.1 %
    np.testing.assert_allclose(noise.std(axis=1), 0.3, rtol=0.04)
    assert np.abs(np.corrcoef(noise) - np.eye(8)).max() < 0.05


def test_simulations_follow_their_config():
    default, dll = (read_config(REPOSITORY / path) for path in ("config.yaml", "configs/dll.yaml"))
    small, large = (Simulation.from_config(c.simulation, c.lightcone, c.survey.z_source) for c in (default, dll))
    for config, made in ((default, small), (dll, large)):
        box, light = config.simulation, config.lightcone
        assert made.mesh == ParticleMesh(box.box_size, box.particles, box.mesh_factor, box.gradient)
        assert (made.a_start, made.lpt_order) == (box.a_start, box.lpt_order)
        assert vars(made.lightcone) == {"box_size": box.box_size} | {
            name: getattr(light, name) for name in ("slabs_per_box", "planes", "plane_mesh", "field_deg", "pixels")
        }
        assert made.z_source == tuple(config.survey.z_source)
        assert made.realisations == light.realisations_per_box
        hash(made)
    assert small.integrator == FixedSteps("bullfrog", default.simulation.integrator.steps)
    assert large.integrator == Adaptive("dopri5", 1e-5, 1e-5)
