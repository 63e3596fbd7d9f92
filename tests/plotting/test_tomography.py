"""Spectra of lensing and alignments, and their derivatives, compared with theory."""

import numpy as np
import pandas as pd

from lenscast import plotting


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
    drawn = lower.containers[1].lines[0].get_ydata().astype(float)
    np.testing.assert_allclose(drawn, ell * (ell + 1) / (2 * np.pi) * rows["measured"].abs())


def test_tomography_derivatives_are_those_of_each_source_with_its_own_parameter(rng):
    rows = [
        {"parameter": name, "source_1": i, "source_2": i, "centre": ell, "measured": rng.normal(), "error": 0.1}
        for name in ("A_IA", "m_1", "m_2")
        for i in (0, 1)
        for ell in (200.0, 300.0)
    ]
    table = pd.DataFrame(rows).assign(theory=1.0, low=150.0, high=350.0, resolved=False)
    figure = plotting.tomography_derivatives(table)
    assert len(figure.axes) == 4
    drawn = figure.axes[3].containers[0].lines[0].get_ydata().astype(float)
    own = table[(table["parameter"] == "m_2") & (table["source_1"] == 1)]
    np.testing.assert_allclose(drawn, own["measured"])
