"""Mean data vector of a box and its Jacobian: exact over views where two points are enough, else over maps."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import pipeline
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.expectation import _over_maps, correlations, two_point
from lenscast.experiment import Experiment, complete
from lenscast.experiment.observation import observation
from lenscast.lens_tangents import cosmological_tangents, lens_tangents
from lenscast.measurement import mean_over_views
from lenscast.model import PlanesAndTangents
from lenscast.pipeline import fiducial

BASE = str(Path(__file__).parent / "workflow" / "config.yaml")
STEPS = {"Omega_c": 0.005, "sigma8": 0.01, "A_IA": 0.5, "log10_T_AGN": 0.05, "delta_z_1": 2e-3, "delta_z_2": 2e-3}
STEPS |= {"m_1": 0.01, "m_2": 0.01}


@pytest.fixture(scope="module")
def experiment():
    """Two sources behind a box with cells of 75 Mpc/h, which particles do not leave: differences meet no kinks."""
    edges = [36.0, 120.0, 280.0]
    changes = {
        "simulation": {
            "box_size": 600.0,
            "particles": 8,
            "a_start": 0.2,
            "integrator": {"kind": "fastpm", "steps": 2},
        },
        "lightcone": {"slabs_per_box": 2, "planes": 6, "plane_mesh": 32, "field_deg": 10.0, "pixels": 16},
        "survey": {"sources": {"kind": "planes", "z": [0.4, 0.6]}, "n_gal": [20.0, 20.0]},
        "systematics": {"A_IA": 0.7, "baryons": {"kind": "hmcode2020", "log10_T_AGN": 7.8}},
        "statistics": {
            "power_spectrum": {"ell_edges": edges},
            "starlet_power_spectrum": {"ell_edges": edges, "scales_arcmin": [75.0]},
            "peaks": {"scales_arcmin": [75.0], "snr_edges": [0.0, 1.0], "stencil": "pixel", "counts": "hard"},
        },
        "derivatives": {"views": 200, "noise_realisations": 1},
        "forecast": {
            "parameters": ["delta_z", "sigma8", "A_IA", "Omega_c", "log10_T_AGN", "m"],
            "data_vectors": {"C_ell": ["power_spectrum"]},
            "priors": {},
        },
    }
    made = complete({"base": BASE, **changes})
    made["statistics"], made["forecast"]["priors"] = changes["statistics"], {}
    made["forecast"]["data_vectors"] = changes["forecast"]["data_vectors"]
    return Experiment.model_validate(made)


@pytest.fixture(scope="module")
def boxes(experiment):
    return jax.jit(lambda p: pipeline.planes_and_tangents(3, p, experiment))(fiducial(experiment).cosmology)


@pytest.fixture(scope="module")
def measured(experiment, boxes):
    return jax.jit(lambda planes, theta: pipeline.measure(planes, 3, theta, experiment))(boxes, fiducial(experiment))


@pytest.mark.slow
def test_jacobian_of_spectra_agrees_with_differences_of_the_whole_model(experiment, measured):
    spectra = experiment.measuring("power_spectrum", "starlet_power_spectrum")
    rows = np.isin(bin_table(experiment)["statistic"], list(spectra.statistics))
    observed, names = observation(experiment), jacobian_parameters(experiment)
    assert names == ("sigma8", "A_IA", "Omega_c", "log10_T_AGN", "delta_z_1", "delta_z_2", "m_1", "m_2")

    @jax.jit
    def mean(theta):
        made = pipeline.lenses(pipeline.planes(3, theta.cosmology, experiment), theta, experiment)
        m, first = theta.systematics.m, np.triu_indices(2)
        of_maps = correlations(made, experiment) * ((1 + m[first[0]]) * (1 + m[first[1]]))[:, None, None]
        return [each.from_correlation(of_maps, observed) for each in spectra.statistics.values()]

    for row, name in enumerate(names):
        ends = []
        for sign in (1, -1):
            values = experiment.fiducial
            ends.append(np.concatenate(mean(fiducial(experiment, values | {name: values[name] + sign * STEPS[name]}))))
        difference, found = (ends[0] - ends[1]) / (2 * STEPS[name]), measured.jacobian[row, rows]
        # third order of the step, and rounding of planes over the step, 1e-7 x 2 C / step
        assert np.linalg.norm(found - difference) < 5e-3 * np.linalg.norm(difference), name


@pytest.mark.slow
def test_spectra_of_all_views_are_those_of_many_maps(experiment, boxes, measured):
    name, theta = "power_spectrum", fiducial(experiment)
    one_view = experiment.derivatives.model_copy(update={"views": 1})
    single = experiment.model_copy(update={"derivatives": one_view})

    @jax.jit
    def views(planes):
        lenses = lens_tangents(planes, theta, experiment)
        return jax.lax.map(lambda seed: _over_maps(lenses, [name], seed, single)[name], jnp.arange(200))

    views = views(boxes)
    count = views.summary.shape[1]
    for maps, exact in (
        (views.summary, measured.summary[:count]),
        (views.jacobian, measured.jacobian[:, :count]),
    ):
        error = np.std(maps, axis=0, ddof=1) / np.sqrt(len(maps))
        # a parameter of one source leaves the spectra of the other as they are
        moved = np.asarray(exact) != 0
        z = (np.mean(maps, axis=0) - exact)[moved] / error[moved]
        assert np.abs(z).max() < 4.8  # of 54 numbers: once in 10^4 runs
        assert np.median(error[moved] / np.abs(exact)[moved]) < 0.1


@pytest.mark.slow
def test_boxes_of_the_covariance_have_the_same_means(experiment, boxes, measured):
    theta = fiducial(experiment)
    correlation = correlations(pipeline.lenses(boxes.planes, theta, experiment), experiment)
    of_maps = jnp.ones((2, len(bin_table(experiment))))
    mean = mean_over_views(of_maps, correlation, theta.systematics.m, experiment)
    is_peak = (bin_table(experiment)["statistic"] == "peaks").to_numpy()
    np.testing.assert_allclose(mean[~is_peak], measured.summary[~is_peak], rtol=1e-5)
    np.testing.assert_array_equal(mean[is_peak], 1.0)
    np.testing.assert_array_equal(mean_over_views(of_maps, None, theta.systematics.m, experiment), 1.0)


@pytest.mark.slow
def test_planes_bring_the_derivatives_of_cosmology_only(experiment, boxes):
    assert isinstance(boxes, PlanesAndTangents)
    assert cosmological_tangents(experiment) == ("sigma8", "Omega_c")
    assert boxes.tangents.shape == (2, *boxes.planes.shape)


def test_spectra_are_averaged_over_maps_where_planes_deflect_rays(experiment):
    assert [*two_point(experiment)] == ["power_spectrum", "starlet_power_spectrum"]
    traced = experiment.lightcone.model_copy(update={"projection": "ray_tracing"})
    assert two_point(experiment.model_copy(update={"lightcone": traced})) == {}
