"""The experiment: frozen and hashable, free of JAX, and what follows from several of its sections at once."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lenscast.experiment import Experiment, load, read
from lenscast.experiment.observation import data_length, observation, region
from lenscast.geometry import comoving_distance
from lenscast.statistics import Observation, ShapeNoise

SMAIL = {"kind": "smail", "z0": 0.13, "alpha": 0.78, "bins": 2, "sigma_z": 0.05, "z_max": 0.9}


def test_experiment_import_is_free_of_jax(repository: Path) -> None:
    code = f"""
import sys, lenscast.experiment, lenscast.experiment.campaigns, lenscast.experiment.disk
lenscast.experiment.disk.batch_bytes(lenscast.experiment.read({str(repository / "config.yaml")!r}))
sys.exit('jax' in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_experiment_is_frozen(experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="frozen"):
        experiment.run = "other"


def test_experiment_survives_a_round_trip(experiment: Experiment) -> None:
    assert load(experiment.model_dump(mode="json", exclude_none=True)) == experiment


def test_equal_experiments_have_equal_hashes(experiment: Experiment, default, changed) -> None:
    same, other = load(default), load(changed({"survey.area_deg2": 10.0}))
    assert same == experiment
    assert hash(same) == hash(experiment)
    assert other != experiment
    assert len({experiment, same, other}) == 2


def test_the_order_of_the_statistics_is_part_of_an_experiment(experiment: Experiment, default) -> None:
    # it is the order of the data vector: a compiled program of one order must not serve the other
    turned = load({**default, "statistics": dict(reversed(default["statistics"].items()))})
    assert turned.statistics == experiment.statistics
    assert turned != experiment


def test_experiment_is_a_static_argument_of_jit(experiment: Experiment, default, changed) -> None:
    import jax
    import jax.numpy as jnp

    traced = []

    def area(pixel: jax.Array, experiment: Experiment) -> jax.Array:
        traced.append(experiment.run)
        return pixel * experiment.lightcone.pixels**2

    compiled = jax.jit(area, static_argnames="experiment")
    runs = [experiment, load(default), load(changed({"lightcone.pixels": 128}))]
    assert [float(compiled(jnp.ones(()), experiment=each)) for each in runs] == [256.0**2, 256.0**2, 128.0**2]
    assert len(traced) == 2


def test_sections_of_an_experiment_are_what_the_physics_takes(experiment: Experiment) -> None:
    assert experiment.lightcone.box_size == experiment.simulation.box_size
    assert experiment.lightcone.thickness == experiment.simulation.box_size / experiment.lightcone.slabs_per_box
    assert "box_size" not in experiment.model_dump()["lightcone"]


def test_cosmologies_are_fiducial_and_shifted(experiment: Experiment, default) -> None:
    cosmologies = experiment.cosmologies
    assert len(cosmologies) == 1 + 4 * len(experiment.forecast.parameters)
    assert cosmologies["fiducial"] == experiment.fiducial
    of_source = dict.fromkeys(["delta_z_1", "delta_z_2", "m_1", "m_2"], 0.0)
    assert experiment.fiducial == {**default["cosmology"], "A_IA": 0.0, "eta": 0.0, **of_source}
    step = default["finite_differences"]["steps"]["w0"]
    assert cosmologies["w0_plus"] == {**experiment.fiducial, "w0": pytest.approx(-1 + step)}
    assert cosmologies["w0_minus"] == {**experiment.fiducial, "w0": pytest.approx(-1 - step)}
    assert cosmologies["w0_plus_half"] == {**experiment.fiducial, "w0": pytest.approx(-1 + step / 2)}
    assert cosmologies["w0_minus_half"] == {**experiment.fiducial, "w0": pytest.approx(-1 - step / 2)}


def test_batches_are_fixed_ranges_of_seeds(experiment: Experiment, changed) -> None:
    assert list(experiment.batches["covariance"])[:2] == ["seeds_100000_100007", "seeds_100008_100015"]
    for section in ("covariance", "derivatives"):
        seeds = [seed for batch in experiment.batches[section].values() for seed in batch]
        assert seeds == list(getattr(experiment, section).seeds)
    derivatives = experiment.batches["derivatives"].items()
    assert experiment.batches["finite_differences"].items() <= derivatives
    more = load(changed({"derivatives.boxes": 56})).batches["derivatives"].items()
    assert derivatives < more
    fewer = load(changed({"left_out_seeds": [0, *range(8, 16)]})).batches["derivatives"].items()
    assert derivatives - fewer == {("seeds_8_15", range(8, 16))}


def test_validation_has_a_box_per_batch_and_planes_behind_its_sources(experiment: Experiment) -> None:
    batches = experiment.batches["validation"]
    first, boxes = experiment.validation.first_seed, experiment.validation.boxes
    assert [list(seeds) for seeds in batches.values()] == [[first + i] for i in range(boxes)]
    thickness = 50.0
    end = experiment.validation.planes(experiment.cosmology, thickness) * thickness
    chi = comoving_distance(experiment.validation.z_source[-1], experiment.cosmology)
    assert end - thickness < chi <= end


def test_variants_share_phases_planes_and_sources(experiment: Experiment, changed) -> None:
    aligned = load(changed({"systematics.A_IA": 1.0, "lightcone.projection": "ray_tracing"}))
    plain, corrected, refined, born, traced = (
        aligned.variant(name) for name in ("plain", "corrected", "refined", "born", "ray_tracing")
    )
    assert {each.simulation.noise_size for each in (plain, corrected, refined, born, traced)} == {256}
    assert {each.lightcone.planes for each in (plain, refined)} == {planes_of_the_validation(aligned)}
    assert (plain.simulation.correction.kind, corrected.simulation.correction.kind) == ("none", "hpn")
    assert (refined.simulation.particles, refined.simulation.correction.kind) == (256, "none")
    assert refined.simulation.integrator == aligned.validation.integrator
    assert [each.lightcone.projection for each in (corrected, born, traced)] == ["ray_tracing", "born", "ray_tracing"]
    assert plain.survey.sources.z == aligned.validation.z_source
    assert plain.survey.n_gal == len(plain.survey.sources.z) * (10.0,)
    assert plain.systematics.values == {"A_IA": 0.0, "eta": 0.0}
    assert aligned.systematics.values == {"A_IA": 1.0, "eta": 0.0}


def planes_of_the_validation(experiment: Experiment) -> int:
    """Planes up to the farthest source of the validation."""
    return experiment.validation.planes(experiment.cosmology, experiment.lightcone.thickness)


def test_measuring_keeps_the_named_statistics_in_this_order(experiment: Experiment) -> None:
    assert list(experiment.measuring("peaks", "power_spectrum").statistics) == ["peaks", "power_spectrum"]


@pytest.mark.parametrize("stencil", ["pixel", "scale"])
def test_region_and_length_agree_with_the_statistics(stencil: str, changed) -> None:
    survey = {"survey.sources.z": [0.5, 0.914], "survey.n_gal": [9, 7]}
    experiment = load(changed({"statistics.peaks.stencil": stencil} | survey))
    reach = {"pixel": 30 + 1, "scale": 30 + 8}[stencil]  # of the starlet and of the neighbours on level 4
    shared = region(experiment)
    assert shared.border == reach
    assert shared.pixel_arcmin == experiment.lightcone.pixel_arcmin
    observed = observation(experiment)
    assert observed.region == shared
    assert observed.noise.sources == 2
    lengths = {name: len(each.bins(observed)) for name, each in experiment.statistics.items()}
    assert lengths == {"power_spectrum": 3 * 4, "starlet_power_spectrum": 2 * 3 * 4, "peaks": 2 * 2 * 8}
    assert data_length(experiment, ["power_spectrum", "peaks"]) == 3 * 4 + 2 * 2 * 8
    nominal = Observation(shared, ShapeNoise((1.0, 1.0)))
    assert [each.bins(nominal) for each in experiment.statistics.values()] == [
        each.bins(observed) for each in experiment.statistics.values()
    ]


def test_parameters_of_each_source_have_its_number(changed) -> None:
    experiment = load(
        changed(
            {
                "survey.sources": SMAIL,
                "survey.n_gal": [9, 7],
                "systematics.A_IA": 0.5,
                "systematics.baryons": {"kind": "hmcode2020", "log10_T_AGN": 7.8},
                "forecast.parameters": ["h", "A_IA", "log10_T_AGN", "delta_z", "m"],
                "forecast.priors": {"delta_z": [0.002, 0.003], "m": 0.01},
                "finite_differences.steps": {"h": 0.01, "delta_z": 0.02},
            }
        )
    )
    assert experiment.parameters == ("h", "A_IA", "log10_T_AGN", "delta_z_1", "delta_z_2", "m_1", "m_2")
    assert experiment.nuisance == experiment.parameters[1:]
    assert experiment.tangents == ("h", "A_IA", "log10_T_AGN", "delta_z")
    assert experiment.priors == {"delta_z_1": 0.002, "delta_z_2": 0.003, "m_1": 0.01, "m_2": 0.01}
    assert experiment.steps == {"h": 0.01, "delta_z_1": 0.02, "delta_z_2": 0.02}
    assert experiment.fiducial["log10_T_AGN"] == 7.8
    assert len(experiment.cosmologies) == 1 + 4 * 3
    assert experiment.cosmologies["delta_z_2_minus_half"] == experiment.fiducial | {"delta_z_2": -0.01}


def test_sources_are_read_from_a_table(tmp_path: Path, changed) -> None:
    file = tmp_path / "n_of_z.txt"
    file.write_text("# z, n\n0.1 0 0\n0.5 1 0\n0.8 0 3\n0.9 0 0\n")
    experiment = load(changed({"survey.sources": {"kind": "table", "file": str(file)}, "survey.n_gal": [9, 7]}))
    assert experiment.survey.sources.number == 2
    assert experiment.survey.sources.z_max == 0.9
    assert load(experiment.model_dump(mode="json", exclude_none=True)).survey == experiment.survey


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot read .*; give the path of a text file of numbers in columns"),
        ("0.1 x\n", "cannot read .*; give a text file of numbers in columns"),
        ("0.1 1\n", "has 1 rows and 2 columns; 2 is the least of both"),
        (
            "0.1 1\n0.1 2\n",
            "redshifts in the first column must increase, but 0.1 in line 2 follows 0.1; sort",
        ),
        ("0.1 1\n0.2 -2\n", r"has n\(z\) = -2 in line 2, column 2; give 0 or more"),
        ("0.1 1 0\n0.2 2 0\n", r"has n\(z\) of 0 everywhere in column 3; give its galaxies, or remove it"),
    ],
    ids=["none", "text", "short", "unsorted", "negative", "empty source"],
)
def test_a_table_of_sources_that_is_none_is_refused(tmp_path: Path, text: str | None, expected: str, refusal) -> None:
    file = tmp_path / "n_of_z.txt"
    if text is not None:
        file.write_text(text)
    (line,) = refusal({"survey.sources": {"kind": "table", "file": str(file)}})
    assert line.startswith("survey.sources: ")
    assert re.search(expected, line)


def test_depth_enters_the_observation(tmp_path: Path, changed) -> None:
    depth = np.ones((256, 256))
    depth[:20] = 0
    np.save(tmp_path / "depth.npy", depth)
    section = {"kind": "map", "file": str(tmp_path / "depth.npy"), "max_masked": 0.2}
    noise = observation(load(changed({"survey.depth": section}))).noise
    np.testing.assert_array_equal(noise.depth, depth)
    assert noise.max_masked == 0.2


def test_an_unknown_variant_is_refused(repository: Path) -> None:
    with pytest.raises(ValueError, match="variant 'refine': give one of plain, corrected, refined, born, ray_tracing"):
        read(repository / "config.yaml").variant("refine")


def test_levels_of_resolution_are_half_as_fine_with_the_same_phases(experiment: Experiment, changed) -> None:
    coarse, slow = experiment.coarser("particles"), experiment.coarser("steps")
    assert (coarse.simulation.particles, coarse.simulation.noise_size, coarse.lightcone.plane_mesh) == (64, 128, 256)
    assert coarse.simulation.integrator == experiment.simulation.integrator
    assert slow.simulation.integrator.steps == 6
    assert slow.lightcone == experiment.lightcone
    assert slow.simulation.particles == 128
    smooth = experiment.coarser("plane_mesh")
    assert smooth.lightcone.plane_mesh == 256
    assert smooth.simulation == experiment.simulation
    adaptive = load(changed({"simulation.integrator": {"kind": "tsit5", "rtol": 1e-4, "atol": 1e-5}}))
    found = adaptive.coarser("steps").simulation.integrator
    assert (found.rtol, found.atol) == pytest.approx((1e-3, 1e-4))
    finer = load(changed({"simulation.noise_size": 256}))
    assert finer.coarser("particles").simulation.noise_size == 256
    with pytest.raises(ValueError, match="level 'planes': give particles, steps or plane_mesh"):
        experiment.coarser("planes")
    assert list(experiment.batches["resolution"].values()) == [range(4)]
    assert experiment.batches["coarse_only"] == {}
    two_levels = {"boxes": 24, "levels": ["particles"], "coarse_only": {"first_seed": 400000, "boxes": 16}}
    batches = load(changed({"resolution": two_levels, "left_out_seeds": [400003]})).batches["coarse_only"]
    assert batches == {
        "seeds_400000_400007": range(400000, 400008),
        "seeds_400008_400015": range(400008, 400016),
    }
