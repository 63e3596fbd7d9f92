"""A change of the config makes again what depends on it, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenscast.experiment import Experiment, dependence, load

KINDS: dict[str, Callable[[Experiment, dict[str, float]], dict[str, Any]]] = {
    "planes": dependence.planes,
    "views": lambda experiment, values: dependence.views(dependence.maps(experiment, values)),
    "maps": dependence.maps,
    "summaries": dependence.summaries,
    "prior": lambda experiment, values: dependence.prior_boxes(experiment),
    "learnt": lambda experiment, values: dependence.learnt_posterior(experiment),
}
FROM_PLANES = {"planes", "views", "maps"}
CHANGES = [
    ({"cosmology.h": 0.7}, FROM_PLANES),
    ({"simulation.integrator.steps": 13}, FROM_PLANES),
    ({"simulation.correction": {"kind": "none"}}, FROM_PLANES),
    ({"lightcone.plane_mesh": 256}, FROM_PLANES),
    ({"lightcone.projection": "ray_tracing"}, {"views", "maps"}),
    ({"survey.sources.z": [0.6, 1.0]}, {"views", "maps"}),
    ({"systematics.A_IA": 0.5}, {"views", "maps"}),
    ({"systematics.z_pivot": 0.5}, {"views", "maps"}),
    ({"lightcone.realisations_per_box": 4}, {"maps"}),
    ({"lightcone.field_deg": 4.9}, {"views", "maps", "summaries"}),
    ({"survey.sigma_e": 0.3}, {"summaries"}),
    ({"survey.n_gal": [10.0, 11.0]}, {"summaries"}),
    ({"statistics.peaks.snr_edges": [0.0, 1.5, 3.0]}, {"summaries"}),
    ({"survey.area_deg2": 14000.0}, set()),
    ({"forecast.priors.w0": 0.5}, {"prior"}),
    ({"simulation_based": {"compression": "none"}}, {"learnt"}),
    ({"simulation_based": {"seed": 1}}, {"prior", "learnt"}),
    ({"simulation_based": {"flows": 2}}, set()),
    ({"run": "another", "covariance.boxes": 56, "derivatives.boxes": 32}, set()),
]


@pytest.mark.parametrize(("changes", "expected"), CHANGES, ids=lambda value: ",".join(sorted(value)))
def test_change_of_the_config_changes_what_depends_on_it(experiment, changed, changes, expected) -> None:
    other = load(changed(changes))
    moved = {name for name, of in KINDS.items() if of(experiment, experiment.fiducial) != of(other, other.fiducial)}
    assert moved == expected


def test_calibration_enters_in_summaries_alone(experiment) -> None:
    shifted = {**experiment.fiducial, "m_1": 0.01}
    moved = {name for name, of in KINDS.items() if of(experiment, experiment.fiducial) != of(experiment, shifted)}
    assert moved == {"summaries"}


def test_dependence_is_what_files_can_carry(experiment) -> None:
    for of in KINDS.values():
        found = of(experiment, experiment.fiducial)
        assert json.loads(json.dumps(found)) == found


def test_only_named_statistics_count(experiment) -> None:
    assert [*dependence.summaries(experiment, experiment.fiducial, ["peaks"])["statistics"]] == ["peaks"]


def test_depth_counts_by_content(changed, tmp_path: Path) -> None:
    def described(name: str, depth: float) -> dict[str, Any]:
        np.save(tmp_path / name, np.full((256, 256), depth))
        found = load(changed({"survey.depth": {"kind": "map", "file": str(tmp_path / name), "max_masked": 0.1}}))
        return dependence.summaries(found, found.fiducial)

    first = described("a.npy", 1.0)
    assert described("b.npy", 1.0) == first
    assert described("c.npy", 0.9) != first


def test_weights_count_by_content_unless_the_workflow_makes_them(experiment) -> None:
    inputs = dependence.planes(experiment, experiment.fiducial, made_here=["hpn"])
    assert inputs["simulation"]["correction"]["weights"] == "hpn"
    assert dependence.planes(experiment, experiment.fiducial)["simulation"]["correction"]["weights"] != "hpn"
