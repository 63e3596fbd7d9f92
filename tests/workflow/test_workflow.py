"""The whole workflow on a small experiment: what it makes, what it runs again, and what survives a crash."""

import json
import re
import shlex
import shutil
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from _workflow import arguments, killed_once_it_made, snakemake
from lenscast import io
from lenscast.experiment import load
from lenscast.experiment.disk import batch_bytes, gathered_bytes, level_bytes
from lenscast.experiment.observation import observation
from lenscast.fisher.shown_tables import headline_rows
from lenscast.inference import MockPosterior
from lenscast.io.chains import load_field_chain, load_mock_posteriors, load_summary_chains
from lenscast.parameters import expanded
from lenscast.pipeline import fiducial
from lenscast.theory import Galaxies, MeasuredSpectrum, spectra_table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TINY = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
FIGURES = ["maps", "power_spectrum", "peaks", "derivatives", "correlation", "triangle", "systematics", "reliability"]
WIDTHS = {"Omega_c": 0.05, "sigma8": 0.2}
LEARNING = {
    "boxes": 52,
    "held_out": 20,
    "noise_realisations": 2,
    "flows": 2,
    "ranges": {name: [TINY["cosmology"][name] + sign * width for sign in (-1, 1)] for name, width in WIDTHS.items()},
}
BATCHES = {
    "boxes_per_batch": 13,
    **{f"{section}__boxes": 13 for section in ("covariance", "derivatives", "finite_differences")},
}
FIELD = {
    "simulation__particles": 8,
    "lightcone__plane_mesh": 16,
    "lightcone__pixels": 16,
    "statistics": {"power_spectrum": {"ell_edges": [144, 288, 432]}},
    "forecast__parameters": [*WIDTHS],
    "forecast__priors": {"Omega_c": 0.2, "sigma8": 0.14},
    "forecast__data_vectors": {"C_ell": ["power_spectrum"]},
    "resolution__levels": [],
    "field_level": {"chains": 2, "warmup": 10, "draws": 20, "mocks": 8},
    "simulation_based": LEARNING,
    **BATCHES,
}
MOCKS = "results/tiny/field_level/mocks/mocks_0_7.h5"
COVARIANCE = [f"results/tiny/summaries/fiducial/seeds_{100000 + i}_{100001 + i}.h5" for i in (0, 2)]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The small config with other values at dotted keys."""
    config = yaml.safe_load(yaml.safe_dump(TINY))
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = config
        for name in sections:
            section = section[name]
        section[last] = value
    return config


def words(directory: Path, *targets: str, **changes: Any) -> list[str]:
    directory.mkdir(exist_ok=True)
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump(changed({key.replace("__", "."): value for key, value in changes.items()})))
    return [*arguments(directory, *targets), "--configfile", str(config)]


def run(directory: Path, *targets: str, **changes: Any) -> str:
    done = snakemake(*words(directory, *targets, **changes))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(directory: Path, *targets: str, **changes: Any) -> Counter[str]:
    """Jobs of a dry run, by rule."""
    text = run(directory, "--dry-run", "-p", *targets, **changes)
    jobs = re.findall(r"^(?:localrule|rule) (\w+):", text, re.MULTILINE)
    return Counter(job for job in jobs if job != "all")


@pytest.fixture(scope="module")
def finished(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    return Path(shutil.copytree(shared_run, tmp_path_factory.mktemp("workflow") / "finished"))


def test_alignments_of_one_source_plane_are_not_measured_at_amplitude_0(finished: Path) -> None:
    table = pd.read_csv(finished / "results/tiny/fisher/C_ell_estimators.csv")
    rows = table[(table["parameter"] == "A_IA") & (table["estimator"] == "cross")].set_index("with_priors")
    assert rows["verdict"][False] == "limited by simulations"
    assert rows["verdict"][True] != "converged"


def test_workflow_makes_tables_and_figures_and_then_has_nothing_to_do(finished: Path) -> None:
    results = finished / "results/tiny"
    for name in FIGURES:
        assert (results / f"figures/{name}.png").stat().st_size > 10_000
        assert (results / f"figures/{name}.pdf").read_bytes().startswith(b"%PDF")
    for name in TINY["forecast"]["data_vectors"]:
        table = pd.read_csv(results / f"fisher/{name}_estimators.csv")
        parameters = [each for name in TINY["forecast"]["parameters"] for each in expanded(name, 1)]
        assert set(parameters) < set(table["parameter"])
        free = table[(table["systematics"] == "marginalised") & (table["estimator"] == "standard")]
        with_priors = free[free["with_priors"]].set_index("parameter")
        for parameter, prior in TINY["forecast"]["priors"].items():
            assert 0 < with_priors["sigma"][expanded(parameter, 1)[0]] < prior
        fixed = table[(table["systematics"] == "fixed") & (table["estimator"] == "standard") & table["with_priors"]]
        assert not {"A_IA", "m_1"} & set(fixed["parameter"])
        for parameter, sigma in fixed.set_index("parameter")["sigma"].items():
            assert sigma <= with_priors["sigma"][parameter] * (1 + 1e-9)
    assert planned(finished) == Counter()


@pytest.mark.parametrize("file", ["C_ell.h5", "C_ell_directions.csv"])
def test_a_lost_file_of_a_forecast_is_made_again(file: str, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "results/tiny/fisher" / file).unlink()
    assert planned(tmp_path)["forecast"] == 1


def test_a_run_ends_in_its_errors_and_the_report(finished: Path) -> None:
    (finished / "results/tiny/report.html").unlink()
    said = run(finished)
    results = finished / "results/tiny"
    assert said.count("Errors with priors") == 1
    assert said.index("Job stats") < said.index("Errors with priors") < said.index("Report: ")
    assert f"Report: {(results / 'report.html').absolute()}" in said
    for name in TINY["forecast"]["data_vectors"]:
        short, every = (pd.read_csv(results / f"fisher/{name}_{kind}.csv") for kind in ("parameters", "estimators"))
        headline = every[
            (every["estimator"] == "cross") & every["with_priors"] & (every["systematics"] == "marginalised")
        ]
        assert list(short) == [
            *("parameter", "fiducial", "sigma", "sigma_low", "sigma_high", "verdict", "reason", "prior")
        ]
        np.testing.assert_allclose(short["sigma"], headline["sigma"], rtol=1e-3)
        assert all(f"{sigma:g}" in said for sigma in short["sigma"])
    page = (results / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(FIGURES) + 1 + 1  # and band-passed spectra, and matter power


def test_exports_are_made_by_default(finished: Path, tmp_path: Path) -> None:
    folder = finished / "results/tiny/export"
    endings = ["covmat", "paramnames", "ranges", "cobaya.yaml", *(find_spec("sacc") is not None) * ["sacc.fits"]]
    names = [f"{name}.{ending}" for name in TINY["forecast"]["data_vectors"] for ending in endings]
    names += [f"{name}_cosmosis{end}.txt" for name in TINY["forecast"]["data_vectors"] for end in ("", "_with_priors")]
    assert {*names, "forecast.h5", "parameters.tex"} == {path.name for path in folder.iterdir()}
    jobs = planned(finished, forecast=TINY["forecast"] | {"samples": 100})
    assert jobs.keys() == {"export", "write_report"}  # which shows the config


def test_the_report_of_snakemake_has_captions(finished: Path) -> None:
    run(finished, "--report", "snakemake.html")
    page = (finished / "snakemake.html").read_text()
    assert "lenscast forecasts what weak-lensing surveys can learn" in page
    for text in ("Mean spectra with the error of the mean", "Directions of parameter space, best measured first"):
        assert text in page


def test_theory_goes_through_the_region_that_is_measured(finished: Path) -> None:
    table = pd.read_csv(finished / "results/tiny/theory/c_ell.csv")
    experiment = load(TINY)
    measured = MeasuredSpectrum(experiment.statistics["power_spectrum"], observation(experiment))
    parameters = fiducial(experiment).cosmology
    expected = spectra_table(parameters, Galaxies.of(experiment), measured, experiment.lightcone)
    # the border of the peaks is cut from all maps
    assert observation(experiment).region.border > 0
    np.testing.assert_allclose(table["limber_windows"], expected["limber_windows"], rtol=1e-9)


def test_errors_and_bins_of_all_data_vectors_are_in_tables(finished: Path) -> None:
    run(finished, "compare_data_vectors")
    results = finished / "results/tiny"
    together = pd.read_csv(results / "comparison/data_vectors.csv").set_index("data_vector")
    for name in TINY["forecast"]["data_vectors"]:
        rows = headline_rows(pd.read_csv(results / f"fisher/{name}_estimators.csv")).query("with_priors")
        sigma = rows.set_index("parameter")["sigma"]
        assert together["sigma_sigma8"][name] == sigma["sigma8"]
        bins = pd.read_csv(results / f"fisher/{name}_bins.csv")
        # none is left out by default
        assert bins["used"].all()
        assert together["data"][name] == len(bins)
        assert set(bins["verdict"]) <= {"Gaussian", "few", "skewed"}


def test_runs_side_by_side(finished: Path) -> None:
    shutil.copytree(finished / "results/tiny/fisher", finished / "results/other/fisher")
    run(finished, "compare_runs", "--config", "compare=other")
    table = pd.read_csv(finished / "results/tiny/comparison/other/parameters.csv")
    assert set(table["data_vector"]) == set(TINY["forecast"]["data_vectors"])
    assert list(table["sigma_ratio_other"].dropna().unique()) == [1.0]
    for name in TINY["forecast"]["data_vectors"]:
        assert (finished / f"results/tiny/comparison/other/{name}.png").stat().st_size > 10_000


def test_posteriors_of_a_finished_run_are_sampled_and_compared(finished: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(finished, tmp_path / "posteriors"))
    run(directory, "compare_posteriors", forecast__data_vectors={"C_ell": ["power_spectrum"]})
    results = directory / "results/tiny"
    table = pd.read_csv(results / "posterior/C_ell.csv").set_index("parameter")
    errors = pd.read_csv(results / "fisher/C_ell_parameters.csv").set_index("parameter")["sigma"]
    assert {*errors.index} < {*table.index}
    np.testing.assert_allclose(table["sigma_fisher"][errors.index], errors, rtol=1e-3)
    assert (table["verdict"] == "converged").all()
    # a likelihood of a finite number of simulations is narrower than Hartlap's; priors are the same
    assert table["sigma_to_fisher"].between(0.8, 1.05).all()
    chains = load_summary_chains(results / "posterior/C_ell.h5")
    np.testing.assert_allclose(chains.draws.mean((0, 1)), table["mean"][list(chains.names)])
    assert (results / "figures/posteriors.png").stat().st_size > 10_000
    (results / "posterior/C_ell.h5").unlink()
    jobs = planned(directory, "compare_posteriors", forecast__data_vectors={"C_ell": ["power_spectrum"]})
    assert jobs["sample_posterior"] == 1


def test_chains_of_the_field_level_are_one_job_each(finished: Path) -> None:
    field_level = {"chains": 3, "mocks": 20}
    chains = planned(finished, "sample_field", field_level=field_level)
    assert chains == Counter(sample_chain=3, diagnose_chains=1, figure=2, sample_field=1)
    assert planned(finished, "check_coverage", field_level=field_level) == Counter(
        sample_mocks=10, tabulate_coverage=1, figure=1, check_coverage=1
    )


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The posterior of one map of a smaller box, by the shortest chains."""
    directory = tmp_path_factory.mktemp("field")
    run(directory, "sample_field", **FIELD)
    return directory


def test_field_level_is_compared_with_the_forecasts_and_the_truth(sampled: Path) -> None:
    results = sampled / "results/tiny"
    chains = [load_field_chain(results / f"field_level/chains/chain_{number}.h5") for number in range(2)]
    assert [chain.draws.shape for chain in chains] == [(20, 2)] * 2
    table = pd.read_csv(results / "field_level/diagnostics.csv").set_index("parameter")
    draws = np.concatenate([chain.draws for chain in chains])
    np.testing.assert_allclose(table["mean"][[*WIDTHS]], draws.mean(axis=0))
    assert (table["verdict"] == "not converged").all()  # of twenty draws
    recovery = pd.read_csv(results / "field_level/recovery.csv")
    # planes are as thick as the box: of the modes with k = sqrt(3), all oblique, the linear limit sees none
    assert recovery["linear"].between(-1e-6, 1).all()
    assert list(recovery["linear"] < 1e-6) == [False, False, True, False, False, False]
    for name in ("field_posterior", "field_recovery"):
        assert (results / f"figures/{name}.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def covered(sampled: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MockPosterior]:
    """Posteriors of eight maps by a job that was killed and run again, and the one that was done before."""
    directory = Path(shutil.copytree(sampled, tmp_path_factory.mktemp("covered") / "run"))
    made = directory / MOCKS
    checkpoint = made.with_suffix(".checkpoint.h5")
    killed_once_it_made(checkpoint, *words(directory, MOCKS, **FIELD))
    assert not made.exists(), "nothing was left to do"
    before = load_mock_posteriors(checkpoint)
    run(directory, "--unlock", **FIELD)
    run(directory, MOCKS, **FIELD)
    assert not checkpoint.exists()
    return directory, before[0]


def test_coverage_killed_between_two_maps_keeps_those_that_are_done(covered: tuple[Path, MockPosterior]) -> None:
    directory, before = covered
    mocks = load_mock_posteriors(directory / MOCKS)
    assert len(mocks) == 8
    for name, values in before._asdict().items():
        np.testing.assert_array_equal(getattr(mocks[0], name), values)
    assert len({float(each.truth[0]) for each in mocks}) == 8


def test_learnt_posteriors_are_compared_with_the_field_level(covered: tuple[Path, MockPosterior]) -> None:
    pytest.importorskip("flowjax")
    directory, _ = covered
    run(directory, "compare_with_field", **FIELD)
    results, mocks = directory / "results/tiny", load_mock_posteriors(directory / MOCKS)
    table = pd.read_csv(results / "field_level/coverage.csv").set_index("parameter")
    compared = pd.read_csv(results / "simulation_based/C_ell/mocks.csv").set_index("parameter")
    assert (table["mocks"] == 8).all()
    assert list(compared.index) == [*WIDTHS]
    low, high = np.transpose([*LEARNING["ranges"].values()])
    inside = [each for each in mocks if ((each.truth > low) & (each.truth < high)).all()]
    assert (compared["mocks"] == len(inside)).all()
    sigma = np.mean([each.sigma**2 for each in inside], axis=0) ** 0.5
    np.testing.assert_allclose(compared["sigma_field"], sigma)
    # eight chains of 20 draws and flows of 32 boxes are far from right
    assert compared["sigma_data"].between(0.1 * sigma, 10 * sigma).all()
    assert (results / "figures/field_coverage.png").stat().st_size > 10_000
    bands = pd.read_csv(results / "field_level/coverage_of_bands.csv")
    np.testing.assert_allclose(bands["cross_power"], np.mean([each.cross_power for each in mocks], axis=0))


def test_posteriors_are_learnt_from_boxes_with_other_parameters(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("flowjax")
    directory = Path(shutil.copytree(finished, tmp_path / "learnt"))
    fewer = {
        "forecast__parameters": [*WIDTHS],
        "forecast__priors": {"sigma8": 0.14},
        "forecast__data_vectors": {"C_ell": ["power_spectrum"]},
        "resolution__levels": [],
        **BATCHES,
    }
    run(directory, "learn_posteriors", simulation_based=LEARNING, **fewer)
    results = directory / "results/tiny/simulation_based"
    data = io.load(results / "data/seeds_400000_400012.h5")
    assert data.variables["data"].values.shape[:3] == (13, 8, 2)
    theta = data.variables["theta"].values
    low, high = np.transpose([*LEARNING["ranges"].values()])
    assert ((theta > low) & (theta < high)).all()
    assert len(np.unique(theta[:, 0])) == 13
    table = pd.read_csv(results / "C_ell/calibration.csv")
    assert list(table["parameter"]) == ["Omega_c", "sigma8", "joint"]
    assert (table["boxes"] == 20).all()
    widths = pd.read_csv(results / "C_ell/posterior.csv")
    assert (widths["sigma"] > 0).all()
    assert (directory / "results/tiny/figures/sbi_triangle.png").stat().st_size > 10_000
    # a flow that is lost is made again, and nothing else but what follows from it
    (results / "C_ell/flow_1.h5").unlink()
    (results / "C_ell/calibration.csv").unlink()
    jobs = planned(directory, "learn_posteriors", simulation_based=LEARNING, **fewer)
    assert jobs == Counter(train_posterior=1, calibrate_posterior=1, figure=1, learn_posteriors=1)
    other = planned(directory, "learn_posteriors", simulation_based=LEARNING | {"compression": "none"}, **fewer)
    assert other == Counter(train_posterior=2, calibrate_posterior=1, figure=1, learn_posteriors=1)


def test_learning_without_a_prior_is_an_error_by_key(finished: Path) -> None:
    done = snakemake(*words(finished, "learn_posteriors", "--dry-run"))
    assert done.returncode != 0
    assert "simulation_based.ranges: missing; give [lower end, upper end]" in done.stdout + done.stderr


def test_workflow_stores_tangents_by_axis_and_parameter(finished: Path) -> None:
    contents = io.load(finished / "results/tiny/tangents/fiducial/seeds_0_1.h5")
    tangents = contents.variables["tangents"]
    assert tangents.axes == ("map", "param", "source", "y", "x")
    names = [name for name in TINY["forecast"]["parameters"] if name != "m"]  # the derivative by m is the map
    assert tangents.values.shape == (2 * 8, len(names), 1, 64, 64)
    assert list(contents.coordinates["param"]["name"]) == names


def test_workflow_files_carry_what_makes_them_again(finished: Path, tmp_path: Path) -> None:
    name = "results/tiny/derivatives/fiducial/seeds_0_1.h5"
    provenance = io.load(finished / name).provenance
    (tmp_path / "config.yaml").write_text(provenance["config"])
    program, *options = shlex.split(provenance["command"])
    assert program == "snakemake"
    done = snakemake("--snakefile", str(ROOT / "Snakefile"), *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()


def test_workflow_after_a_change_of_area_runs_forecasts_and_figures_only(finished: Path) -> None:
    jobs = planned(finished, survey__area_deg2=5000.0)
    assert jobs["forecast"] == 3
    assert not jobs.keys() & {"simulate", "differentiate", "measure", "measure_derivatives", "gather"}


def test_workflow_after_a_change_of_bins_runs_no_simulation(finished: Path) -> None:
    statistics = TINY["statistics"] | {"peaks": TINY["statistics"]["peaks"] | {"snr_edges": [0.0, 1.0, 2.0]}}
    jobs = planned(finished, statistics=statistics)
    assert jobs["measure"] == 4
    assert jobs["measure_derivatives"] == 2
    assert not jobs.keys() & {"simulate", "differentiate"}


def test_workflow_measures_and_forecasts_again_after_a_change_of_the_mask(finished: Path, tmp_path: Path) -> None:
    directory, rng = tmp_path / "masked", np.random.default_rng(0)
    shutil.copytree(finished, directory)
    depth = np.where(rng.random((64, 64)) < 0.05, 0.0, rng.uniform(0.5, 1.5, (64, 64)))
    np.save(directory / "depth.npy", depth)
    section = {"kind": "map", "file": "depth.npy", "max_masked": 0.2}
    jobs = planned(directory, survey__depth=section)
    assert (jobs["measure"], jobs["measure_derivatives"], jobs["forecast"]) == (4, 2, 3)
    assert not jobs.keys() & {"simulate", "differentiate"}
    table, figure = "results/tiny/fisher/combined_parameters.csv", "results/tiny/figures/maps.png"
    # without the coarser level, which measures a third batch of derivatives in the same way
    run(directory, table, figure, survey__depth=section, resolution__levels=[])
    whole, masked = (pd.read_csv(each / table) for each in (finished, directory))
    assert list(whole["sigma"]) != list(masked["sigma"])
    assert (directory / figure).read_bytes() != (finished / figure).read_bytes()
    assert not planned(directory, survey__depth=section).keys() & {"measure", "measure_derivatives", "gather"}
    np.save(directory / "depth.npy", depth[::-1])
    jobs = planned(directory, survey__depth=section)
    assert (jobs["measure"], jobs["measure_derivatives"], jobs["forecast"]) == (4, 2, 3)
    assert not jobs.keys() & {"simulate", "differentiate"}


def test_workflow_with_ten_times_the_boxes_runs_the_new_batches_only(finished: Path) -> None:
    jobs = planned(finished, covariance__boxes=80, derivatives__boxes=40)
    assert (jobs["simulate"], jobs["measure"]) == (36, 36)
    assert (jobs["differentiate"], jobs["measure_derivatives"]) == (18, 18)
    assert (jobs["gather"], jobs["forecast"]) == (1, 3)
    assert not jobs.keys() & {"theory", "matter_power"}


def test_workflow_plans_a_thousand_batches(tmp_path: Path) -> None:
    jobs = planned(tmp_path, covariance__boxes=1000, derivatives__boxes=1000)
    names = ("simulate", "measure", "differentiate", "measure_derivatives")
    assert [jobs[name] for name in names] == [500] * 4
    assert (jobs["gather"], jobs["forecast"]) == (1, 3)


def test_workflow_says_what_it_will_take_on_disk(finished: Path) -> None:
    config, results = load(TINY), finished / "results/tiny"
    for folder, size in batch_bytes(config).items():
        for file in (results / folder / "fiducial").iterdir():
            assert file.stat().st_size == pytest.approx(size, rel=0.05)
    gathered = [results / "covariance/summaries.h5", results / "derivatives/jacobians.h5"]
    assert sum(file.stat().st_size for file in gathered) == pytest.approx(gathered_bytes(config), rel=0.1)
    coarser = [*(results / "resolution").glob("*/particles/*.h5")]
    assert sum(file.stat().st_size for file in coarser) == pytest.approx(
        level_bytes(config, {"particles": 1}, 1), rel=0.05
    )
    said = run(finished, "--dry-run", covariance__boxes=16)
    assert re.search(r"Disk: 1.\d+ MB more for results/tiny \(maps 1.\d+ MB, summaries .*, planes 0 bytes, ", said)
    assert "does not fit" not in said
    said = run(finished, "--dry-run", covariance__boxes=16, lightcone__realisations_per_box=10**9)
    assert "Disk: results/tiny does not fit: it takes" in said
    assert "set simulated: temporary, make results a link" in said
    assert "Disk" not in run(finished, "--dry-run")


def test_temporary_maps_give_the_same_summaries_and_go(finished: Path, tmp_path: Path) -> None:
    summaries = COVARIANCE[0]
    run(tmp_path, summaries, simulated="temporary")
    found, expected = (io.load(folder / summaries).variables for folder in (tmp_path, finished))
    for name, variable in expected.items():
        np.testing.assert_array_equal(found[name].values, variable.values)
    assert not list(tmp_path.glob("results/tiny/maps/fiducial/*"))
    assert "Nothing to be done" in run(tmp_path, summaries, simulated="temporary")
    changed_maps = run(tmp_path, "--dry-run", "-p", summaries, simulated="temporary", simulation__a_start=0.15)
    assert "rule simulate" in changed_maps
    assert "Would remove temporary output results/tiny/planes" in run(tmp_path, "--dry-run", simulated="temporary")


HALVES = {
    "one": {"covariance__boxes": 4, "derivatives__boxes": 2, "finite_differences__boxes": 2},
    "two": {
        "covariance": {"first_seed": 100004, "boxes": 4},
        "derivatives": TINY["derivatives"] | {"first_seed": 2, "boxes": 2},
        "finite_differences__boxes": 2,
    },
}


def test_two_halves_merge_to_the_whole(finished: Path, tmp_path: Path) -> None:
    table = "fisher/combined_estimators.csv"
    for name, changes in HALVES.items():
        for folder in ("summaries", "derivatives/fiducial"):
            shutil.copytree(finished / "results/tiny" / folder, tmp_path / "results" / name / folder)
        run(tmp_path, f"results/{name}/covariance/summaries.h5", run=name, **changes)
    merge = {"run": "both", "merge": "two,one"}
    assert not planned(tmp_path, **merge).keys() & {"simulate", "differentiate", "gather"}
    run(tmp_path, "merge", "--until", "forecast", **merge)
    both, whole = (pd.read_csv(path / table) for path in (tmp_path / "results/both", finished / "results/tiny"))
    # the whole run has levels of resolution, which a merged run has not
    alike = ["parameter", "estimator", "with_priors", "sigma", "conditional", "bias_share", "data_length", "boxes"]
    pd.testing.assert_frame_equal(both[alike], whole[alike], check_exact=True)
    merged = io.load(tmp_path / "results/both/covariance/summaries.h5").provenance
    assert json.loads(merged["seeds"]) == list(range(100000, 100008))
    assert yaml.safe_load(merged["config"])["merge"] == "two,one"
    for changes, expected in (
        ({"merge": "one,two,three"}, "merge: run three has no results/three/covariance/summaries.h5; finish it first"),
        ({"merge": "one,two", "run": "one"}, "run: one is to be merged; give the merged run a name of its own"),
        (merge | {"simulation__lpt_order": 1}, "simulation.lpt_order: 2 in run two, but 1 here; only runs of"),
    ):
        done = snakemake(*words(tmp_path, "merge", "--dry-run", **changes))
        assert done.returncode == 1
        assert expected in done.stdout + done.stderr


def test_further_boxes_of_a_coarse_level_join_the_mean_jacobian(finished: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(finished, tmp_path / "two_levels"))
    section = {"boxes": 8, "levels": ["particles"], "coarse_only": {"first_seed": 300000, "boxes": 4}}
    changes = {"derivatives__boxes": 8, "resolution": section}
    target = "results/tiny/fisher/C_ell_parameters.csv"
    jobs = planned(directory, target, **changes)
    # two boxes in a batch; two batches of the derivatives and one at the coarse level are there
    assert jobs["differentiate"] == 2
    assert jobs["differentiate_coarser"] == jobs["measure_coarser"] == 5
    said = run(directory, target, **changes)
    log = (directory / "results/tiny/logs/forecast/C_ell.log").read_text()
    found = re.search(r"Two levels, power_spectrum: a correlation of (.*) gains (.*) in the variance", log)
    assert found, said
    assert -1 < float(found[1]) < 1
    resolution = pd.read_csv(directory / "results/tiny/fisher/C_ell_resolution.csv")
    assert set(resolution["level"]) == {"particles"}


def test_workflow_refuses_a_bad_config_before_anything_runs(tmp_path: Path) -> None:
    done = snakemake(*words(tmp_path, "--dry-run", survey__sigma_eps=0.3))
    assert done.returncode != 0
    assert "survey.sigma_eps: unknown key; did you mean sigma_e?" in done.stdout + done.stderr


def test_workflow_reads_its_configs_as_the_package_does(tmp_path: Path) -> None:
    command = words(tmp_path, "--dry-run", "--quiet", "all")
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text() + "boxes_per_batch: 010\nrun: again\n")
    done = snakemake(*command)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert re.search(r"boxes_per_batch: line \d+: 010 is 8 \(octal\) to some readers", said)
    assert re.search(r"run: line \d+: given before in line \d+; remove one of the two", said)
    assert "Traceback" not in said


def test_workflow_killed_in_the_middle_goes_on_to_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    maps = tmp_path / "results/tiny/maps/fiducial/seeds_100000_100001.h5"
    killed_once_it_made(maps, *words(tmp_path, *COVARIANCE))
    assert not all((tmp_path / name).exists() for name in COVARIANCE), "nothing was left to do"
    run(tmp_path, "--unlock")
    run(tmp_path, *COVARIANCE)
    for name in COVARIANCE:
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()


def test_workflow_gives_a_seed_the_same_maps_in_a_batch_of_any_size(finished: Path, tmp_path: Path) -> None:
    run(tmp_path, "results/tiny/maps/fiducial/seeds_100000_100003.h5", boxes_per_batch=4)
    batch = io.load(tmp_path / "results/tiny/maps/fiducial/seeds_100000_100003.h5").variables["kappa"].values
    maps = finished / "results/tiny/maps/fiducial"
    batches = (io.load(maps / f"seeds_{name}.h5") for name in ("100000_100001", "100002_100003"))
    parts = [each.variables["kappa"].values for each in batches]
    # bit for bit: boxes run one after another under one compiled program
    np.testing.assert_array_equal(batch, np.concatenate(parts))


def test_workflow_validates_maps_by_a_finer_simulation_of_the_same_boxes(tmp_path: Path) -> None:
    run(tmp_path, "validate_lensing")
    results = tmp_path / "results/tiny"
    for name in ("power_spectrum", "counts"):
        assert (results / f"figures/validation_{name}.png").stat().st_size > 10_000
    fine, coarse = (
        io.load(results / f"validation/maps/{variant}/seeds_200000_200000.h5").variables["kappa"].values
        for variant in ("refined", "plain")
    )
    large = [np.fft.rfft2(kappa[:, -1])[:, 1:4, 0] for kappa in (fine, coarse)]
    overlap = [np.vdot(a, b).real for a, b in (large, (large[0],) * 2, (large[1],) * 2)]
    # the same phases seen from the same sides; two lattices, of 6.4 and 12.8 Mpc/h, move what is smaller
    assert overlap[0] > 0.85 * (overlap[1] * overlap[2]) ** 0.5
    table = pd.read_csv(results / "validation/lensing.csv")
    assert list(table["z_source"].unique()) == TINY["validation"]["z_source"]
    assert "corrected" not in table
    first = table[(table["statistic"] == "power_spectrum") & (table["low"] == 144) & (table["z_source"] == 1.3)]
    assert first["plain_ratio"].item() == pytest.approx(1, abs=0.2)


def test_workflow_validates_the_born_approximation_by_ray_tracing_of_the_same_boxes(tmp_path: Path) -> None:
    run(tmp_path, "validate_projection")
    results = tmp_path / "results/tiny"
    assert (results / "figures/validation_projection.png").stat().st_size > 10_000
    born, traced = (
        io.load(results / f"validation/maps/{name}/seeds_200000_200000.h5").variables["kappa"].values
        for name in ("born", "ray_tracing")
    )
    change = (traced - born).std(axis=(0, 2, 3)) / born.std(axis=(0, 2, 3))
    # of second order in the potential: it grows with the number of planes before the source
    assert np.all(np.diff(change) > 0)
    assert 0 < change[0] < change[-1] < 0.5
    table = pd.read_csv(results / "validation/projection.csv").set_index(["statistic", "z_source"])
    for z, kappa in zip(TINY["validation"]["z_source"], born.swapaxes(0, 1), strict=True):
        assert table.loc[("variance", z), "born"].item() < kappa.var()
    assert table.loc["variance", "ray_tracing_ratio"].to_numpy() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("config", ["config.yaml", "configs/dll.yaml"])
def test_experiment_dry_runs(config: str, tmp_path: Path) -> None:
    done = snakemake(*arguments(tmp_path, "--dry-run", "--quiet", "--configfile", str(ROOT / config)))
    assert done.returncode == 0, done.stderr


def test_arrays_are_forecast_without_a_simulation(finished: Path, tmp_path: Path) -> None:
    run(tmp_path, "reanalyse", "--config", f"arrays={finished / 'results/tiny/export/forecast.h5'}", "area_ratio=1000")
    results = tmp_path / "results/reanalysis/forecast"
    short, every = (pd.read_csv(results / f"{name}.csv") for name in ("parameters", "estimators"))
    assert set(short["data_vector"]) == {*TINY["statistics"], "combined"}
    assert set(every["area_ratio"]) == {1000.0}
    assert not (tmp_path / "results/tiny").exists()
    for name in ("triangle", "reliability"):
        assert (results / f"{name}.png").stat().st_size > 10_000
    np.savez(
        tmp_path / "few.npz", summaries=np.ones((4, 9)), jacobians=np.ones((3, 1, 9)), parameter=["a"], fiducial=[1]
    )
    done = snakemake(*words(tmp_path, "reanalyse", "--config", f"arrays={tmp_path / 'few.npz'}"))
    assert done.returncode != 0
    assert "summaries: 4 realisations of 9 data; a covariance needs 12 or more" in done.stdout + done.stderr


def test_maps_of_another_code_are_measured_and_forecast(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kappa = rng.normal(0, 0.02, (24, 64, 64))
    for name, factor in (("fiducial", 1.0), ("plus", 1.05), ("minus", 0.95)):
        np.save(tmp_path / f"{name}.npy", factor * kappa)
    description = {
        "run": "mine",
        "pixel_arcmin": 60 * 5 / 64,
        "maps": ["fiducial.npy"],
        "differences": {"amplitude": {"plus": ["plus.npy"], "minus": ["minus.npy"], "step": 0.05}},
        "fiducial": {"amplitude": 1.0},
        "survey": {"area_deg2": 1000.0, "sigma_e": 0.26, "n_gal": [20.0]},
        "statistics": {"power_spectrum": TINY["statistics"]["power_spectrum"]},
    }
    (tmp_path / "maps.yaml").write_text(yaml.safe_dump(description))
    run(tmp_path, "measure_maps", "--config", "maps=maps.yaml")
    run(tmp_path, "reanalyse", "--config", "arrays=results/mine/measured/arrays.npz")
    (row,) = pd.read_csv(tmp_path / "results/reanalysis/arrays/parameters.csv").to_dict("records")
    assert row["parameter"] == "amplitude"
    assert 0 < row["sigma"] < 0.1
    (tmp_path / "maps.yaml").write_text(yaml.safe_dump(description | {"pixel_arcmin": 0}))
    done = snakemake(*words(tmp_path, "measure_maps", "--config", "maps=maps.yaml"))
    assert done.returncode != 0
    assert "pixel_arcmin: 0" in done.stdout + done.stderr
