"""The lattice of particles that are far apart: predicted from the displacements of linear theory, and seen in maps."""

import jax
import numpy as np
import pytest

from lenscast import pipeline
from lenscast.experiment import load, remarks
from lenscast.experiment.lattice import lattice_remarks, map_variance
from lenscast.experiment.strict_yaml import read_yaml

BOXES = 48


@pytest.fixture
def coarse(changed):
    """The default experiment with few particles, whose maps show their lattice or not."""

    def experiment(particles: int, plane_mesh: int):
        keys = {
            "simulation.particles": particles,
            "simulation.integrator": {"kind": "bullfrog", "steps": 3},
            "simulation.correction": {"kind": "none"},
            "lightcone.slabs_per_box": 1,
            "lightcone.planes": 12,
            "lightcone.plane_mesh": plane_mesh,
            "lightcone.pixels": 32,
            "survey.sources": {"kind": "planes", "z": [0.8]},
            "survey.n_gal": [20.0],
            "statistics": {"power_spectrum": {"ell_edges": [144, 360, 576, 792, 1008]}},
            "forecast.data_vectors": {"C_ell": ["power_spectrum"]},
            "resolution.levels": [],
        }
        return load(changed(keys))

    return experiment


@pytest.mark.parametrize(("particles", "plane_mesh"), [(8, 16), (16, 32), (16, 40), (16, 16)])
def test_mean_map_of_many_boxes_has_the_variance_of_the_lattice(particles, plane_mesh, coarse) -> None:
    experiment = coarse(particles, plane_mesh)
    theta, view = pipeline.fiducial(experiment), pipeline.view_of(0, 0, experiment)

    @jax.jit
    def convergence(noise):
        planes = pipeline.planes_from_noise(noise, theta.cosmology, experiment, None, None, None)
        return pipeline.seen(pipeline.lenses(planes, theta, experiment), view, experiment)

    noise = np.random.default_rng(0).standard_normal((BOXES, particles, particles, particles), np.float32)
    maps = np.array([convergence(each) for each in noise])[:, 0]
    variance = float(maps.var(axis=0, ddof=1, dtype=np.float64).mean())
    mean = float((maps.mean(axis=0, dtype=np.float64) ** 2).mean()) - variance / BOXES
    expected = map_variance(experiment)
    # displacements are those of linear theory, and the scatter of the mean over few modes is known to a third
    assert mean == pytest.approx(expected.lattice[0], rel=0.35, abs=0.8 * variance / BOXES)
    # a mesh finer than the lattice resolves single particles, whose clumps add to the variance of matter
    assert variance > 0.7 * expected.matter[0]
    if plane_mesh == particles:
        assert variance < 1.2 * expected.matter[0]


def test_lattice_in_the_maps_is_remarked_on_with_what_to_change(coarse) -> None:
    (line,) = remarks(coarse(16, 32))
    assert line.startswith(
        "lightcone.plane_mesh: the lattice of particles 12.8 Mpc/h apart is in the maps of source bin 1, with 0.4"
    )
    assert line.endswith("of the variance of matter; lower to 16, or raise simulation.particles to 24")
    assert not [*remarks(coarse(16, 16))]
    assert not [*remarks(coarse(24, 32))]


@pytest.mark.parametrize("path", ["config.yaml", "configs/*.yaml", "docs/tutorials/[los]*.yaml"])
def test_configs_of_the_project_show_no_lattice(path, repository) -> None:
    files = [each for each in repository.glob(path) if not each.name.startswith("training")]
    assert files
    for each in files:
        assert not [*lattice_remarks(load(read_yaml(each), str(each), each.parent))]
