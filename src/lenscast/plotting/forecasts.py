"""Forecasts: correlation of the data, contours of parameters, and errors against the number of boxes.

Contours are those of Gaussian posteriors at 68 % and 95 % of the probability in two dimensions, drawn by GetDist.
Tables and verdicts are those of `lenscast.fisher`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lenscast.fisher.along import JACOBIAN
from lenscast.fisher.matrices import DELTA_CHI2, ParameterCovariance
from lenscast.fisher.shown_tables import posterior_rows
from lenscast.parameters import stem
from lenscast.plotting.contours import LEVELS, Curves, contours, gaussian, note_below
from lenscast.plotting.style import COLOURS, MARKERS, block_label, blocks, grid, label, note, styled, vector_label
from lenscast.statistics.statistic import Statistic

DASHED_NOTE = "dashed: the data do not constrain one of the two parameters"
MANY_BLOCKS = 8
"""Number of blocks above which ticks name statistics and scales, without the sources."""
LEVELS_NOTE = (
    f"{LEVELS} (Δχ² = {', '.join(f'{each:.2f}' for each in DELTA_CHI2.values())}); "
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
        parts = blocks(bins.assign(source_1=0, source_2=0, source_3=0))
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
    first = next(iter(posteriors.values()))
    # where contours coincide, the wider ones show at the sides of the narrower ones
    widths = np.linspace(2.4, 1.2, len(posteriors))
    curves = [
        Curves(gaussian(posterior), vector_label(name), colour, float(width))
        for (name, posterior), colour, width in zip(posteriors.items(), COLOURS, widths, strict=False)
    ]
    figure, subplots = contours(curves, first.names, first.fiducial)
    dashed = [{*(priors_own or {}).get(name, ())} for name in posteriors]
    for row, panels in enumerate(subplots):
        for column, axes in enumerate(panels[: row + 1]):
            shown = {first.names[row], first.names[column]}
            _dash(axes, [bool(shown & each) for each in dashed])
    note_below(figure, [LEVELS_NOTE, *((DASHED_NOTE,) if any(dashed) else ()), *notes])
    return figure


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
