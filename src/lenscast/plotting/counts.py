"""Statistics in bins that are not spectra: measured values compared with their expectation over the shape noise.

The statistic says how it is drawn: its label, the label of its axis, and whether it counts. Its bins may have open
ends, or no position at all.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.plotting.style import (
    EXPECTED,
    MEASURED,
    are_numbered,
    bin_axis,
    block_label,
    blocks,
    distinct,
    grid,
    mean_and_error,
    note,
    styled,
    symmetric,
    value_label,
)
from lenscast.statistics.statistic import Statistic

MOST_COLUMNS = 5


@styled
def counts(statistic: Statistic, summaries: SummarySample, jacobians: Jacobians) -> Figure:
    """Statistic that is not a spectrum, in bins: measured, expected over the shape noise, and the ratio of both.

    Scales are columns where there is one source bin. Several source bins, or pairs of them, are up to five columns, and
    scales follow below each other; further sources follow below these.

    Parameters
    ----------
    statistic
        Statistic to draw.
    summaries
        Values measured in noisy maps. Their errors are those of independent boxes.
    jacobians
        Values expected over the shape noise, means of boxes.
    """
    bins = jacobians.bins[jacobians.bins["statistic"] == statistic.name]
    parts = blocks(bins)
    boxes = pd.DataFrame(summaries.measured).groupby(summaries.box).mean().to_numpy()
    measured, expected = mean_and_error(boxes), mean_and_error(jacobians.expected)
    field_error = summaries.measured.std(axis=0, ddof=1)
    is_numbered = len(distinct(key[2] for key in parts)) > 1
    figure, axes, panels = _count_panels(list(parts))
    for (upper, lower), (key, rows) in zip(panels, parts.items(), strict=True):
        means = [(mean[rows], error[rows]) for mean, error in (measured, expected)]
        _draw_counts((upper, lower), statistic, bins.loc[rows], means, field_error[rows])
        upper.set_title(block_label(key, {statistic.name: statistic}, is_numbered))
    for upper, lower in axes[:, 0].reshape(-1, 2):
        upper.set_ylabel(value_label(statistic, bins["unit"].iloc[0]))
        lower.set_ylabel("expected / hard" if statistic.is_count else "expected / measured")
    for column in axes.T:
        lowest = [panel for panel in column if panel.axison][-1]
        lowest.set_xlabel(bin_axis(statistic, bins.loc[rows]))
        lowest.tick_params(labelbottom=True)
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    is_open = not are_numbered(bins.loc[rows]) and bins[["low", "high"]].isna().any(axis=None)
    text = "Errors of the ratio are those of the means over independent boxes."
    note(figure, f"The outermost bins are open. {text}" if is_open else text)
    return figure


def _count_panels(keys: Sequence[tuple[Any, ...]]) -> tuple[Figure, np.ndarray, list[np.ndarray]]:
    """All panels, and for each block those of the values and of their ratio."""
    # statistics may run over scales and sources in any order, so that a block is placed by its key
    places = [tuple(None if pd.isna(each) else each for each in key[1:]) for key in keys]
    scales = list(dict.fromkeys(place[0] for place in places))
    pairs = list(dict.fromkeys(place[1:] for place in places))
    positions = [(scales.index(place[0]), pairs.index(place[1:])) for place in places]
    if len(pairs) == 1:
        figure, axes = grid(2, len(scales), (4.2, 2.9), sharex="col", height_ratios=(2, 1.2))
        return figure, axes, [axes[:, scale] for scale, _ in positions]
    columns = min(len(pairs), MOST_COLUMNS)
    bands = -(-len(pairs) // columns) * len(scales)
    figure, axes = grid(2 * bands, columns, (2.6, 2.0), sharex=True, height_ratios=bands * (2, 1.2))
    first = [2 * (pair // columns * len(scales) + scale) for scale, pair in positions]
    panels = [axes[row : row + 2, pair % columns] for row, (_, pair) in zip(first, positions, strict=True)]
    for panel in {*axes.flat} - {each for pair in panels for each in pair}:
        panel.set_axis_off()
    return figure, axes, panels


def _draw_counts(
    panels: tuple[Axes, Axes],
    statistic: Statistic,
    bins: pd.DataFrame,
    means: Sequence[tuple[np.ndarray, np.ndarray]],
    field_error: np.ndarray,
) -> None:
    """One block: measured and expected mean, each with its error, and their ratio."""
    (upper, lower), ((measured, measured_error), (expected, expected_error)) = panels, means
    edges = _edges(bins)
    centre = (edges[1:] + edges[:-1]) / 2
    name = "hard counts" if statistic.is_count else "measured"
    upper.stairs(measured, edges, color=MEASURED, fill=True, alpha=0.25, label=f"{name}, mean of maps")
    upper.errorbar(centre, measured, field_error, fmt="none", color=MEASURED, label="scatter of one field")
    upper.errorbar(centre, expected, expected_error, fmt="s", color=EXPECTED, markerfacecolor="white",
                   label="expected over the shape noise")  # fmt: skip
    upper.set_yscale("log" if statistic.is_count else "linear")
    with np.errstate(divide="ignore", invalid="ignore"):  # an empty bin has no ratio, and matplotlib leaves it out
        ratio = expected / measured
        relative = np.hypot(expected_error / expected, measured_error / measured)
    lower.errorbar(centre, ratio, np.abs(ratio) * relative, fmt="s", color=EXPECTED, markerfacecolor="white")
    symmetric(lower, 1.0)


def _edges(bins: pd.DataFrame) -> np.ndarray:
    """Edges between which the bins of a block are drawn.

    An open end is drawn as wide as the next bin or, where there is no such bin, as far from the centre as the other
    end. Gaps between bins are divided between them. Bins that have no position are drawn around their numbers.
    """
    if are_numbered(bins):
        return np.arange(len(bins) + 1) + 0.5
    low, high, centre = (bins[name].to_numpy(float) for name in ("low", "high", "centre"))
    edges = np.concatenate([low[:1], (high[:-1] + low[1:]) / 2, high[-1:]])
    first, last = _closed_end(edges[:3], centre[0]), _closed_end(edges[:-4:-1], centre[-1])
    edges[0], edges[-1] = first, last
    return edges


def _closed_end(edges: np.ndarray, centre: float) -> float:
    """Outermost edge of a row of bins, from up to three edges that start with it and the centre of the first bin."""
    end, inner, *following = edges
    if np.isfinite(end):
        return float(end)
    return float(2 * inner - following[0] if following and np.isfinite(following[0]) else 2 * centre - inner)
