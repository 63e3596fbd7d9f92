"""One style for all figures: colours, labels with units, panels, and files.

Colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart; line styles and markers differ too.
Symbols of parameters come from the table in `lenscast.parameters`, names of statistics from the statistics themselves.
"""

import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lenscast import parameters
from lenscast.statistics.statistic import Statistic

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MEASURED, EXPECTED, THEORY = COLOURS[0], COLOURS[1], COLOURS[6]

STYLE = MappingProxyType(
    {
        "axes.grid": True,
        "axes.labelsize": 10,
        "axes.titlesize": 10,
        "errorbar.capsize": 2,
        "font.size": 10,
        "grid.alpha": 0.25,
        "legend.fontsize": 9,
        "legend.framealpha": 0.9,
        "lines.linewidth": 1.3,
        "lines.markersize": 4,
        "mathtext.fontset": "stix",
        "font.family": "STIXGeneral",
        "savefig.dpi": 200,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
    }
)

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in the style of this module, and leave the settings of matplotlib as they were."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(["default", dict(STYLE)]):
            return function(*args, **kwargs)

    return inner


@styled
def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PDF, or as PNG with 200 dots per inch, as the path ends.

    The file appears whole or not at all. It holds neither time nor version, so that equal figures give equal bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    form = path.suffix.removeprefix(".")
    unnamed = ("Creator", "Producer", "CreationDate") if path.suffix == ".pdf" else ("Software",)
    try:
        figure.savefig(temporary, format=form, metadata=dict.fromkeys(unnamed), bbox_inches="tight")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def label(parameter: str) -> str:
    """Symbol of a parameter in mathematical type, or its name if it has no symbol."""
    symbol = parameters.label(parameter)
    return f"${symbol}$" if symbol else parameter


def grid(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, np.ndarray]:
    """Figure with a two-dimensional array of panels.

    Parameters
    ----------
    rows, columns
        Number of panels.
    size
        Width and height of a panel [inch].
    options
        Passed to `matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def mean_and_error(values: Float[np.ndarray, "box ..."]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over independent boxes and its standard error, which is 0 for a single box."""
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.zeros(values.shape[1:])
    return values.mean(axis=0), error


def blocks(bins: pd.DataFrame) -> dict[tuple[Any, ...], np.ndarray]:
    """Rows of each block of a data vector, in order.

    A block is all bins with the same statistic, scale and sources; these are its key, with a third source where any bin
    has one. Where one does not apply, it is NaN or None.
    """
    keys = ["statistic", "scale_arcmin", "source_1", "source_2", *(["source_3"] if "source_3" in bins else [])]
    return {key: rows.index.to_numpy() for key, rows in bins.groupby(keys, sort=False, dropna=False)}


def distinct(values: Any) -> list[Any]:
    """Different values in the order of their first appearance, with None in place of NaN."""
    return list(dict.fromkeys(None if pd.isna(value) else value for value in values))


def block_label(key: tuple[Any, ...], statistics: Mapping[str, Statistic], numbered: bool = False) -> str:
    """Name of a block of a data vector, such as ``peaks 9.4 arcmin (2)``.

    Parameters
    ----------
    key
        Key of `blocks`.
    statistics
        Statistics by name, which have the labels.
    numbered
        Whether to write the number of the first source too, where there is no other one.
    """
    statistic, scale, *given = key
    words = [statistics[statistic].label, "" if pd.isna(scale) else f"{scale:.3g} arcmin"]
    sources = [f"{int(source) + 1}" for source in given if not pd.isna(source)]
    return " ".join(word for word in words if word) + (
        f" ({'-'.join(sources)})" if numbered or set(sources) - {"1"} else ""
    )


def value_label(statistic: Statistic, unit: str) -> str:
    """Label of an axis with the values of a statistic: what is counted, or the name of the statistic with its unit."""
    if statistic.is_count:
        return f"{unit} and bin"
    return statistic.label if unit in ("", "1") else f"{statistic.label} [{unit}]"


def are_numbered(bins: pd.DataFrame) -> bool:
    """Whether the bins of a block have no increasing positions on the axis of the statistic: figures number them."""
    has_limits = bins[["low", "high"]].notna().any(axis=None)
    return not (has_limits and np.isfinite(bins["centre"]).all() and (np.diff(bins["centre"]) > 0).all())


def bin_positions(bins: pd.DataFrame) -> np.ndarray:
    """Centres of the bins of a block, or their numbers from 1 where they have no position."""
    return np.arange(1.0, len(bins) + 1) if are_numbered(bins) else bins["centre"].to_numpy(float)


def bin_axis(statistic: Statistic, bins: pd.DataFrame) -> str:
    """Label of the axis that `bin_positions` are on."""
    return "bin" if are_numbered(bins) else statistic.axis


def vector_label(name: str) -> str:
    """Name of a data vector, with the symbol of the field for the spectrum."""
    return name.replace("_", " ").replace("C ell", r"$C_\ell$")


def note(figure: Figure, text: str) -> None:
    """Write below the panels what a reader must know."""
    figure.supxlabel(text, fontsize=9, x=0.01, ha="left")


def plain_ticks(axis: Axis) -> None:
    """Write numbers such as 300 on a logarithmic axis that spans about a decade, in place of powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def symmetric(axes: Axes, centre: float = 0.0) -> None:
    """Draw a line at the value that stands for agreement or for no effect."""
    axes.axhline(centre, color="0.4", linewidth=0.8, zorder=0)
