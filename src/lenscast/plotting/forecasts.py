"""Forecasts: correlation of the data, contours of parameters, and errors against the number of boxes.

Contours are those of Gaussian posteriors at 68 % and 95 % of the probability in two dimensions, drawn by GetDist.
Tables and verdicts are those of `lenscast.fisher`.
"""

from collections.abc import Collection, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, MaxNLocator, NullFormatter

from lenscast.fisher.along import JACOBIAN
from lenscast.fisher.matrices import DELTA_CHI2, ParameterCovariance
from lenscast.fisher.shown_tables import posterior_rows
from lenscast.parameters import stem
from lenscast.plotting.style import COLOURS, MARKERS, block_label, blocks, grid, label, note, styled, vector_label
from lenscast.statistics.statistic import Statistic

DASHED_NOTE = "dashed: the data do not constrain one of the two parameters"
NOTE_WIDTH = 120
"""Letters of a line below the contours."""
MANY_BLOCKS = 8
"""Number of blocks above which ticks name statistics and scales, without the sources."""
TWO_DIMENSIONAL_LEVELS = (0.6827, 0.9545)
LEVELS_NOTE = (
    f"contours: 68 % and 95 % in two dimensions (Δχ² = {', '.join(f'{each:.2f}' for each in DELTA_CHI2.values())}); "
    "Fisher matrix of the cross-realisation estimator with priors"
)


@styled
def correlation(
    matrix: Float[np.ndarray, "bin bin"], bins: pd.DataFrame, statistics: Mapping[str, Statistic]
) -> Figure:
    """Correlation matrix of the data of one field, with the blocks of the data vector."""
    figure, axes = grid(1, 1, (5.6, 4.8))
    panel = axes[0, 0]
    image = panel.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="none")
    figure.colorbar(image, ax=panel, label="correlation", shrink=0.9)
    bins = bins.reset_index(drop=True)
    parts = blocks(bins)
    for rows in parts.values():
        panel.axvline(rows[-1] + 0.5, color="black", linewidth=8 / (10 + len(parts)))
        panel.axhline(rows[-1] + 0.5, color="black", linewidth=8 / (10 + len(parts)))
    is_numbered = len(parts) <= MANY_BLOCKS and bins["source_1"].nunique() > 1
    if len(parts) > MANY_BLOCKS:
        parts = blocks(bins.assign(source_1=0, source_2=0))
    middles = [rows.mean() for rows in parts.values()]
    names = [block_label(key, statistics, is_numbered) for key in parts]
    panel.set_xticks(middles, names, rotation=40, ha="right", rotation_mode="anchor")
    panel.set_yticks(middles, names)
    panel.tick_params(length=0)
    panel.grid(False)
    panel.set_title("each block: bins of a source or pair, from low to high")
    return figure


@styled
def triangle(
    posteriors: Mapping[str, ParameterCovariance],
    notes: Sequence[str] = (),
    priors_own: Mapping[str, Collection[str]] | None = None,
) -> Figure:
    """Contours and marginal distributions of all parameters for several data vectors.

    Lines mark the fiducial values.

    Parameters
    ----------
    posteriors
        Posteriors of the same parameters, by data vector.
    notes
        Lines of text that follow the levels of the contours, such as those of `verdict_note`.
    priors_own
        By data vector, parameters that its data do not constrain (`priors_own`), whose contours are thin and dashed.
    """
    from getdist.gaussian_mixtures import GaussianND  # here: it takes as long to import as all other figures together
    from getdist.plots import get_subplot_plotter

    first = next(iter(posteriors.values()))
    symbols = [label(name).strip("$") for name in first.names]
    # GetDist inverts the whole matrix, which a derived parameter makes singular; 1e-9 of each variance is not seen
    gaussians = [
        GaussianND(
            posterior.fiducial,
            posterior.matrix + 1e-9 * np.diag(np.diag(posterior.matrix)),
            names=list(posterior.names),
            labels=symbols,
        )
        for posterior in posteriors.values()
    ]
    # where contours coincide, the wider ones show at the sides of the narrower ones
    widths = list(np.linspace(2.4, 1.2, len(gaussians)))
    plotter = get_subplot_plotter(width_inch=1.45 * len(first.names))
    plotter.settings.fontsize = plotter.settings.legend_fontsize = 11
    plotter.settings.axes_fontsize, plotter.settings.axes_labelsize = 8, 11
    plotter.settings.scaling = False
    plotter.sample_analyser.ini.params["contours"] = " ".join(map(str, TWO_DIMENSIONAL_LEVELS))
    plotter.triangle_plot(
        gaussians,
        list(first.names),
        filled=False,
        contour_colors=list(COLOURS[: len(gaussians)]),
        contour_lws=widths,
        line_args=[{"color": colour, "lw": width} for colour, width in zip(COLOURS, widths, strict=False)],
        legend_labels=[vector_label(name) for name in posteriors],
        markers=dict(zip(first.names, first.fiducial, strict=True)),
    )
    figure = plotter.fig
    pyplot.close(figure)
    for axes in figure.axes:  # the ticks of GetDist use functions that matplotlib 3.11 deprecates
        axes.xaxis.set_major_locator(_InnerTicks(2))
        if len(axes.get_yticks()):
            axes.yaxis.set_major_locator(_InnerTicks(2))
    dashed = [{*(priors_own or {}).get(name, ())} for name in posteriors]
    for row, panels in enumerate(plotter.subplots):
        for column, axes in enumerate(panels[: row + 1]):
            shown = {first.names[row], first.names[column]}
            _dash(axes, [bool(shown & each) for each in dashed])
    lines = [LEVELS_NOTE, *((DASHED_NOTE,) if any(dashed) else ()), *notes]
    wrapped = (fill(line, NOTE_WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in lines)
    figure.text(0.01, -0.01, "\n".join(wrapped), ha="left", va="top", fontsize=9)
    return figure


class _InnerTicks(Locator):
    """Ticks that keep away from the ends of the axis, where their labels would collide with those of the next panel.

    Parameters
    ----------
    least
        Least number of ticks.
    """

    def __init__(self, least: int) -> None:
        self.least = least

    def __call__(self) -> Any:
        """Ticks of the present limits."""
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The fewest round values between a tenth and nine tenths of the axis."""
        low, high = sorted((vmin, vmax))
        margin, inner = 0.1 * (high - low), np.array([])
        for intervals in range(self.least, 10):
            values = np.asarray(MaxNLocator(intervals).tick_values(low, high))
            inner = values[(values > low + margin) & (values < high - margin)]
            if len(inner) >= self.least:
                break
        return inner


def _dash(axes: Axes, flags: Sequence[bool]) -> None:
    """Draw the contours, or on the diagonal the curves, of some data vectors thin and dashed."""
    drawn: Sequence[Any] = axes.collections or axes.lines
    for artist, is_dashed in zip(drawn, flags, strict=False):
        if is_dashed:
            artist.set(linestyle="--", linewidth=0.8)


def priors_own(table: pd.DataFrame) -> list[str]:
    """Parameters that the data do not constrain: the prior sets them, or no information was found.

    Parameters
    ----------
    table
        Table of `fisher.tables.fisher_table`. Omega_m and S8 follow the parameters that they are made of.
    """
    rows = posterior_rows(table)
    names = rows.loc[(rows["verdict"] == "set by the prior") | np.isinf(rows["boxes_needed"]), "parameter"]
    return [*names, *({"Omega_m"} if "Omega_c" in set(names) else ())]


def verdict_note(data_vector: str, table: pd.DataFrame) -> list[str]:
    """Line on the parameters that the prior sets, and on those whose errors the simulations limit.

    Parameters
    ----------
    data_vector
        Name of the data vector.
    table
        Table of `fisher.tables.fisher_table`, of which the rows of the contours are read (`posterior_rows`).

    Returns
    -------
    A list with the line, or an empty list if there is no such parameter.
    """
    rows = posterior_rows(table)
    rows = rows[rows["verdict"] != "converged"]
    texts = []
    for (verdict, reason), group in rows.groupby(["verdict", rows["reason"].astype(object).fillna("")], sort=False):
        symbols = ", ".join(dict.fromkeys(label(stem(name)) for name in group["parameter"]))
        why = f" ({reason}{_needed(group, reason)})" if verdict == "limited by simulations" else ""
        texts.append(f"{verdict}{why}: {symbols}")
    return [f"{vector_label(data_vector)}: {'; '.join(texts)}"] if texts else []


def _needed(rows: pd.DataFrame, reason: str) -> str:
    """How many boxes it takes, for rows that the noise of the Jacobian limits."""
    if JACOBIAN not in reason:
        return ""
    needed = rows["boxes_needed"].max()
    return f"; {needed:.0f} boxes needed" if np.isfinite(needed) else "; no information found"


@styled
def reliability(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Marginal errors against the number of boxes behind the derivatives, by the headline and the standard estimator.

    Parameters
    ----------
    curves
        Tables of `fisher.reliability.reliability_curve`, by data vector.
    """
    every = dict.fromkeys(next(iter(curves.values()))["parameter"])
    names = [name for name in every if stem(name) == name]
    ticks = sorted(set(next(iter(curves.values()))["boxes"]))
    columns = min(3, len(names))
    figure, axes = grid(-(-len(names) // columns), columns, (3.1, 2.4), sharex=True)
    styles = {"cross": "-", "standard": "--"}
    for axis, name in zip(axes.flat, names, strict=False):
        for (vector, curve), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
            for estimator, style in styles.items():
                rows = curve[(curve["parameter"] == name) & (curve["estimator"] == estimator)]
                axis.plot(rows["boxes"], rows["sigma"], style, marker=marker, color=colour,
                          markerfacecolor="white" if style == "--" else colour,
                          label=f"{vector_label(vector)}, {estimator}")  # fmt: skip
        axis.set(xscale="log", title=label(name), xlabel="boxes", xticks=ticks, xticklabels=map(str, ticks))
        finite = [line.get_ydata()[np.isfinite(line.get_ydata())] for line in axis.lines]
        axis.set_ylim(0, 1.08 * max((each.max() for each in finite if len(each)), default=1.0))
        axis.xaxis.set_minor_formatter(NullFormatter())
    for axis in axes[:, 0]:
        axis.set_ylabel(r"$\sigma$, marginal, with priors")
    for axis in list(axes.flat)[len(names) :]:
        axis.set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(curves))
    text = "Medians over groups of boxes; a matrix without an inverse counts as infinite. No point: an infinite median."
    note(figure, text)
    return figure
