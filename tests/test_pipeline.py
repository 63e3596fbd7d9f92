"""Maps of a box: what decides them, and their derivatives through the whole forward model."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import pipeline
from lenscast.batches import each_box
from lenscast.corrections import HPN
from lenscast.experiment import ConfigError, Experiment, complete, load, read
from lenscast.lensing import Systematics, redshift_distributions
from lenscast.parameters import COSMOLOGICAL
from lenscast.pipeline import Theta, fiducial
from lenscast.sections.box import AdaptiveSteps, FixedSteps

REPOSITORY = Path(__file__).parents[1]
BASE = str(REPOSITORY / "tests" / "workflow" / "config.yaml")
STEPS = dict(zip(COSMOLOGICAL, (0.005, 0.002, 0.01, 0.01, 0.01, 0.02, 0.05), strict=True))
VALUES = {"A_IA": 0.7, "eta": 1.2, "log10_T_AGN": 7.8, "delta_z_1": 0.01, "delta_z_2": -0.02, "m_1": 0.3}
SYSTEMATICS = Systematics.from_values(VALUES, sources=2)
SHARED = (*COSMOLOGICAL, "A_IA", "eta", "log10_T_AGN")
MAPS = jax.jit(pipeline.maps, static_argnums=2)
TANGENTS = jax.jit(pipeline.tangents, static_argnums=2)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two distributions of redshift between three rows of a table."""
    file = tmp_path_factory.mktemp("sources") / "n_of_z.txt"
    np.savetxt(file, np.transpose([[0.05, 0.15, 0.3, 0.42], [0.0, 2.0, 1.0, 0.0], [0.0, 0.5, 2.0, 0.0]]))
    return {"kind": "table", "file": str(file)}


@pytest.fixture(scope="module")
def experiment(sources):
    """Two maps of a box with cells of 75 Mpc/h.

    Particles stay in their cells, so that finite differences do not meet the kinks of clouds.
    """
    changes = {
        "simulation": {
            "box_size": 600.0,
            "particles": 8,
            "a_start": 0.2,
            "integrator": {"kind": "fastpm", "steps": 2},
        },
        "lightcone": {
            "slabs_per_box": 2,
            "planes": 4,
            "plane_mesh": 16,
            "field_deg": 10.0,
            "pixels": 16,
            "realisations_per_box": 2,
        },
        "survey": {"sources": sources, "n_gal": [20.0, 20.0]},
        "systematics": {"baryons": {"kind": "hmcode2020", "log10_T_AGN": 7.8}},
        "forecast": {"parameters": ["delta_z", *SHARED, "m"]},
    }
    return Experiment.model_validate(complete({"base": BASE, **changes}))


@pytest.fixture(scope="module")
def theta(parameters):
    return Theta(parameters, SYSTEMATICS)


@pytest.fixture(scope="module", params=["born", "ray_tracing"])
def single(request, experiment):
    """One realisation, with each projection."""
    return with_lightcone(experiment, realisations_per_box=1, projection=request.param)


def with_lightcone(experiment, **changes):
    return experiment.model_copy(update={"lightcone": experiment.lightcone.model_copy(update=changes)})


@pytest.fixture(scope="module")
def maps(theta, experiment):
    return MAPS(3, theta, experiment)


@pytest.fixture(scope="module")
def without_feedback(parameters):
    """Feedback is two thirds of a program, and acts on planes that are made: tests of other stages do without it."""
    values = {name: value for name, value in VALUES.items() if name != "log10_T_AGN"}
    return Theta(parameters, Systematics.from_values(values, sources=2))


@pytest.fixture(scope="module")
def plain(experiment, without_feedback):
    """Maps of an experiment of one parameter, without feedback, and this experiment."""
    forecast = experiment.forecast.model_copy(update={"parameters": ("Omega_c",)})
    described = experiment.model_copy(update={"forecast": forecast})
    return MAPS(3, without_feedback, described), described


@pytest.fixture(scope="module")
def derivatives(theta, single):
    assert single.tangents == ("delta_z", *SHARED)
    return TANGENTS(3, theta, single)


@pytest.mark.slow
def test_seeds_and_realisations_make_different_maps(theta, experiment, maps):
    other = MAPS(4, theta, experiment)
    np.testing.assert_array_equal(MAPS(3, theta, experiment), maps)
    fields = np.concatenate([maps, other])[:, 1]
    assert fields.std() > 1e-4
    for first, second in zip(*np.triu_indices(4, 1), strict=True):
        assert np.std(fields[first] - fields[second]) > 0.3 * fields.std()


@pytest.mark.slow
def test_boxes_side_by_side_are_those_alone(without_feedback, plain):
    maps, experiment = plain

    def program(seed, theta):
        return pipeline.maps(seed, theta, experiment)

    other, first = each_box(program, [4, 3], without_feedback, memory=2**33)
    np.testing.assert_allclose(first, maps, rtol=0, atol=2e-6 * np.abs(maps).max())
    assert np.abs(other - first).max() > 0.1 * np.abs(maps).max()


@pytest.mark.slow
def test_a_map_is_the_same_with_tangents_and_without_other_realisations(theta, single, maps, derivatives):
    assert derivatives.kappa.shape == (1, 2, 16, 16)
    assert derivatives.tangents.shape == (1, 10, 2, 16, 16)
    assert derivatives.shifts.shape == (1, 2, 16, 16)
    alone = MAPS(3, theta, single)
    # another program, in float32
    np.testing.assert_allclose(derivatives.kappa, alone, rtol=0, atol=2e-6 * np.abs(maps).max())
    if single.lightcone.projection == "born":
        np.testing.assert_allclose(alone, maps[:1], rtol=0, atol=2e-6 * np.abs(maps).max())


def shifted(theta, name, step):
    """Theta with another value of a cosmological parameter."""
    return theta._replace(cosmology=replace(theta.cosmology, **{name: getattr(theta.cosmology, name) + step}))


@pytest.mark.slow
@pytest.mark.parametrize("name", COSMOLOGICAL)
def test_tangents_agree_with_differences_of_the_whole_model(theta, single, derivatives, name):
    step, tangent = STEPS[name], derivatives.tangents[:, COSMOLOGICAL.index(name)]
    ends = [MAPS(3, shifted(theta, name, sign * step), single) for sign in (1, -1)]
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
def test_tangents_of_systematics_agree_with_differences(theta, single, derivatives, name, step):
    def central(step):
        sides = [Systematics.from_values(VALUES | {name: VALUES[name] + sign * step}, 2) for sign in (1, -1)]
        ends = [np.asarray(MAPS(3, theta._replace(systematics=each), single), np.float64) for each in sides]
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
def test_maps_and_tangents_follow_a_correction(without_feedback, plain):
    correction, name, step = HPN.initial(jax.random.key(0), (-4.0, 0.0)), "Omega_c", STEPS["Omega_c"]
    maps, experiment = plain
    derived = jax.jit(lambda theta: pipeline.tangents(3, theta, experiment, correction))
    kappa, tangents, shifts = derived(without_feedback)
    assert shifts is None
    assert np.std(kappa - maps) > 1e-3 * np.std(maps)
    ends = [derived(shifted(without_feedback, name, sign * step)).kappa for sign in (1, -1)]
    difference = (ends[0] - ends[1]) / (2 * step)
    assert np.linalg.norm(tangents[:, 0] - difference) < 3e-3 * np.linalg.norm(difference)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["h", "Omega_x"], r"forecast\.parameters\[1\]: Omega_x is not a parameter"),
        (["h", "log10_T_AGN"], r"forecast\.parameters: log10_T_AGN needs baryons"),
        (["A_IA"], r"forecast\.parameters: none is cosmological; add one or more of Omega_c"),
    ],
)
def test_derivatives_refuse_what_is_no_parameter_of_the_maps(names, match):
    with pytest.raises(ConfigError, match=match):
        load({"base": BASE, "forecast": {"parameters": names}})


def test_theta_is_fiducial_or_has_the_values_of_a_finite_difference(experiment):
    theta = fiducial(experiment)
    np.testing.assert_allclose(vars(theta.cosmology)["sigma8"], experiment.cosmology.sigma8)
    assert float(theta.systematics.log10_T_AGN) == 7.8
    np.testing.assert_array_equal(theta.systematics.delta_z, [0.0, 0.0])
    higher = fiducial(experiment, experiment.fiducial | {"sigma8": 0.9, "delta_z_2": 0.1, "m_1": 0.2})
    assert float(higher.cosmology.sigma8) == 0.9
    np.testing.assert_array_equal(higher.systematics.delta_z, [0.0, 0.1])
    np.testing.assert_array_equal(higher.systematics.m, [0.2, 0.0])
    ends = {f"sigma8_{end}" for end in ("plus", "minus", "plus_half", "minus_half")}
    assert ends <= experiment.cosmologies.keys()


def test_experiments_follow_their_config():
    small, large = (read(REPOSITORY / path) for path in ("config.yaml", "configs/dll.yaml"))
    for made in (small, large):
        assert made.lightcone.box_size == made.simulation.box_size
        np.testing.assert_array_equal(redshift_distributions(made.survey.sources).mean, made.survey.sources.z)
        hash(made)
    assert small != large
    assert small == read(REPOSITORY / "config.yaml")
    assert hash(small) == hash(read(REPOSITORY / "config.yaml"))
    assert small.simulation.integrator == FixedSteps(kind="bullfrog", steps=small.simulation.integrator.steps)
    assert large.simulation.integrator == AdaptiveSteps(kind="dopri5", rtol=1e-5, atol=1e-5)
