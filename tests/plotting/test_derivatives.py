"""Derivatives of data vectors, and automatic ones compared with finite differences."""

import numpy as np
import pandas as pd

from lenscast import plotting

NAMES = ("Omega_c", "sigma8")


def test_derivatives_of_several_sources_show_each_with_its_own_parameter(
    statistics, make_bins, draws, jacobians_of, rng
):
    bins, names = make_bins(sources=2), ("Omega_c", "delta_z_1", "delta_z_2")
    jacobian = rng.normal(size=(4, 3, len(bins)))
    expected = draws(bins, 4)
    jacobians = jacobians_of(expected, bins, jacobian, names)
    figure = plotting.derivatives(statistics, jacobians, np.zeros(len(bins)))
    # rows: spectra and peaks on two scales; columns: Omega_c and delta_z
    assert len(figure.axes) == 3 * 2
    drawn = [container.lines[0].get_ydata() for container in figure.axes[1].containers]
    signal = expected.mean(axis=0)
    np.testing.assert_allclose(drawn[0], jacobian[:, 1, :3].mean(axis=0) / signal[:3])
    np.testing.assert_allclose(drawn[1], jacobian[:, 2, 6:9].mean(axis=0) / signal[6:9])


def test_derivatives_are_logarithmic_for_spectra_without_their_noise(statistics, make_bins, draws, jacobians_of):
    bins = make_bins()
    noise = np.where(bins["unit"] == "sr", 3e-10, 0.0)
    expected = draws(bins, 4) + noise
    jacobian = np.stack([2 * draws(bins, 4), -draws(bins, 4)], axis=1)
    figure = plotting.derivatives(statistics, jacobians_of(expected, bins, jacobian), noise)
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


def test_derivatives_check_shows_the_three_estimates_of_the_total_count(statistics, rng):
    tables = {"shear": comparison("shear", rng, False), "maxima": comparison("maxima", rng, True)}
    figure = plotting.derivatives_check(statistics, tables)
    total = figure.axes[4]
    assert [container.lines[0].get_ydata()[0] for container in total.containers] == [1.0, 1.01, 0.0]
    assert [tick.get_text() for tick in total.get_xticklabels()] == ["AD", "FD hard", "AD mask"]
    assert total.get_ylabel().startswith("total peaks")
    assert figure.axes[2].get_ylabel() == "maxima\nz"
    assert "8 boxes" in figure.get_supxlabel()


def test_theory_is_drawn_with_the_spectrum_of_the_maps_as_they_are(statistics, make_bins, draws, jacobians_of):
    bins = make_bins()
    theory = bins[bins["unit"] == "sr"][["source_1", "source_2", "low"]].assign(dln_sigma8=2.5)
    jacobians = jacobians_of(draws(bins, 4), bins)
    figure = plotting.derivatives(statistics, jacobians, np.zeros(len(bins)), theory)
    dashed = [[line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"] for axes in figure.axes]
    # of the spectrum, in the first row, with respect to sigma8, in the second column
    assert [len(lines) for lines in dashed] == [0, 1, 0, 0, 0, 0]
    np.testing.assert_array_equal(dashed[1][0], 2.5)
