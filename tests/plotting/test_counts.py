"""Statistics that are not spectra, also those that plotting has never heard of."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from lenscast import plotting
from lenscast.statistics import Statistic


class Unheard(Statistic):
    """A statistic of somebody else."""

    label: ClassVar[str] = "Betti number"
    axis: ClassVar[str] = "threshold"

    def bins(self, observation):
        raise NotImplementedError

    def measured(self, kappa, noise, observation):
        raise NotImplementedError

    def expected(self, kappa, noise, observation):
        raise NotImplementedError


def unheard_bins(limits, unit="1", **columns):
    rows = [{"low": low, "high": high, "centre": centre} for low, high, centre in limits]
    table = pd.DataFrame(rows, dtype=float).assign(statistic="unheard", unit=unit, source_1=0, source_2=None)
    return table.assign(**{"scale_arcmin": np.nan, **columns})


def ratio_of(panel):
    return panel.containers[0].lines[0].get_ydata()


def edges_of(panel):
    return panel.patches[0].get_data().edges


def test_counts_of_several_sources_have_a_column_each(statistics, make_bins, draws, summaries_of, jacobians_of):
    bins = make_bins(sources=2)
    measured, expected = draws(bins, 8), draws(bins, 4)
    figure = plotting.counts(statistics["maxima"], summaries_of(measured, bins), jacobians_of(expected, bins))
    assert len(figure.axes) == 2 * 2 * 2
    # second scale, second source
    np.testing.assert_allclose(ratio_of(figure.axes[7]), (expected.mean(axis=0) / measured.mean(axis=0))[-3:])
    assert figure.axes[5].get_title() == "peaks 18.8 arcmin (2)"


def test_counts_of_more_sources_than_columns_go_on_below(statistics, make_bins, draws, summaries_of, jacobians_of):
    bins = make_bins(sources=7)
    measured, expected = draws(bins, 8), draws(bins, 4)
    figure = plotting.counts(statistics["maxima"], summaries_of(measured, bins), jacobians_of(expected, bins))
    scales = bins.loc[bins["statistic"] == "maxima", "scale_arcmin"].nunique()
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(figure.axes) == 2 * scales * 10
    assert len(drawn) == 2 * scales * 7
    titles = [axes.get_title() for axes in drawn if axes.get_title()]
    assert len({*titles}) == scales * 7
    # one below each of the five columns, with its ticks
    labelled = [axes for axes in drawn if axes.get_xlabel()]
    assert len(labelled) == 5
    assert all(axes.xaxis.get_tick_params()["labelbottom"] for axes in labelled)


def test_counts_compare_means_with_errors_over_boxes(statistics, make_bins, draws, summaries_of, jacobians_of, texts):
    bins = make_bins()
    measured, expected = draws(bins, 8), draws(bins, 4)
    figure = plotting.counts(statistics["maxima"], summaries_of(measured, bins), jacobians_of(expected, bins))
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
    # open ends are as wide as their neighbours
    np.testing.assert_allclose(edges_of(figure.axes[0]), [0, 1, 2, 3])
    assert "open" in figure.get_supxlabel()
    assert "peaks per region and bin" in texts(figure)


NONE = np.nan
LIMITS = {
    "closed": ([(0, 1, 0.5), (1, 3, 2), (3, 4, 3.5)], [0, 1, 3, 4], "threshold"),
    "closed below": ([(0, 1, 0.5), (1, NONE, 1.5)], [0, 1, 2], "threshold"),
    "two open": ([(NONE, 1, 0.5), (1, NONE, 1.5)], [0, 1, 2], "threshold"),
    "gap": ([(0, 1, 0.5), (2, 3, 2.5)], [0, 1.5, 3], "threshold"),
    "one": ([(2, 4, 3)], [2, 4], "threshold"),
    "one, open": ([(2, NONE, 3)], [2, 4], "threshold"),
    "no limits": ([(NONE, NONE, 0)] * 3, [0.5, 1.5, 2.5, 3.5], "bin"),
    "one without limits": ([(NONE, NONE, NONE)], [0.5, 1.5], "bin"),
    "not in order": ([(1, 2, 1.5), (0, 1, 0.5)], [0.5, 1.5, 2.5], "bin"),
}


@pytest.mark.slow
@pytest.mark.parametrize("limits", LIMITS)
def test_bins_of_an_unknown_statistic_are_drawn_at_their_limits_or_numbers(
    limits, rng, summaries_of, jacobians_of, tmp_path
):
    rows, edges, axis = LIMITS[limits]
    bins, statistic = unheard_bins(rows), Unheard(name="unheard")
    measured, expected = rng.normal(size=(8, len(bins))), rng.normal(size=(4, len(bins)))
    figure = plotting.counts(statistic, summaries_of(measured, bins), jacobians_of(expected, bins))
    upper, lower = figure.axes
    np.testing.assert_allclose(edges_of(upper), edges)
    np.testing.assert_allclose(upper.patches[0].get_data().values, measured.mean(axis=0))
    np.testing.assert_allclose(ratio_of(lower), expected.mean(axis=0) / measured.mean(axis=0))
    assert (lower.get_xlabel(), upper.get_ylabel(), upper.get_title()) == (axis, "Betti number", "Betti number")
    assert upper.get_yscale() == "linear"
    is_open = any(np.isnan(each[:2]).any() for each in rows) and axis != "bin"
    assert ("open" in figure.get_supxlabel()) == is_open
    plotting.save(figure, tmp_path / "figure.png")


def test_blocks_of_an_unknown_statistic_are_placed_by_scale_and_pair_in_any_order(rng, summaries_of, jacobians_of):
    blocks = [(i, j, scale) for i, j in ((0, 0), (0, 1)) for scale in (2.0, 4.0)]
    columns = {"source_1": "i", "source_2": "j", "scale_arcmin": "scale"}
    tables = [unheard_bins([(0, 1, 0.5), (1, 2, 1.5)], **dict(zip(columns, block, strict=True))) for block in blocks]
    bins = pd.concat(tables, ignore_index=True)
    measured, expected = rng.normal(size=(8, len(bins))), rng.normal(size=(4, len(bins)))
    statistic = Unheard(name="unheard")
    figure = plotting.counts(statistic, summaries_of(measured, bins), jacobians_of(expected, bins))
    axes = np.array(figure.axes).reshape(4, 2)
    ratio = expected.mean(axis=0) / measured.mean(axis=0)
    # the second block is the first pair on the second scale
    np.testing.assert_allclose(ratio_of(axes[3, 0]), ratio[2:4])
    np.testing.assert_allclose(ratio_of(axes[1, 1]), ratio[4:6])
    assert axes[0, 1].get_title() == "Betti number 2 arcmin (1-2)"


def test_an_unknown_statistic_has_derivatives_and_correlations(rng, summaries_of, jacobians_of, texts):
    bins, statistics = unheard_bins([(NONE, NONE, 0)] * 3, unit="deg"), {"unheard": Unheard(name="unheard")}
    jacobians = jacobians_of(rng.normal(size=(4, 3)), bins, rng.normal(size=(4, 2, 3)))
    figure = plotting.derivatives(statistics, jacobians, np.zeros(3))
    np.testing.assert_allclose(figure.axes[0].containers[0].lines[0].get_ydata(), jacobians.jacobian[:, 0].mean(axis=0))
    np.testing.assert_array_equal(figure.axes[0].containers[0].lines[0].get_xdata(), [1, 2, 3])
    assert figure.axes[0].get_ylabel() == "Betti number\n$\\mathrm{d}/\\mathrm{d}\\theta$ [deg]"
    assert not figure.get_supxlabel().startswith("N:")
    figure = plotting.correlation(np.eye(3), bins, statistics)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["Betti number"]
