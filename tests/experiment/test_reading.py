"""Reading a config: files that load, keys, types and ranges that are refused, and what the errors say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lenscast.experiment import ConfigError, load, read, read_training
from lenscast.statistics.registry import STATISTICS

REPOSITORY = Path(__file__).resolve().parents[2]
PEAKS = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["statistics"]["peaks"]
TRAINING = yaml.safe_load((REPOSITORY / "configs/training.yaml").read_text())


@pytest.mark.parametrize("path", ["config.yaml", *(f"configs/{p.name}" for p in REPOSITORY.glob("configs/*.yaml"))])
def test_config_files_load(path: str) -> None:
    function = read_training if path.startswith("configs/training") else read
    assert function(REPOSITORY / path).run


def test_config_reads_numbers_that_yaml_takes_for_strings(changed) -> None:
    mapping = yaml.safe_load("{rtol: 1e-5, atol: '1e-4', first_seed: 1e5, prior: 2e-1, z: 9e-1}")
    assert isinstance(mapping["rtol"], str)
    experiment = load(
        changed(
            {
                "simulation.integrator": {"kind": "tsit5", "rtol": mapping["rtol"], "atol": mapping["atol"]},
                "simulation.mesh_factor": "2",
                "covariance.first_seed": mapping["first_seed"],
                "forecast.priors.Omega_c": mapping["prior"],
                "survey.sources.z": [0.5, mapping["z"]],
            }
        )
    )
    assert (experiment.simulation.integrator.rtol, experiment.simulation.integrator.atol) == (1e-5, 1e-4)
    assert experiment.simulation.mesh_factor == 2
    assert experiment.covariance.first_seed == 100000
    assert experiment.forecast.priors["Omega_c"] == 0.2
    assert experiment.survey.sources.z == (0.5, 0.9)


def test_config_fills_in_the_keys_that_have_a_default(changed) -> None:
    integrator = {"kind": "dopri5", "rtol": 1e-4, "atol": 1e-4}
    experiment = load(changed({"simulation.integrator": integrator, "lightcone.projection": ...}))
    assert experiment.simulation.integrator.max_steps == 512
    assert experiment.simulation.noise_size is None
    assert experiment.lightcone.projection == "born"
    assert {each.kind for each in experiment.statistics.values()} == {None}


REFUSALS = {
    "unknown key": ({"survey.sigma_eps": 0.3}, "survey.sigma_eps: unknown key; did you mean sigma_e?"),
    "misspelt key": (
        {"lightcone.Pixel": 256, "lightcone.pixels": ...},
        "lightcone.Pixel: unknown key; did you mean pixels?",
    ),
    "bins that are not Gaussian": (
        {"forecast.drop_bins": "resolved"},
        "forecast.drop_bins: 'resolved' given; must be one of none, auto (none, or auto: bins beyond the limits of "
        "gaussian_bins are left out)",
    ),
    "limit of the skewness": (
        {"forecast.gaussian_bins": {"max_skewness": 0}},
        "forecast.gaussian_bins.max_skewness: 0 given; must be a number > 0 and <= 100 (largest "
        "|skewness| of a bin over maps)",
    ),
    "unlike key": (
        {"covariance.maps": 5},
        "covariance.maps: unknown key; allowed: first_seed, boxes",
    ),
    "missing key": (
        {"survey.n_gal": ...},
        "survey.n_gal: missing; give a list of 1 or more (galaxies per arcmin^2 of each source)",
    ),
    "missing section": (
        {"survey": ...},
        "survey: missing; give a section with sources, area_deg2, sigma_e, n_gal, depth "
        "(Sources, shape noise and sky area.)",
    ),
    "wrong type": (
        {"lightcone.pixels": "many"},
        "lightcone.pixels: 'many' given; must be an integer, a multiple of 2, >= 16 and <= 32768 "
        "(pixels per side of the map)",
    ),
    "boolean": (
        {"cosmology.h": True},
        "cosmology.h: 'True (a boolean)' given; must be a number >= 0.2 and <= 2 (Hubble constant [100 km/s/Mpc])",
    ),
    "infinite": (
        {"survey.area_deg2": float("inf")},
        "survey.area_deg2: inf given; must be a number >= 0.001 and <= 41253 (survey area that is not masked [deg^2])",
    ),
    "range": (
        {"simulation.a_start": 1.5},
        "simulation.a_start: 1.5 given; must be a number >= 0.001 and < 1 (scale factor of the LPT start)",
    ),
    "item of a list": (
        {"survey.sources.z": [-1]},
        "survey.sources.z[0]: -1 given; must be a number >= 0.001 and <= 20",
    ),
    "empty list": (
        {"survey.sources.z": []},
        "survey.sources.z: [] given; must be a list of 1 or more (redshifts of the sources, increasing)",
    ),
    "choice": (
        {"simulation.mesh_factor": 3},
        "simulation.mesh_factor: 3 given; must be one of 1, 2 (force mesh points per particle spacing)",
    ),
    "run name": (
        {"run": "my-run"},
        "run: 'my-run' given; must be a name of at most 100 letters, digits and _ "
        "(name of the run; outputs go to results/<run>/)",
    ),
    "no dark energy": (
        {"cosmology.Omega_c": 0.96},
        "cosmology: Omega_c + Omega_b = 1.0086 leaves no dark energy; keep it below 1",
    ),
    "early dark energy": (
        {"cosmology.wa": 1.5},
        "cosmology: w0 + wa = 0.5 lets dark energy dominate early; keep it below 0",
    ),
    "solver": (
        {"simulation.integrator.kind": "rk4"},
        "simulation.integrator.kind: 'rk4' given; must be one of bullfrog, dopri5, fastpm, tsit5 "
        "(time integration: bullfrog and fastpm have steps, tsit5 and dopri5 have rtol and atol)",
    ),
    "weights that are not shipped": (
        {"simulation.correction": {"kind": "hpn", "weights": "hpm"}},
        "simulation.correction.weights: no weights hpm come with the package; did you mean hpn?; a path has a / in it "
        "or ends in .json",
    ),
    "correction without weights": (
        {"simulation.correction": {"kind": "pgd"}},
        "simulation.correction.weights: missing; give a text "
        "(name of weights that come with the package, or path of a file that `train_correction` made)",
    ),
    "correction": (
        {"simulation.correction.kind": "neural"},
        "simulation.correction.kind: 'neural' given; must be one of hpn, none, pgd "
        "(correction of small scales: none, or hpn and pgd, which have weights)",
    ),
    "key of another solver": (
        {"simulation.integrator": {"kind": "dopri5", "rtol": 1e-5, "atol": 1e-5, "steps": 12}},
        "simulation.integrator.steps: unknown key; did you mean max_steps?",
    ),
    "key of a solver missing": (
        {"simulation.integrator": {"kind": "fastpm"}},
        "simulation.integrator.steps: missing; give an integer >= 1 and <= 10000 "
        "(number of steps from a_start to the last output)",
    ),
    "soft counts without width": (
        {"statistics.peaks.counts": "soft"},
        "statistics.peaks: counts = soft without a softness; add one such as softness: 0.1, or give counts: hard",
    ),
    "hard counts with width": (
        {"statistics.peaks.softness": 0.1},
        "statistics.peaks: counts = hard with softness = 0.1; remove softness, or give counts: soft",
    ),
    "edges not increasing": (
        {"statistics.peaks.snr_edges": [0, 2, 1]},
        "statistics.peaks.snr_edges: values must increase, but 1 follows 2; sort them, each once",
    ),
    "galaxies of other sources": ({"survey.n_gal": [9, 7]}, "survey.n_gal: 2 given for 1 sources; give one for each"),
    "depth": (
        {"survey.depth": {"kind": "mask"}},
        "survey.depth.kind: 'mask' given; must be one of map, uniform "
        "(galaxies over the field: uniform, or a map, which has a file and max_masked)",
    ),
    "map of the depth without a rule": (
        {"survey.depth": {"kind": "map", "file": "depth.npy"}},
        "survey.depth.max_masked: missing; give a number >= 0 and <= 0.5 "
        "(peaks count where masked pixels hold at most this share of the squared weights of their filter)",
    ),
    "side of the box outside of the simulation": (
        {"lightcone.box_size": 100.0},
        "lightcone.box_size: unknown key; simulation.box_size gives the side of the box",
    ),
    "side of the box missing": (
        {"simulation.box_size": ...},
        "simulation.box_size: missing; give a number >= 0.1 and <= 100000 (comoving side of the box [Mpc/h])",
    ),
    "name inside a statistic": (
        {"statistics.peaks.name": "maxima"},
        "statistics.peaks.name: unknown key; the key of the section is the name of the statistic",
    ),
    "misspelt key of a statistic": (
        {"statistics.peaks.stensil": "pixel", "statistics.peaks.stencil": ...},
        "statistics.peaks.stensil: unknown key; did you mean stencil?",
    ),
    "statistics that are none": (
        {"statistics": ["peaks"]},
        "statistics: ['peaks'] given; must be a section with one or more of " + ", ".join(STATISTICS),
    ),
    "name of a statistic": (
        {"statistics.all peaks": {"kind": "peaks", **PEAKS}},
        "statistics.all peaks: 'all peaks' given; must be a name of at most 100 letters, digits and _",
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSALS.values(), ids=REFUSALS.keys())
def test_config_refuses(changes: dict[str, Any], line: str, refusal) -> None:
    assert refusal(changes) == [line]


@pytest.mark.parametrize("value", [-1, 0.5, 10**400, "text", [1], None, True])
@pytest.mark.parametrize("section", ["lightcone", "survey", "simulation", "statistics", "cosmology"])
def test_config_refuses_what_is_no_section(section: str, value: Any, default) -> None:
    with pytest.raises(ConfigError, match=section):
        load({**default, section: value})


HUGE = (
    "simulation.box_size",
    "simulation.particles",
    "simulation.noise_size",
    "simulation.integrator.steps",
    "lightcone.slabs_per_box",
    "lightcone.planes",
    "lightcone.plane_mesh",
    "lightcone.pixels",
    "lightcone.realisations_per_box",
    "survey.sigma_e",
    "covariance.boxes",
    "derivatives.views",
    "derivatives.noise_realisations",
    "boxes_per_batch",
    "forecast.priors.Omega_c",
    "finite_differences.noise_realisations",
)


@pytest.mark.parametrize("number", [10**13, 10**400, 10**5000, 1e300], ids=["13", "400", "5000", "double"])
@pytest.mark.parametrize("key", HUGE)
def test_config_refuses_huge_numbers_at_once(key: str, number: float, refusal) -> None:
    lines = refusal({key: number})
    assert any(line.startswith(key) for line in lines)


def test_config_refuses_huge_numbers_in_lists_at_once(refusal) -> None:
    (line,) = refusal({"survey.n_gal": [1e300]})
    assert line == "survey.n_gal[0]: 1e+300 given; must be a number >= 0.001 and <= 10000"


def test_config_reports_all_errors_at_once(refusal) -> None:
    changes = {"survey.sigma_e": -1, "simulation.gradient": "up", "derivatives.boxes": 50, "extra": 1}
    keys = [line.split(":")[0] for line in refusal(changes)]
    assert keys == ["extra", "simulation.gradient", "survey.sigma_e", "derivatives.boxes"]


def test_config_reports_the_errors_of_all_statistics_at_once(refusal) -> None:
    changes = {
        "statistics.peaks.snr_edges": [1],
        "statistics.power_spectrum.ell_edges": ...,
        "statistics.bispectrum": {"scales_arcmin": [9.4]},
    }
    keys = [line.split(":")[0] for line in refusal(changes)]
    assert keys == ["statistics.power_spectrum.ell_edges", "statistics.peaks.snr_edges", "statistics.bispectrum"]


def test_config_that_is_empty_names_the_sections(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    with pytest.raises(ConfigError, match="config: None given; must be a section with run, cosmology, simulation"):
        read(empty)


def test_config_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("run: default\ncosmology: {h: 0.7\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml: 1 error(.|\n)*line 3"):
        read(broken)


def test_config_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"there is none of this name in {tmp_path}; give the path of a YAML file"):
        read("my.yaml")


FINE = {
    "kind": "particle_mesh",
    "box_size": 50,
    "particles": 8,
    "Omega_m": 0.3,
    "seed": 0,
    "mesh_factor": 4,
    "steps": 9,
    "weight": 1,
}
SNAPSHOTS = {"kind": "snapshots", "files": ["a.hdf5", "b.hdf5"], "order": "grid", "subsample": 1, "weight": 1}
OF_THE_BASE = ("cells_of_the_default", "double_cells", "fourfold_cells")
TRAINING_REFUSALS = {
    "unknown key": ({"epoch": 3}, "epoch: unknown key; did you mean epochs?"),
    "no scale factor after the start": (
        {"a": [0.1, 1.0]},
        "config: a = [0.1, 1.0] and simulation.a_start = 0.142857; give scale factors above a_start and up to 1",
    ),
    "range the wrong way": (
        {"network.ln_sigma_range": [1, -1]},
        "network: ln_sigma_range = [1, -1]; give the smaller one first",
    ),
    "loss of nothing": (
        {"loss": {"position": 0, "power": 0, "correlation": 0}},
        "loss: position, power and correlation are 0; give at least one of them a weight",
    ),
    "name in both": (
        {"references": {"one": FINE}, "validation": {"one": SNAPSHOTS}},
        "config: one in references and in validation; rename or remove one",
    ),
    "no finer mesh": (
        {"references": {"one": {**FINE, "mesh_factor": 2}}, "simulation.mesh_factor": 2},
        "config: one has mesh_factor = 2, no finer than the trained simulation's (2); raise it",
    ),
    "no dark matter": (
        {"references": {"one": {**FINE, "Omega_m": 0.04}}},
        "config: one has Omega_m = 0.04, of which cosmology.Omega_b = 0.0486 leaves nothing for dark matter; raise it",
    ),
    "steps of an integration that chooses them": (
        {
            "references": {"one": {**FINE, "trained_steps": [8]}},
            "simulation.integrator": {"kind": "tsit5", "rtol": 1e-3, "atol": 1e-3},
        },
        "config: one.trained_steps = [8], but simulation.integrator.kind = tsit5 chooses its steps itself; remove "
        "one.trained_steps, or give bullfrog or fastpm",
    ),
    "one snapshot": (
        {"references": {"one": {**SNAPSHOTS, "files": ["a.hdf5"]}}},
        "references.one.files: ['a.hdf5'] given; must be a list of 2 or more "
        "(paths, the earliest first, which is where simulations start)",
    ),
}


@pytest.mark.parametrize(("changes", "line"), TRAINING_REFUSALS.values(), ids=TRAINING_REFUSALS.keys())
def test_training_config_refuses(changes: dict[str, Any], line: str, tmp_path: Path, changed) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(changed(changes, TRAINING)))
    with pytest.raises(ConfigError) as error:
        read_training(path)
    header, found = str(error.value).splitlines()
    assert header == f"{path}: 1 error"
    assert found.strip() == line


def test_a_reference_has_numbers_of_steps_of_its_own_or_those_of_the_training(repository, tmp_path) -> None:
    references = {"own": {**FINE, "trained_steps": [20, 40]}, "common": {**FINE, "seed": 1}}
    base = {"base": str(repository / "configs/training.yaml"), "references": dict.fromkeys(OF_THE_BASE) | references}

    def trained(**changes: Any):
        path = tmp_path / "training.yaml"
        path.write_text(yaml.safe_dump(base | changes))
        training = read_training(path)
        return training, {name: [each.steps for each in training.integrators(name)] for name in references}

    training, steps = trained()
    assert steps == {"own": [20, 40], "common": [12]}
    assert training.all_steps == (12, 20, 40)
    assert training.reference("own").reference.trained_steps is None  # the reference is the same without them
    training, steps = trained(steps=[12, 9])
    assert steps == {"own": [20, 40], "common": [12, 9]}
    assert training.all_steps == (9, 12, 20, 40)
