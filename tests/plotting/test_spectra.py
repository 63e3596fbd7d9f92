"""Spectra, their ratio to theory, and where their panels are."""

import numpy as np
import pytest

from lenscast import plotting
from lenscast.statistics import StarletPowerSpectrum

ONE, TWO = (plotting.Nyquist(1.0, np.array(chi)) for chi in ([2000.0], [1000.0, 2000.0]))


def theory_of(bins):
    return bins[bins["unit"] == "sr"][["source_1", "source_2", "low"]].assign(limber=2e-9, limber_windows=1e-9)


def test_the_noise_is_subtracted_and_theory_is_the_reference(statistics, make_bins, draws, summaries_of, jacobians_of):
    bins = make_bins()
    noise = np.where(bins["unit"] == "sr", 3e-10, 0.0)
    expected, measured = draws(bins, 6) + noise, draws(bins, 8) + noise
    sample, jacobians = summaries_of(measured, bins), jacobians_of(expected, bins)
    figure = plotting.power_spectra(statistics["shear"], sample, jacobians, noise, ONE, theory_of(bins))
    ratio = figure.axes[1].containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, (expected - noise)[:, :3].mean(axis=0) / 1e-9)
    # both panels mark the particles' limit at k chi_s / 2
    for axes in figure.axes:
        assert any(line.get_xdata()[0] == 1000.0 for line in axes.lines if len(set(line.get_xdata())) == 1)


def test_spectra_of_several_sources_are_below_their_ratios(statistics, make_bins, draws, summaries_of, jacobians_of):
    bins = make_bins(sources=2)
    expected = draws(bins, 4)
    sample, jacobians = summaries_of(draws(bins, 4), bins), jacobians_of(expected, bins)
    figure = plotting.power_spectra(statistics["shear"], sample, jacobians, np.zeros(len(bins)), TWO, theory_of(bins))
    # rows of two sources, a column more for ratios: pair 1-2 is in the second row, its ratio at the end of the first
    assert len(figure.axes) == 6
    assert figure.axes[3].get_title() == "$C_\\ell$ (1-2)"
    assert figure.axes[2].get_title() == "$C_\\ell$ (1-2) / theory"
    ratio = figure.axes[2].containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, expected[:, 3:6].mean(axis=0) / 1e-9)


@pytest.mark.parametrize(("sources", "nyquist"), [(1, ONE), (2, TWO)])
def test_each_scale_of_a_spectrum_follows_below_the_one_before(
    sources, nyquist, make_bins, draws, summaries_of, jacobians_of, texts
):
    plain = make_bins(sources)
    plain = plain[plain["unit"] == "sr"]
    bins = plain.iloc[np.tile(np.arange(len(plain)), 2)].reset_index(drop=True)
    bins = bins.assign(statistic="bands", scale_arcmin=np.repeat([9.4, 18.8], len(plain)))
    edges = (100.0, 300.0, 500.0, 700.0)
    statistic = StarletPowerSpectrum(name="bands", scales_arcmin=(9.4, 18.8), ell_edges=edges)
    expected = draws(bins, 4)
    sample, jacobians = summaries_of(draws(bins, 4), bins), jacobians_of(expected, bins)
    figure = plotting.power_spectra(statistic, sample, jacobians, np.zeros(len(bins)), nyquist)
    axes = np.array(figure.axes).reshape(2 * sources, sources)
    assert axes[0, 0].get_title().startswith("$C_\\ell$ 9.4 arcmin")
    assert axes[sources, 0].get_title().startswith("$C_\\ell$ 18.8 arcmin")
    ell = bins["centre"][:3]
    second_scale = axes[sources, 0].containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(
        second_scale, ell * (ell + 1) / (2 * np.pi) * expected.mean(axis=0)[len(plain) : len(plain) + 3]
    )
    # without theory there is no ratio: one panel for each scale and pair
    assert sum(panel.get_visible() for panel in figure.axes) == sources * (sources + 1)
    assert "ratio" not in texts(figure) + figure.get_supylabel()
    assert "halofit" not in str([text.get_text() for text in figure.legends[0].get_texts()])
