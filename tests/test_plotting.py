from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot, rcParams
from matplotlib.image import imread

from lenscast import plotting
from lenscast.forecast.fisher import ParameterCovariance

NAMES = ("Omega_c", "sigma8")
FIDUCIAL = np.array([0.2589, 0.8159])


def data_bins(n_sources=1):
    pairs = [(i, j) for i in range(n_sources) for j in range(i, n_sources)]
    edges = [100.0, 300.0, 500.0, 700.0]
    spectra = [
        {"statistic": "power_spectrum", "source_1": i, "source_2": j, "low": low, "high": high, "unit": "sr"}
        for i, j in pairs
        for low, high in pairwise(edges)
    ]
    counts = [
        {"statistic": "peaks", "source_1": i, "scale_arcmin": scale, "low": low, "high": high, "unit": "peaks"}
        for scale in (9.4, 18.8)
        for i in range(n_sources)
        for low, high in ((np.nan, 1.0), (1.0, 2.0), (2.0, np.nan))
    ]
    bins = pd.DataFrame(spectra + counts)
    return bins.assign(centre=bins["low"].fillna(0.0) + bins["high"].fillna(3.0)).assign(
        name=[str(i) for i in range(len(bins))]
    )


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def draws(rng, bins, number):
    mean = np.where(bins["unit"] == "sr", 1e-9, 40.0)
    return mean * (1 + 0.1 * rng.standard_normal((number, len(bins))))


def texts(figure):
    figure.canvas.draw()
    found = [each.get_text() for axes in figure.axes for each in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    return " ".join(found + [each.get_text() for each in figure.texts])


def test_save_writes_the_whole_file_with_equal_bytes_for_equal_figures(tmp_path):
    for name in ("a", "b"):
        figure = plotting.correlation(np.eye(9), data_bins())
        plotting.save(figure, tmp_path / "figures" / f"{name}.png")
    first, second = ((tmp_path / "figures" / f"{name}.png").read_bytes() for name in ("a", "b"))
    assert first == second
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"a.png", "b.png"}
    assert imread(tmp_path / "figures" / "a.png").shape[0] > 500


def test_figures_leave_no_global_state(rng):
    before = dict(rcParams)
    posterior = ParameterCovariance(NAMES, FIDUCIAL, np.diag([0.01, 0.02]) ** 2)
    plotting.triangle({"C_ell": posterior})
    plotting.correlation(np.eye(9), data_bins())
    assert dict(rcParams) == before
    assert pyplot.get_fignums() == []


def test_maps_show_each_tangent_with_symmetric_colours(rng):
    kappa, tangents = rng.standard_normal((16, 16)), rng.standard_normal((2, 16, 16))
    figure = plotting.maps_and_tangents(kappa, kappa, tangents, NAMES, field_deg=5.0)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 4
    for image in images[2:]:
        assert image.norm.vmin == -image.norm.vmax
    assert images[0].get_extent() == [-2.5, 2.5, -2.5, 2.5]


def test_maps_leave_masked_pixels_blank_and_weigh_the_others_by_depth(rng):
    depth = np.ones((32, 32))
    depth[:, :16], depth[10:14, 10:14] = 0.5, 0
    noisy = np.where(depth > 0, rng.normal(1, 0.1, (32, 32)), 1e6)
    figure = plotting.maps_and_tangents(noisy, noisy, rng.normal(size=(2, 32, 32)), NAMES, 5.0, depth)
    seen = np.asarray([axis.images[0] for axis in figure.axes if axis.images][1].get_array().filled(np.nan))
    np.testing.assert_array_equal(np.isnan(seen), depth == 0)
    # what stands in masked pixels is not seen
    assert np.nanmax(np.abs(seen - 1)) < 0.6


def test_power_spectra_take_the_noise_off_and_divide_by_theory(rng):
    bins = data_bins()
    noise = np.where(bins["unit"] == "sr", 3e-10, 0.0)
    theory = bins[bins["unit"] == "sr"][["source_1", "source_2", "low"]].assign(limber=2e-9, limber_windows=1e-9)
    expected = draws(rng, bins, 6) + noise
    measured = draws(rng, bins, 8) + noise
    figure = plotting.power_spectra(expected, measured, noise, bins, plotting.Nyquist(1.0, np.array([2000.0])), theory)
    lower = figure.axes[1]
    ratio = lower.containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, (expected - noise)[:, :3].mean(axis=0) / 1e-9)
    # both panels mark the particles' limit at k chi_s / 2
    for axes in figure.axes:
        assert any(line.get_xdata()[0] == 1000.0 for line in axes.lines if len(set(line.get_xdata())) == 1)


def test_power_spectra_of_several_sources_are_below_their_ratios(rng):
    bins, nyquist = data_bins(n_sources=2), plotting.Nyquist(1.0, np.array([1000.0, 2000.0]))
    expected = draws(rng, bins, 4)
    theory = bins[bins["unit"] == "sr"][["source_1", "source_2", "low"]].assign(limber=2e-9, limber_windows=1e-9)
    figure = plotting.power_spectra(expected, draws(rng, bins, 4), np.zeros(len(bins)), bins, nyquist, theory)
    # rows of two sources, a column more for ratios: pair 1-2 is in the second row, its ratio at the end of the first
    assert len(figure.axes) == 6
    assert figure.axes[3].get_title() == "$C_\\ell$ (1-2)"
    assert figure.axes[2].get_title() == "$C_\\ell$ (1-2) / theory"
    ratio = figure.axes[2].containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, expected[:, 3:6].mean(axis=0) / 1e-9)


def test_peak_counts_of_several_sources_have_a_column_each(rng):
    bins = data_bins(n_sources=2)
    measured, expected = draws(rng, bins, 8), draws(rng, bins, 4)
    figure = plotting.peak_counts(measured, np.repeat([1, 2, 3, 4], 2), expected, bins)
    assert len(figure.axes) == 2 * 2 * 2
    # second scale, second source
    ratio = figure.axes[7].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, (expected.mean(axis=0) / measured.mean(axis=0))[-3:])
    assert figure.axes[5].get_title() == "peaks 18.8 arcmin (2)"


def test_derivatives_of_several_sources_show_each_by_its_own_parameter(rng):
    bins, names = data_bins(n_sources=2), ("Omega_c", "delta_z_1", "delta_z_2")
    jacobian = rng.normal(size=(4, 3, len(bins)))
    expected = draws(rng, bins, 4)
    figure = plotting.derivatives(jacobian, expected, np.zeros(len(bins)), bins, names)
    # rows: spectra and peaks on two scales; columns: Omega_c and delta_z
    assert len(figure.axes) == 3 * 2
    shown = [container.lines[0].get_ydata() for container in figure.axes[1].containers]
    signal = expected.mean(axis=0)
    np.testing.assert_allclose(shown[0], jacobian[:, 1, :3].mean(axis=0) / signal[:3])
    np.testing.assert_allclose(shown[1], jacobian[:, 2, 6:9].mean(axis=0) / signal[6:9])


def test_peak_counts_compare_means_with_errors_over_boxes(rng):
    bins = data_bins()
    measured, expected = draws(rng, bins, 8), draws(rng, bins, 4)
    box = np.repeat([1, 2, 3, 4], 2)
    figure = plotting.peak_counts(measured, box, expected, bins)
    assert len(figure.axes) == 4
    container = figure.axes[2].containers[0]
    ratio = expected.mean(axis=0) / measured.mean(axis=0)
    np.testing.assert_allclose(container.lines[0].get_ydata(), ratio[3:6])
    counts = measured.reshape(4, 2, -1).mean(axis=1)
    relative = np.hypot(
        *(each.std(axis=0, ddof=1) / len(each) ** 0.5 / each.mean(axis=0) for each in (counts, expected))
    )
    low, high = (np.array([segment[:, 1] for segment in container.lines[2][0].get_segments()])).T
    np.testing.assert_allclose((high - low) / 2, (ratio * relative)[3:6])


def test_derivatives_are_logarithmic_for_spectra_without_their_noise(rng):
    bins = data_bins()
    noise = np.where(bins["unit"] == "sr", 3e-10, 0.0)
    expected = draws(rng, bins, 4) + noise
    jacobian = np.stack([2 * draws(rng, bins, 4), -draws(rng, bins, 4)], axis=1)
    figure = plotting.derivatives(jacobian, expected, noise, bins, NAMES)
    assert len(figure.axes) == 6
    logarithmic = figure.axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(logarithmic, (jacobian[:, 0].mean(axis=0) / (expected - noise).mean(axis=0))[:3])
    counts = figure.axes[3].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(counts, jacobian[:, 1].mean(axis=0)[3:6])


def comparison(statistic, rng, masked):
    rows = [
        {"parameter": name, "data": data, "autodiff": 1.0, "autodiff_error": 0.1, "difference": 1.01, "step": step}
        | {"difference_error": 0.1, "deviation_error": 0.01, "relative": -0.01, "z": rng.standard_normal(), "boxes": 8}
        for step in (1.0, 0.5)
        for name in NAMES
        for data in ("a", "b", "total")
    ]
    table = pd.DataFrame(rows).assign(statistic=statistic)
    return table.assign(through_mask=0.0) if masked else table


def test_derivatives_check_shows_the_three_estimates_of_the_total_count(rng):
    tables = {"power_spectrum": comparison("power_spectrum", rng, False), "peaks": comparison("peaks", rng, True)}
    figure = plotting.derivatives_check(tables)
    total = figure.axes[4]
    assert [container.lines[0].get_ydata()[0] for container in total.containers] == [1.0, 1.01, 0.0]
    assert [tick.get_text() for tick in total.get_xticklabels()] == ["AD", "FD hard", "AD mask"]
    assert "8 boxes" in texts(figure) or "8 boxes" in figure.get_supxlabel()


def test_triangle_contours_enclose_the_levels_it_states(rng):
    matrix = np.array([[1.0, 0.5], [0.5, 2.0]]) * 1e-4
    posteriors = {"peaks": ParameterCovariance(NAMES, FIDUCIAL, matrix)}
    figure = plotting.triangle(posteriors, ["peaks: nothing to say"])
    panel = next(axes for axes in figure.axes if axes.collections)
    reach = [path.vertices[:, 0].max() - FIDUCIAL[0] for path in panel.collections[0].get_paths()]
    # a contour of Delta chi2 reaches sqrt(Delta chi2) sigma; GetDist's grid resolves it to 1 %
    np.testing.assert_allclose(sorted(reach), np.sqrt([2.30, 6.18]) * 0.01, rtol=0.01)
    assert "2.30, 6.18" in texts(figure)
    assert "nothing to say" in texts(figure)


def test_verdict_note_names_what_is_not_settled():
    table = pd.DataFrame(
        {
            "parameter": ["Omega_c", "sigma8", "h", "Omega_c"],
            "estimator": ["standard", "standard", "standard", "cross"],
            "with_priors": True,
            "systematics": "marginalised",
            "verdict": ["converged", "unconstrained by these simulations", "converged", "not converged"],
            "prior_dominated": [False, False, True, False],
        }
    )
    (line,) = plotting.verdict_note("C_ell", table)
    assert line == r"$C_\ell$: unconstrained by these simulations: $\sigma_8$; set by the prior: $h$"
    assert plotting.verdict_note("C_ell", table.iloc[:1]) == []


def test_convergence_shows_both_estimators_of_each_data_vector():
    curve = pd.DataFrame(
        [
            {"boxes": boxes, "estimator": estimator, "parameter": name, "sigma": 0.1 / boxes}
            for boxes in (8, 4, 2)
            for estimator in ("standard", "cross")
            for name in NAMES
        ]
    )
    figure = plotting.convergence({"C_ell": curve, "peaks": curve})
    assert [len(axes.lines) for axes in figure.axes] == [4, 4]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["2", "4", "8"]


def test_matter_power_marks_the_mesh_limit():
    k = np.array([0.1, 0.5, 1.0])
    columns = ["power", "error", "corrected", "corrected_error", "linear", "linear_camb", "halofit"]
    table = pd.DataFrame({"k": k} | {name: 100 / k for name in columns})
    figure = plotting.matter_power(table, nyquist=0.98, seeds=4)
    for axes in figure.axes:
        assert any(set(line.get_xdata()) == {0.98} for line in axes.lines)
    assert "Mpc" in texts(figure)


def validation_table(theory):
    ell = [288.0, 576.0]
    spectra = [{"statistic": "power_spectrum", "z_source": z, "centre": c} for z in (0.5, 0.914) for c in ell]
    counts = [
        {"statistic": "peaks", "scale_arcmin": scale, "z_source": z, "centre": c}
        for scale in (9.4, 18.8)
        for z in (0.5, 0.914)
        for c in (1.0, 2.0, 3.0)
    ]
    table = pd.DataFrame(spectra + counts)
    for name, value in {"plain": 8.0, "refined": 10.0}.items():
        table[name], table[f"{name}_error"] = value, 1.0
    table["plain_ratio"], table["plain_ratio_error"] = 0.8, 0.01
    if theory:
        table["theory"], table["limber"], table["ktng_limber"], table["dll_pm"] = 16.0, 20.0, 20.0, np.nan
        table["ktng"] = np.where(table["z_source"] == 0.914, 22.0, np.nan)
    return table


def test_validation_spectra_are_shown_over_theory_and_over_the_finer_simulation():
    figure = plotting.validation_spectra(validation_table(theory=True))
    assert len(figure.axes) == 4
    near, far, near_ratio, _ = figure.axes
    np.testing.assert_allclose(near.containers[0].lines[0].get_ydata(), 0.5)
    np.testing.assert_allclose(near_ratio.containers[0].lines[0].get_ydata(), 0.8)
    lines = {line.get_label(): line.get_ydata() for line in far.lines}
    np.testing.assert_allclose(lines["windows of the maps"], 0.8)
    np.testing.assert_allclose(lines[r"$\kappa$TNG-Dark, 2500$^3$"], 1.1)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(legend) == len(set(legend)) == 4  # windows, two variants, kTNG; no published points that are not there


def test_validation_spectra_without_theory_leave_its_row_out():
    figure = plotting.validation_spectra(validation_table(theory=False))
    assert len(figure.axes) == 2
    assert "HMCode" not in texts(figure)


def test_validation_peaks_have_counts_and_ratios_for_each_scale_and_source():
    figure = plotting.validation_peaks(validation_table(theory=False))
    assert len(figure.axes) == 8
    counts, ratios = figure.axes[0], figure.axes[2]
    assert [container.lines[0].get_ydata()[0] for container in counts.containers] == [8.0, 10.0]
    np.testing.assert_allclose(ratios.containers[0].lines[0].get_ydata(), 0.8)
    assert "18.8 arcmin" in texts(figure)


def projection_table():
    parts = {"power_spectrum": (np.nan, 3), "peaks": (9.4, 3), "density": (2.0, 4), "variance": (2.0, 1)}
    rows = [
        {"statistic": name, "scale_arcmin": scale, "z_source": z, "centre": centre, "born": born}
        for born, z in ((4.0, 0.5), (16.0, 1.3))
        for name, (scale, number) in (parts | {"skewness": (2.0, 1)}).items()
        for centre in np.arange(1.0, number + 1)
    ]
    table = pd.DataFrame(rows)
    change = np.where(table["statistic"] == "skewness", -0.02, 0.001) * table["z_source"]
    table["ray_tracing"] = table["born"] * (1 + change)
    return table.assign(ray_tracing_ratio=1 + change, ray_tracing_ratio_error=0.002)


def test_projection_shows_a_square_about_the_highest_peak_and_its_change(rng):
    born = rng.normal(size=(40, 40))
    born[12, 25], born[1, 1] = 9.0, 20.0
    traced = born + 0.01 * rng.normal(size=(40, 40))
    figure = plotting.validation_projection(projection_table(), born, traced, pixel_arcmin=10.0)
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    # 2 deg are 12 of 40 pixels; the higher peak is too near to the edges
    square = slice(6, 18), slice(19, 31)
    for shown, expected in zip(images, (born, traced, traced - born), strict=False):
        np.testing.assert_array_equal(shown, expected[square])
    assert figure.axes[2].images[0].get_extent() == [-60, 60, -60, 60]


def test_projection_shows_changes_in_per_cent_of_every_statistic(rng):
    kappa = rng.normal(size=(40, 40))
    figure = plotting.validation_projection(projection_table(), kappa, kappa + 1, pixel_arcmin=10.0)
    panels = {axes.get_ylabel().split("\n")[0]: axes for axes in figure.axes}
    for name in ("change of $C_\\ell$ [%]", "change of peak counts,", "change of the density [%]"):
        near, far = (container.lines[0].get_ydata() for container in panels[name].containers)
        np.testing.assert_allclose(near, 0.05)
        np.testing.assert_allclose(far, 0.13)
    of_variance, of_skewness = panels["change of moments [%]"].containers
    np.testing.assert_allclose(of_variance.lines[0].get_ydata(), [0.05, 0.13])
    np.testing.assert_allclose(of_skewness.lines[0].get_ydata(), [-1.0, -2.6])
    # in units of the rms of the Born maps, 2 and 4
    np.testing.assert_allclose(panels["density of $\\kappa/\\sigma$"].lines[0].get_ydata(), 4.0 * 2)
    assert "skewness 16.000 $\\to$ 15.584" in [
        text.get_text() for text in panels["density of $\\kappa/\\sigma$"].get_legend().get_texts()
    ]


def test_matter_comparison_shows_every_variant_and_the_nyquist_wavenumber():
    k = np.array([0.5, 1.0, 2.0, 4.0])
    table = pd.concat(
        pd.DataFrame({"variant": name, "a": a, "nyquist": 2.5, "k": k, "power_error": error, "correlation": 1 - k / 10})
        for name, error in (("pm", -0.4), ("hpn", -0.02), ("pgd", 0.03))
        for a in (0.5, 1.0)
    )
    figure = plotting.matter_comparison(table, "box")
    power, decorrelation = figure.axes[1], figure.axes[3]
    assert [line.get_label() for line in power.lines[:3]] == ["PM", "PM + HPN", "PM + PGD"]
    np.testing.assert_allclose(decorrelation.lines[0].get_ydata(), k[:3] / 10)
    for axes in figure.axes:
        assert any(set(line.get_xdata()) == {2.5} for line in axes.lines)
    assert "z = 1" in texts(figure)


def test_density_slices_share_the_colours_of_the_reference(rng):
    density = {name: rng.lognormal(size=(16, 16)) for name in ("pm", "hpn", "pgd", "reference")}
    figure = plotting.density_slices(density, 20.0, 2.5, 5.0, "box")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 8
    assert {(image.norm.vmin, image.norm.vmax) for image in images} == {
        (np.percentile(density["reference"], 5), density["reference"].max())
    }
    assert figure.axes[4].get_xlim() == (-2.5, 2.5)


def tomographic_table(rng):
    rows = [
        {"component": name, "source_1": i, "source_2": j, "low": low, "high": low + 100, "centre": low + 50}
        for name in ("GG", "GI", "II")
        for i, j in ((0, 0), (0, 1), (1, 1))
        for low in (200.0, 300.0)
    ]
    table = pd.DataFrame(rows)
    theory = table["component"].map({"GG": 1e-9, "GI": -1e-10, "II": 1e-11})
    measured = theory * rng.uniform(0.9, 1.1, len(table))
    columns = {"measured": measured, "error": theory.abs() / 20, "ccl": 1.2 * theory, "theory": theory, "shot": 1e-10}
    resolved = table["low"] < 250
    return table.assign(**columns, ratio=measured / theory, ratio_error=0.05, resolved=resolved)


def test_tomography_shows_spectra_below_and_ratios_above_the_diagonal(rng):
    table = tomographic_table(rng)
    figure = plotting.tomography(table)
    assert len(figure.axes) == 2 * 3
    # pair 1-2: spectra in the second row, ratios at the end of the first
    lower, upper = figure.axes[3], figure.axes[2]
    assert (lower.get_title(), upper.get_title()) == ("1-2", "1-2 / theory")
    rows = table[(table["component"] == "GI") & (table["source_1"] == 0) & (table["source_2"] == 1)]
    np.testing.assert_allclose(upper.containers[1].lines[0].get_ydata().astype(float), rows["ratio"])
    ell = rows["centre"].to_numpy()
    shown = lower.containers[1].lines[0].get_ydata().astype(float)
    np.testing.assert_allclose(shown, ell * (ell + 1) / (2 * np.pi) * rows["measured"].abs())


def test_tomography_derivatives_are_those_of_each_source_by_its_own_parameter(rng):
    rows = [
        {"parameter": name, "source_1": i, "source_2": i, "centre": ell, "measured": rng.normal(), "error": 0.1}
        for name in ("A_IA", "m_1", "m_2")
        for i in (0, 1)
        for ell in (200.0, 300.0)
    ]
    table = pd.DataFrame(rows).assign(theory=1.0, low=150.0, high=350.0, resolved=False)
    figure = plotting.tomography_derivatives(table)
    assert len(figure.axes) == 4
    shown = figure.axes[3].containers[0].lines[0].get_ydata().astype(float)
    own = table[(table["parameter"] == "m_2") & (table["source_1"] == 1)]
    np.testing.assert_allclose(shown, own["measured"])
