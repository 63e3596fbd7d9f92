"""Statistics compared with those of a finer simulation, and with theory."""

from typing import ClassVar

import numpy as np
import pandas as pd

from lenscast import plotting
from lenscast.statistics import Peaks, StarletPowerSpectrum
from lenscast.validation.lensing import with_theory_ratios


class Moments(Peaks):
    """Values without positions."""

    label: ClassVar[str] = "moments"
    is_count: ClassVar[bool] = False
    scales_arcmin: tuple[float, ...] = (9.4,)
    snr_edges: tuple[float, ...] = (0.0, 1.0)
    stencil: str = "pixel"
    counts: str = "hard"


def validation_table(theory):
    ell = [288.0, 576.0]
    spectra = [{"statistic": "shear", "z_source": z, "centre": c} for z in (0.5, 0.914) for c in ell]
    counts = [
        {"statistic": "maxima", "scale_arcmin": scale, "z_source": z, "centre": c}
        for scale in (9.4, 18.8)
        for z in (0.5, 0.914)
        for c in (1.0, 2.0, 3.0)
    ]
    table = pd.DataFrame(spectra + counts)
    table = table.assign(low=table["centre"] - 0.5, high=table["centre"] + 0.5, unit="peaks per region")
    for name, value in {"plain": 8.0, "refined": 10.0}.items():
        table[name], table[f"{name}_error"] = value, 1.0
    table["plain_ratio"], table["plain_ratio_error"] = 0.8, 0.01
    if theory:
        table["theory"], table["limber"], table["ktng_limber"], table["dll_pm"] = 16.0, 20.0, 20.0, np.nan
        table["ktng"] = np.where(table["z_source"] == 0.914, 22.0, np.nan)
        table = with_theory_ratios(table, ["plain", "refined"])
    return table


def test_validation_spectra_are_drawn_over_theory_and_over_the_finer_simulation(statistics):
    figure = plotting.validation_spectra(validation_table(theory=True), statistics)
    assert len(figure.axes) == 4
    near, far, near_ratio, _ = figure.axes
    np.testing.assert_allclose(near.containers[0].lines[0].get_ydata(), 0.5)
    np.testing.assert_allclose(near_ratio.containers[0].lines[0].get_ydata(), 0.8)
    lines = {line.get_label(): line.get_ydata() for line in far.lines}
    np.testing.assert_allclose(lines["windows of the maps"], 0.8)
    np.testing.assert_allclose(lines[r"$\kappa$TNG-Dark, 2500$^3$"], 1.1)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(legend) == len(set(legend)) == 4  # windows, two variants, kTNG; no published points that are not there


def test_validation_spectra_without_theory_leave_its_row_out(statistics, texts):
    figure = plotting.validation_spectra(validation_table(theory=False), statistics)
    assert len(figure.axes) == 2
    assert "HMCode" not in texts(figure)


def test_validation_counts_have_values_and_ratios_for_each_scale_and_source(statistics, texts):
    figure = plotting.validation_counts(validation_table(theory=False), statistics)
    assert len(figure.axes) == 8
    counts, ratios = figure.axes[0], figure.axes[2]
    assert [container.lines[0].get_ydata()[0] for container in counts.containers] == [8.0, 10.0]
    np.testing.assert_allclose(ratios.containers[0].lines[0].get_ydata(), 0.8)
    assert "18.8 arcmin" in texts(figure)


def test_statistics_of_different_axes_share_none(statistics):
    table = validation_table(theory=False)
    counts = table[table["statistic"] == "maxima"]
    unpositioned = counts[counts["scale_arcmin"] == 9.4].assign(
        statistic="moments", scale_arcmin=np.nan, low=np.nan, high=np.nan, unit="1"
    )
    known = statistics | {"moments": Moments(name="moments")}
    figure = plotting.validation_counts(pd.concat([table, unpositioned], ignore_index=True), known)
    axes = np.array(figure.axes).reshape(6, 2)
    assert [panel.get_xlabel() for panel in axes[1::2, 0]] == [statistics["maxima"].axis] * 2 + ["bin"]
    assert axes[4, 0].get_ylabel() == "moments"
    assert [panel.get_yscale() for panel in axes[::2, 0]] == ["log", "log", "linear"]


def test_a_spectrum_with_scales_has_no_theory_and_a_row_for_each(statistics):
    table = validation_table(theory=True)
    spectra = table[table["statistic"] == "shear"]
    bands = [spectra.assign(statistic="bands", scale_arcmin=scale, theory=np.nan) for scale in (9.4, 18.8)]
    statistic = StarletPowerSpectrum(name="bands", scales_arcmin=(9.4, 18.8), ell_edges=(144, 432, 720))
    figure = plotting.validation_spectra(
        pd.concat([table, *bands], ignore_index=True), statistics | {"bands": statistic}
    )
    labels = [panel.get_ylabel() for panel in np.array(figure.axes).reshape(4, 2)[:, 0]]
    assert labels == [
        "$C_\\ell$ / HMCode2020",
        "$C_\\ell$ / finer simulation",
        "$C_\\ell$ 9.4 arcmin / finer simulation",
        "$C_\\ell$ 18.8 arcmin / finer simulation",
    ]
