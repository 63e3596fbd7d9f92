"""The config: what it reads, what it refuses and how it says so, what the package has to agree with.

Imports of modules that use JAX stand in the tests that need them: the config itself is read without JAX.
"""

import copy
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.integrate import quad

from lenscast.config import (
    PARAMETERS,
    STATISTICS,
    Config,
    ConfigError,
    TrainingConfig,
    json_schema,
    load_config,
    read_config,
    read_training,
)
from lenscast.config.geometry import comoving_distance
from lenscast.config.simulation import CosmologyConfig

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
TRAINING = yaml.safe_load((REPOSITORY / "configs/training.yaml").read_text())
REMOVED = object()


def changed(changes: dict[str, Any], default: dict[str, Any] = DEFAULT) -> dict[str, Any]:
    """The default config with the values at dotted keys replaced or removed."""
    mapping = copy.deepcopy(default)
    for dotted, value in changes.items():
        *path, key = dotted.split(".")
        section = mapping
        for name in path:
            section = section[name]
        if value is REMOVED:
            del section[key]
        else:
            section[key] = value
    return mapping


# of the experiment that the texts speak of, whatever the default one grows to
SIZE = {
    "lightcone.slabs_per_box": 2,
    "lightcone.planes": 22,
    "covariance.boxes": 64,
    "derivatives.boxes": 48,
    "finite_differences.steps.w0": 0.05,
}


def refusal(changes: dict[str, Any]) -> list[str]:
    """The lines of the error, one a problem."""
    with pytest.raises(ConfigError) as error:
        load_config(changed(SIZE | changes))
    header, *lines = str(error.value).splitlines()
    assert header == f"config: {len(lines)} error{'s' if len(lines) > 1 else ''}"
    return [line.strip() for line in lines]


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(DEFAULT)


@pytest.mark.parametrize("path", ["config.yaml", *(f"configs/{p.name}" for p in REPOSITORY.glob("configs/*.yaml"))])
def test_config_files_load(path: str) -> None:
    read = read_training if path.startswith("configs/training") else read_config
    assert read(REPOSITORY / path).run


@pytest.mark.parametrize("name", ["config", "training"])
def test_config_schema_file_is_in_sync(name: str) -> None:
    stored = (REPOSITORY / "workflow" / "schemas" / f"{name}.schema.json").read_text()
    command = [sys.executable, "-m", "lenscast.config", *([name] if name == "training" else [])]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert stored == made.stdout, f"run: {' '.join(command[1:])} > workflow/schemas/{name}.schema.json"


@pytest.mark.parametrize("model", [Config, TrainingConfig])
def test_config_schema_describes_every_key(model: type[Config | TrainingConfig]) -> None:
    schema = json_schema(model)
    for section in (schema, *schema["$defs"].values()):
        for key, value in section["properties"].items():
            assert "description" in value or "$ref" in value, key
        assert section["required"] == list(section["properties"]), "a key has a default"


def test_config_import_is_free_of_jax() -> None:
    code = "import sys, lenscast.config; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_config_parameters_are_those_of_the_cosmology() -> None:
    from lenscast.cosmology.parameters import PARAMETER_NAMES

    assert tuple(PARAMETER_NAMES) == PARAMETERS


def test_config_is_frozen(config: Config) -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.run = "other"


def test_config_survives_a_round_trip(config: Config) -> None:
    assert load_config(config.model_dump(mode="json")) == config


def test_config_reads_numbers_that_yaml_takes_for_strings() -> None:
    mapping = yaml.safe_load("{rtol: 1e-5, atol: '1e-4', first_seed: 1e5, prior: 2e-1, z: 9e-1}")
    assert isinstance(mapping["rtol"], str)
    config = load_config(
        changed(
            {
                "simulation.integrator": {"kind": "tsit5", "rtol": mapping["rtol"], "atol": mapping["atol"]},
                "simulation.mesh_factor": "2",
                "covariance.first_seed": mapping["first_seed"],
                "forecast.priors.Omega_c": mapping["prior"],
                "survey.sources.z": [mapping["z"]],
            }
        )
    )
    assert config.simulation.integrator.model_dump() == {"kind": "tsit5", "rtol": 1e-5, "atol": 1e-4}
    assert config.simulation.mesh_factor == 2
    assert config.covariance.first_seed == 100000
    assert config.forecast.priors["Omega_c"] == 0.2
    assert config.survey.sources.z == (0.9,)


@pytest.mark.parametrize(("w0", "wa"), [(-1.0, 0.0), (-0.9, 0.2), (-0.6, -0.8)])
@pytest.mark.parametrize("z", [0.05, 0.914, 6.0, 99.0])
def test_config_comoving_distance_agrees_with_adaptive_quadrature(z: float, w0: float, wa: float) -> None:
    cosmology = CosmologyConfig.model_validate({**DEFAULT["cosmology"], "w0": w0, "wa": wa})

    def inverse_expansion(redshift: float) -> float:
        a = 1.0 / (1.0 + redshift)
        dark_energy = 0.6925 * a ** (-3.0 * (1.0 + w0 + wa)) * math.exp(-3.0 * wa * (1.0 - a))
        return (0.3075 * a**-3 + dark_energy) ** -0.5

    expected = 2997.92458 * quad(inverse_expansion, 0.0, z, epsrel=1e-11)[0]
    # both quadratures converge exponentially; what is left is rounding
    assert comoving_distance(z, cosmology) == pytest.approx(expected, rel=1e-9)


def test_config_cosmologies_are_fiducial_and_shifted(config: Config) -> None:
    cosmologies = config.cosmologies
    assert len(cosmologies) == 1 + 4 * len(config.forecast.parameters)
    assert cosmologies["fiducial"] == config.fiducial
    assert config.fiducial == {**DEFAULT["cosmology"], "A_IA": 0.0, "eta": 0.0, "delta_z_1": 0.0, "m_1": 0.0}
    step = DEFAULT["finite_differences"]["steps"]["w0"]
    assert cosmologies["w0_plus"] == {**config.fiducial, "w0": pytest.approx(-1 + step)}
    assert cosmologies["w0_minus_half"] == {**config.fiducial, "w0": pytest.approx(-1 - step / 2)}


def test_config_batches_are_fixed_ranges_of_seeds(config: Config) -> None:
    assert list(config.batches["covariance"])[:2] == ["seeds_100000_100007", "seeds_100008_100015"]
    for section in ("covariance", "derivatives"):
        seeds = [seed for batch in config.batches[section].values() for seed in batch]
        assert seeds == list(getattr(config, section).seeds)
    derivatives = config.batches["derivatives"].items()
    assert config.batches["finite_differences"].items() <= derivatives
    more = load_config(changed({"derivatives.boxes": 56})).batches["derivatives"].items()
    assert derivatives < more
    fewer = load_config(changed({"left_out_seeds": [0, *range(8, 16)]})).batches["derivatives"].items()
    assert derivatives - fewer == {("seeds_8_15", range(8, 16))}


def test_config_validation_has_a_box_per_batch_and_planes_behind_its_sources(config: Config) -> None:
    batches = config.batches["validation"]
    first, boxes = config.validation.first_seed, config.validation.boxes
    assert [list(seeds) for seeds in batches.values()] == [[first + i] for i in range(boxes)]
    thickness = 50.0
    end = config.validation.planes(config.cosmology, thickness) * thickness
    chi = comoving_distance(config.validation.z_source[-1], config.cosmology)
    assert end - thickness < chi <= end


@pytest.mark.parametrize("stencil", ["pixel", "scale"])
def test_config_agrees_with_the_statistics(stencil: str) -> None:
    from lenscast.statistics import ShapeNoise, registry

    survey = {"survey.sources.z": [0.5, 0.914], "survey.n_gal": [9, 7]}
    config = load_config(changed({"statistics.peaks.stencil": stencil} | survey))
    lightcone = config.lightcone
    assert tuple(registry.STATISTICS) == STATISTICS
    measured = registry.statistics_from_config(
        config.statistics, lightcone.pixels, lightcone.field_deg, ShapeNoise((0.05, 0.05))
    )
    for statistic in measured:
        assert statistic.region.border == config.border_pixels
        assert statistic.region.pixel_arcmin == lightcone.pixel_arcmin
        assert len(statistic.bins()) == config.statistics.length([statistic.name], 2)


REFUSALS = {
    # keys, types and ranges
    "unknown key": ({"survey.sigma_eps": 0.3}, "survey.sigma_eps: unknown key; did you mean sigma_e?"),
    "misspelt key": (
        {"lightcone.Pixel": 256, "lightcone.pixels": REMOVED},
        "lightcone.Pixel: unknown key; did you mean pixels?",
    ),
    "unlike key": (
        {"covariance.maps": 5},
        "covariance.maps: unknown key; allowed: first_seed, boxes",
    ),
    "missing key": (
        {"survey.n_gal": REMOVED},
        "survey.n_gal: missing; give a list of 1 or more (galaxies per arcmin^2 of each source)",
    ),
    "missing section": (
        {"survey": REMOVED},
        "survey: missing; give a section with sources, area_deg2, sigma_e, n_gal, depth "
        "(Sources, shape noise and sky area.)",
    ),
    "wrong type": (
        {"lightcone.pixels": "many"},
        "lightcone.pixels: 'many' given; must be an integer, a multiple of 2, >= 16 (pixels per side of the map)",
    ),
    "boolean": (
        {"cosmology.h": True},
        "cosmology.h: 'True (a boolean)' given; must be a number >= 0.2 and <= 2 (Hubble constant [100 km/s/Mpc])",
    ),
    "infinite": (
        {"survey.area_deg2": float("inf")},
        "survey.area_deg2: inf given; must be a number > 0 and <= 41253 (survey area that is not masked [deg^2])",
    ),
    "range": (
        {"simulation.a_start": 1.5},
        "simulation.a_start: 1.5 given; must be a number > 0 and < 1 (scale factor of the LPT start)",
    ),
    "item of a list": ({"survey.sources.z": [-1]}, "survey.sources.z[0]: -1 given; must be a number > 0"),
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
        "run: 'my-run' given; must be a name of letters, digits and _ (name of the run; outputs go to results/<run>/)",
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
        "simulation.integrator.steps: unknown key; allowed: kind, rtol, atol",
    ),
    "key of a solver missing": (
        {"simulation.integrator": {"kind": "fastpm"}},
        "simulation.integrator.steps: missing; give an integer >= 1 "
        "(number of steps from a_start to the nearest plane)",
    ),
    "soft counts without width": (
        {"statistics.peaks.counts": "soft"},
        "statistics.peaks.softness: missing; give a number > 0 and <= 1 "
        "(width of the sigmoid [rms half second difference of the noise])",
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
    # geometry
    "source behind the planes": (
        {
            "survey.sources.z": [0.5, 1.5],
            "survey.n_gal": [9, 7],
            "simulation.box_size": 410,
            "lightcone.slabs_per_box": 4,
        },
        "lightcone.planes: 22 planes of 102.5 Mpc/h end at chi = 2255, before the sources at z = 1.5 (chi = 3038); "
        "raise lightcone.planes to 30",
    ),
    "source behind the planes of a shifted cosmology": (
        {"simulation.box_size": 196},
        "lightcone.planes: 22 planes of 98 Mpc/h end at chi = 2156, before the sources at z = 0.914 "
        "(chi = 2174 in the cosmology w0_minus); raise lightcone.planes to 23",
    ),
    "planes before the start": (
        {"lightcone.planes": 60},
        "lightcone.planes: 60 planes of 102.5 Mpc/h end at chi = 6150, before the simulation starts at "
        "a = 0.142857 (chi = 5725); lower lightcone.planes to 55 or simulation.a_start",
    ),
    "field wider than the box": (
        {"lightcone.field_deg": 5.8, "lightcone.pixels": 298},
        "lightcone.field_deg: 5.8 deg are 213 Mpc/h on the farthest plane in front of the sources (chi = "
        "2101), "
        "wider than the box of 205 Mpc/h; lower lightcone.field_deg to 5.5 or raise simulation.box_size "
        "to 213",
    ),
    "scale not in the map": (
        {"statistics.peaks.scales_arcmin": [12.0]},
        "statistics.peaks.scales_arcmin: 12 arcmin is not 2^j pixels of 1.172 arcmin within 10 %; "
        "allowed: 2.344, 4.688, 9.375, 18.75, 37.5 arcmin",
    ),
    "scale too large for the map": (
        {"statistics.peaks.scales_arcmin": [75]},
        "statistics.peaks.scales_arcmin: 75 arcmin reaches 127 pixels into the map from each side, which "
        "leaves 2 of 256; allowed: 2.344, 4.688, 9.375, 18.75, 37.5 arcmin",
    ),
    "scale twice": (
        {"statistics.starlet_power_spectrum.scales_arcmin": [9.3, 9.4]},
        "statistics.starlet_power_spectrum.scales_arcmin: 9.3 and 9.4 arcmin are the same scale; keep one",
    ),
    "unresolved multipole": (
        {"statistics.power_spectrum.ell_edges": [200, 400, 600, 800, 1000, 1200, 10000]},
        "statistics.power_spectrum.ell_edges: ell = 10000 is not resolved by pixels of 1.172 arcmin; "
        "end at ell = 9216 or raise lightcone.pixels",
    ),
    "bin without modes": (
        {"statistics.starlet_power_spectrum.ell_edges": [50, 90, 500]},
        "statistics.starlet_power_spectrum.ell_edges: no mode in 50 <= ell < 90: modes of the 194 pixels "
        "inside "
        "the border are 95 apart; widen the bin",
    ),
    "source of the validation before the start": (
        {"validation.z_source": [0.46, 6.0]},
        "validation.z_source: z_source = 6 needs 56 planes of 102.5 Mpc/h up to chi = 5740, before the simulation "
        "starts at a = 0.142857 (chi = 5725); lower it or simulation.a_start",
    ),
    "validation at the same resolution": (
        {"validation.refinement": 1},
        "validation.refinement: 1 given; must be an integer >= 2 and <= 16 "
        "(particles per side of the finer simulation / those of simulation)",
    ),
    # seeds and numbers of maps
    "broken batch": (
        {"derivatives.boxes": 50},
        "derivatives.boxes: 50 is not a multiple of boxes_per_batch = 8; give 48 or 56",
    ),
    "one box": (
        {"derivatives.boxes": 1},
        "derivatives.boxes: 1 given; must be an integer >= 2 and <= 1000000 "
        "(number of boxes, a multiple of boxes_per_batch)",
    ),
    "more finite differences than derivatives": (
        {"finite_differences.boxes": 56},
        "finite_differences.boxes: 56 given, but they are the first of the 48 boxes of derivatives; give at most 48",
    ),
    "shared seeds": (
        {"covariance.first_seed": 40},
        "covariance.first_seed: seeds 40 to 103 overlap the derivatives' seeds 0 to 47; "
        "set covariance.first_seed to 48 or more",
    ),
    "left out seed that is none": (
        {"left_out_seeds": [3, 99]},
        "left_out_seeds: 99 is no seed of this run; give one of 100000 to 100063 or 0 to 47, or remove it",
    ),
    "too few boxes left": (
        {"left_out_seeds": [*range(7)], "finite_differences.boxes": 8},
        "finite_differences.boxes: left_out_seeds leave 1 of 8 boxes; raise it",
    ),
    "fewer maps left than data": (
        {"covariance.boxes": 16, "lightcone.realisations_per_box": 2, "left_out_seeds": [100000, 100001, 100005]},
        "covariance.boxes: 13 boxes of 2 maps make 26 maps, too few for the covariance of the 23 data of combined, "
        "which needs 28 or more; raise covariance.boxes to 24",
    ),
    "fewer maps than data": (
        {"covariance.boxes": 8, "lightcone.realisations_per_box": 3},
        "covariance.boxes: 8 boxes of 3 maps make 24 maps, too few for the covariance of the 23 data of "
        "combined, "
        "which needs 28 or more; raise covariance.boxes to 16",
    ),
    # parameters and statistics
    "unknown parameter": (
        {"forecast.parameters": ["Omega_c", "sigma_8"], "forecast.priors": {}},
        "forecast.parameters[1]: sigma_8 is not a parameter; did you mean sigma8?",
    ),
    "parameter twice": (
        {"forecast.parameters": ["h", "h"]},
        "forecast.parameters: h given more than once; keep one",
    ),
    "prior on an unknown parameter": (
        {"forecast.priors.b_1": 3.0},
        "forecast.priors.b_1: b_1 is not a parameter; allowed: Omega_c, Omega_b, h, n_s, sigma8, w0, wa, A_IA, eta, "
        "log10_T_AGN, delta_z, m",
    ),
    "feedback without baryons": (
        {"forecast.parameters": ["h", "log10_T_AGN"], "forecast.priors": {}, "finite_differences.steps": {"h": 0.1}},
        "forecast.parameters: log10_T_AGN needs baryons; set systematics.baryons.kind to hmcode2020 or remove it",
    ),
    "evolution of alignments that are not there": (
        {"forecast.parameters": ["h", "eta"], "forecast.priors": {}, "finite_differences.steps": {"h": 0.1}},
        "forecast.parameters: eta changes nothing at systematics.A_IA = 0; give another A_IA or remove eta",
    ),
    "no cosmological parameter": (
        {"forecast.parameters": ["A_IA"], "forecast.priors": {}, "finite_differences.steps": {}},
        "forecast.parameters: none is cosmological; add one or more of Omega_c, Omega_b, h, n_s, sigma8, w0, wa",
    ),
    "priors of other sources": (
        {
            "forecast.parameters": ["h", "m"],
            "forecast.priors": {"m": [0.1, 0.1]},
            "finite_differences.steps": {"h": 0.1},
        },
        "forecast.priors.m: a list of 2 given; give one number, or a list of 1",
    ),
    "priors of a parameter that sources share": (
        {"forecast.priors": {"h": [0.1]}},
        "forecast.priors.h: a list of 1 given; give one number",
    ),
    "feedback beyond its fit": (
        {"systematics.baryons": {"kind": "hmcode2020", "log10_T_AGN": 9}},
        "systematics.baryons.log10_T_AGN: 9 given; must be a number >= 7.6 and <= 8.3 (strength of feedback, log10 of "
        "the temperature of AGN heating in K)",
    ),
    "kind of sources": (
        {"survey.sources.kind": "gaussian"},
        "survey.sources.kind: 'gaussian' given; must be one of planes, smail, table (redshifts of the sources: planes, "
        "smail, or table)",
    ),
    "prior on a fixed parameter": (
        {"forecast.priors.wa": 2.0},
        "forecast.priors.wa: wa is not in forecast.parameters (Omega_c, Omega_b, h, n_s, sigma8, w0); "
        "add it there or remove this line",
    ),
    "step missing": (
        {"finite_differences.steps.h": REMOVED},
        "finite_differences.steps.h: missing; give the step of h, above 0",
    ),
    "step too large": (
        {"finite_differences.steps.Omega_b": 0.05},
        "finite_differences.steps.Omega_b: 0.05 takes Omega_b to -0.0014 and 0.0986, out of its range; give less",
    ),
    "unknown statistic": (
        {"forecast.data_vectors.peaks": ["peak"]},
        "forecast.data_vectors.peaks[0]: peak is not a statistic; did you mean peaks?",
    ),
    "name of a data vector": (
        {"forecast.data_vectors": {"C ell": ["power_spectrum"]}},
        "forecast.data_vectors.C ell: 'C ell' given; must be a name of letters, digits and _",
    ),
}


PATCH = np.zeros((256, 256))
PATCH[:30] = 1


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (None, r"cannot be read \(.*No such file.*\); give the path of an array that numpy.save wrote"),
        (np.ones((64, 256)), "holds 64 x 256 values of type float64; give 256 x 256 numbers, one per pixel"),
        (np.full((256, 256), "a"), "holds 256 x 256 values of type <U1; give 256 x 256 numbers, one per pixel"),
        (PATCH - 0.5, "has 57856 values not finite, below 0, or above it and below 0.001 of the largest; give 0 .*"),
        (PATCH + 1e-4, "has 57856 values not finite, below 0, or above it and below 0.001 of the largest; give 0 .*"),
        (PATCH, "masks all pixels inside the border of 31; unmask some"),
    ],
)
def test_config_refuses_a_map_of_the_depth_that_does_not_fit(
    depth: np.ndarray | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "depth.npy"
    if depth is not None:
        np.save(path, depth)
    (line,) = refusal({"survey.depth": {"kind": "map", "file": str(path), "max_masked": 0.2}})
    assert re.fullmatch(rf"survey.depth.file: {path} {message}", line)


def test_config_takes_a_map_of_the_depth(tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.where(PATCH > 0, 0, 1.5))
    depth = {"kind": "map", "file": str(tmp_path / "depth.npy"), "max_masked": 0.0}
    assert load_config(changed({"survey.depth": depth})).survey.depth.model_dump() == depth


@pytest.mark.parametrize(("changes", "line"), REFUSALS.values(), ids=REFUSALS.keys())
def test_config_refuses(changes: dict[str, Any], line: str) -> None:
    assert refusal(changes) == [line]


def test_config_reports_all_errors_at_once() -> None:
    keys = [
        line.split(":")[0]
        for line in refusal({"survey.sigma_e": -1, "simulation.gradient": "up", "derivatives.boxes": 50, "extra": 1})
    ]
    assert keys == ["extra", "simulation.gradient", "survey.sigma_e", "derivatives.boxes"]


def test_config_that_is_empty_names_the_sections(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    with pytest.raises(ConfigError, match="config: None given; must be a section with run, cosmology, simulation"):
        read_config(empty)


def test_config_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("run: default\ncosmology: {h: 0.7\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml: 1 error(.|\n)*line 3"):
        read_config(broken)


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
    "one snapshot": (
        {"references": {"one": {**SNAPSHOTS, "files": ["a.hdf5"]}}},
        "references.one.files: ['a.hdf5'] given; must be a list of 2 or more "
        "(paths, the earliest first, which is where simulations start)",
    ),
}


@pytest.mark.parametrize(("changes", "line"), TRAINING_REFUSALS.values(), ids=TRAINING_REFUSALS.keys())
def test_training_config_refuses(changes: dict[str, Any], line: str, tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(changed(changes, TRAINING)))
    with pytest.raises(ConfigError) as error:
        read_training(path)
    header, found = str(error.value).splitlines()
    assert header == f"{path}: 1 error"
    assert found.strip() == line


SMAIL = {"kind": "smail", "z0": 0.13, "alpha": 0.78, "bins": 2, "sigma_z": 0.05, "z_max": 0.9}


def test_config_has_one_parameter_for_each_source() -> None:
    config = load_config(
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
    assert config.parameters == ("h", "A_IA", "log10_T_AGN", "delta_z_1", "delta_z_2", "m_1", "m_2")
    assert config.priors == {"delta_z_1": 0.002, "delta_z_2": 0.003, "m_1": 0.01, "m_2": 0.01}
    assert config.steps == {"h": 0.01, "delta_z_1": 0.02, "delta_z_2": 0.02}
    assert config.fiducial["log10_T_AGN"] == 7.8
    assert len(config.cosmologies) == 1 + 4 * 3
    assert config.cosmologies["delta_z_2_minus_half"] == config.fiducial | {"delta_z_2": -0.01}


def test_config_reads_a_table_of_sources(tmp_path: Path) -> None:
    file = tmp_path / "n_of_z.txt"
    file.write_text("# z, n\n0.1 0 0\n0.5 1 0\n0.8 0 3\n0.9 0 0\n")
    config = load_config(changed({"survey.sources": {"kind": "table", "file": str(file)}, "survey.n_gal": [9, 7]}))
    assert config.survey.sources.number == 2
    assert config.survey.sources.z_max == 0.9
    assert load_config(config.model_dump(mode="json")).survey == config.survey


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot read .*; give a text file of numbers in columns"),
        ("0.1 x\n", "cannot read .*; give a text file of numbers in columns"),
        ("0.1 1\n", "has 1 rows and 2 columns; 2 is the least of both"),
        ("0.1 1\n0.1 2\n", "redshifts in the first column must increase from 0 or more; sort the rows"),
        ("0.1 1\n0.2 -2\n", r"n\(z\) in the other columns must be 0 or more, and not 0 everywhere"),
        ("0.1 1 0\n0.2 2 0\n", r"n\(z\) in the other columns must be 0 or more, and not 0 everywhere"),
    ],
    ids=["none", "text", "short", "unsorted", "negative", "empty source"],
)
def test_config_refuses_a_table_that_is_none(tmp_path: Path, text: str | None, expected: str) -> None:
    file = tmp_path / "n_of_z.txt"
    if text is not None:
        file.write_text(text)
    (line,) = refusal({"survey.sources": {"kind": "table", "file": str(file)}})
    assert line.startswith("survey.sources: ")
    assert re.search(expected, line)
