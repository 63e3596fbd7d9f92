"""From the files of a campaign to its figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lenscast import experiment, figures
from lenscast.bins import bin_table
from lenscast.io import Variable, save
from lenscast.measurement import noise_alone

CONFIG = Path(__file__).parents[1] / "workflow" / "config.yaml"
PARAMETERS = ["Omega_c", "sigma8", "A_IA", "m_1"]


@pytest.fixture(scope="module")
def tiny():
    return experiment.read(CONFIG)


@pytest.fixture(scope="module")
def bins(tiny):
    return bin_table(tiny)


@pytest.fixture(scope="module")
def files(tiny, bins, tmp_path_factory):
    """Files of a campaign of four boxes, with two maps each."""
    folder, rng = tmp_path_factory.mktemp("campaign"), np.random.default_rng(1)
    boxes, param, size = [0, 1, 2, 3], {"name": PARAMETERS, "fiducial": [0.26, 0.8, 0.0, 0.0]}, len(bins)
    mean = np.where(bins["unit"] == "sr", 1e-9, 40.0) + noise_alone(tiny)
    write(
        folder / "summaries.h5",
        {"map": {"seed": sorted(2 * boxes)}, "bin": bins},
        measured=(mean * rng.uniform(0.9, 1.1, (8, size)), ("map", "bin")),
    )
    write(
        folder / "jacobians.h5",
        {"box": {"seed": boxes}, "param": param, "bin": bins},
        jacobian=(mean * rng.normal(size=(4, 4, size)), ("box", "param", "bin")),
        expected=(mean * rng.uniform(0.9, 1.1, (4, size)), ("box", "bin")),
    )
    write(
        folder / "forecast.h5",
        {"param": param, "bin": bins},
        standard=(np.diag([1e4, 1e4, 1e2, 1e2]), ("param", "param")),
        bias=(np.diag([1e2, 1e2, 1e3, 1e0]), ("param", "param")),
        priors=(np.diag([0.0, 0.0, 0.0, 1e4]), ("param", "param")),
        correlation=(np.eye(size), ("bin", "bin")),
    )
    pixels = tiny.lightcone.pixels
    write(
        folder / "tangents.h5",
        {"map": {"seed": [7, 7], "realisation": [0, 1]}, "param": {"name": PARAMETERS[:3]}},
        kappa=(0.01 * rng.normal(size=(2, 1, pixels, pixels)).astype(np.float32), ("map", "source", "y", "x")),
        tangents=(rng.normal(size=(2, 3, 1, pixels, pixels)).astype(np.float32), ("map", "param", "source", "y", "x")),
    )
    is_plain = bins["statistic"] == next(name for name, each in tiny.statistics.items() if each.is_plain_spectrum)
    theory = bins.loc[is_plain, ["source_1", "source_2", "low"]].assign(limber=1e-9, limber_windows=1e-9)
    theory.assign(dln_sigma8=2.0).to_csv(folder / "theory.csv", index=False)
    names = {"parameter": PARAMETERS[:2], "estimator": "cross", "with_priors": True}
    judged = {"verdict": ["converged", "set by the prior"], "reason": "", "boxes_needed": 4}
    cases = [pd.DataFrame(names | judged | {"systematics": each}) for each in ("marginalised", "fixed")]
    verdicts = pd.concat(cases)
    verdicts.to_csv(folder / "estimators.csv", index=False)
    return {path.stem: str(path) for path in folder.iterdir()}


def write(path, coordinates, **variables):
    save(path, {name: Variable(*each, "1", "synthetic") for name, each in variables.items()}, coordinates, {})


def drawn_with(figure, style):
    return [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == style]


@pytest.mark.slow
def test_maps_are_those_of_the_first_map_with_its_noise(tiny, files):
    figure = figures.maps({"tangents": [files["tangents"]]}, tiny)
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    assert len(images) == 2 + 3
    # smoothed noise is still there
    assert np.std(images[1]) > 0.002


def test_spectra_are_drawn_by_name_with_theory_for_the_maps_as_they_are(tiny, files):
    for name, statistic in tiny.statistics.items():
        if statistic.is_spectrum:
            figure = figures.spectrum(files, tiny, statistic=name)
            assert bool(drawn_with(figure, "--")) == statistic.is_plain_spectrum
            assert not drawn_with(figures.spectrum({**files, "theory": []}, tiny, statistic=name), "--")


def test_the_particles_are_resolved_up_to_their_nyquist_wavenumber_half_way_to_the_source(tiny, files):
    (name, *_) = (name for name, each in tiny.statistics.items() if each.is_plain_spectrum)
    line = drawn_with(figures.spectrum(files, tiny, statistic=name), "-.")[0]
    # 2155 Mpc/h to z = 0.914, 16 particles in 205 Mpc/h
    np.testing.assert_allclose(line.get_xdata()[0], np.pi * 16 / 205 * 2155 / 2, rtol=0.01)


def test_counts_and_derivatives_are_those_of_the_experiment(tiny, files, bins):
    (name,) = (name for name, each in tiny.statistics.items() if not each.is_spectrum)
    assert len(figures.counts(files, tiny, statistic=name).axes) == 2 * 2
    figure = figures.derivatives(files, tiny)
    # a spectrum, two band-passed ones and two scales of peaks; parameters that sources share and those of each
    assert len(figure.axes) == 5 * 4
    assert drawn_with(figure, "--")
    assert not drawn_with(figures.derivatives({"jacobians": files["jacobians"]}, tiny), "--")


def test_forecasts_are_drawn_from_their_files(tiny, files, texts):
    assert figures.correlation(files, tiny).axes[0].images
    paths = {"forecasts": [files["forecast"]] * 2, "estimators": [files["estimators"]] * 2}
    figure = figures.triangle(paths, tiny, data_vectors=["C_ell", "all"])
    # the bias of each source is marginalised over: three parameters are left
    assert len([axes for axes in figure.axes if axes.get_subplotspec()]) == 10  # three parameters and S8
    assert "all: set by the prior: $\\sigma_8$" in texts(figure)
    assert "dashed: the data do not constrain" in texts(figure)
    figure = figures.systematics(paths, tiny, data_vectors=["C_ell", "all"], nuisance=["A_IA", "m_1"])
    assert len([axes for axes in figure.axes if axes.get_subplotspec()]) == 6  # Omega_m, sigma8 and S8
    assert "all, systematics known" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "all: set by the prior: $\\sigma_8$" in texts(figure)
    assert "all, systematics known: set by the prior: $\\sigma_8$" in texts(figure)


def test_reliability_has_a_curve_for_each_data_vector(tiny, tmp_path):
    rows = [
        {"boxes": boxes, "estimator": estimator, "parameter": "h", "sigma": 1 / boxes}
        for boxes in (4, 2)
        for estimator in ("standard", "cross")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "curve.csv", index=False)
    figure = figures.reliability({"curves": [tmp_path / "curve.csv"] * 2}, tiny, data_vectors=["C_ell", "all"])
    assert len(figure.axes[0].lines) == 4


def test_matter_is_drawn_at_the_nearest_scale_factors_with_the_names_of_the_file(tiny, tmp_path, rng):
    k = np.array([0.5, 1.0, 2.0])
    tables = [
        pd.DataFrame({"variant": name, "a": a, "nyquist": 2.5, "k": k, "power_error": -0.1, "correlation": 1 - k / 10})
        for name in figures.VARIANTS[:-1]
        for a in (0.31, 0.5, 1.0)
    ]
    pd.concat(tables).to_csv(tmp_path / "table.csv", index=False)
    simulation = {"code": ["TNG"], "box_size": [20.0], "thickness": [2.5], "a": [1.0]}
    density = {name: (rng.lognormal(size=(16, 16)), ("y", "x")) for name in figures.VARIANTS}
    write(tmp_path / "slices.h5", {"simulation": simulation}, **density)
    files = {"table": tmp_path / "table.csv", "slices": tmp_path / "slices.h5"}
    figure = figures.matter(files, tiny, title="{code}, {box_size:g} Mpc/h", a=[0.3, 1.0])
    assert figure.get_suptitle() == "TNG, 20 Mpc/h"
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a = 0.31 (z = 2.2)", "a = 1 (z = 0)"]
    assert figures.slices(files, tiny, title="{code}").get_suptitle() == "TNG, a = 1"


def test_matter_power_marks_the_nyquist_wavenumber_of_the_force_mesh(tiny, tmp_path):
    columns = ["power", "error", "corrected", "corrected_error", "linear", "linear_camb", "halofit"]
    table = pd.DataFrame({"k": [0.1, 0.5]} | {name: [2.0, 1.0] for name in columns})
    table.to_csv(tmp_path / "table.csv", index=False)
    figure = figures.matter_power({"table": tmp_path / "table.csv"}, tiny, seeds=4)
    np.testing.assert_allclose(drawn_with(figure, "-.")[0].get_xdata()[0], np.pi * 16 / 205)


def test_the_loss_is_drawn_for_each_reference(tiny, tmp_path):
    rows = [{"epoch": epoch, "reference": name, "loss": 1 / epoch} for epoch in (1, 2) for name in ("tng", "camels")]
    pd.DataFrame(rows).to_csv(tmp_path / "history.csv", index=False)
    figure = figures.loss({"history": tmp_path / "history.csv"}, tiny)
    assert len(figure.axes[0].lines) == 3
    assert figure.axes[0].get_title() == "mean loss from 1 to 0.5 in 2 epochs"
