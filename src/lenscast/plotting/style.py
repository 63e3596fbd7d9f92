"""One style for all figures, labels with units, and files.

Colours are those of Okabe & Ito, which colour-blind readers can tell apart; line styles and markers differ too.
"""

import os
from collections.abc import Callable
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

from lenscast.cosmology import LABELS
from lenscast.lensing.systematics import PER_SOURCE, SHARED, systematics_label

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SYMBOLS = {**LABELS, "S8": "S_8", **SHARED, **PER_SOURCE}
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
    """Run a function in the style of this module and leave matplotlib's settings as they were."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(["default", dict(STYLE)]):
            return function(*args, **kwargs)

    return inner


@styled
def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG with 200 dots per inch; it appears whole or not at all, without time or version.

    Parameters
    ----------
    figure : what to write.
    path : file to make or replace.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        figure.savefig(temporary, format="png", metadata={"Software": None}, bbox_inches="tight")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def label(parameter: str) -> str:
    """A parameter's symbol, or its name where it has none."""
    symbol = SYMBOLS.get(parameter) or systematics_label(parameter)
    return f"${symbol}$" if symbol else parameter


def shared_name(parameter: str) -> str:
    """What parameters that there is one of for each source have in common; of others, the name."""
    stem = parameter.rpartition("_")[0]
    return stem if stem in PER_SOURCE else parameter


def grid(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, np.ndarray]:
    """Figure with rows x columns panels of the given size [inch], as a two-dimensional array."""
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def mean_and_error(values: Float[np.ndarray, "box ..."]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over independent boxes and its standard error, 0 where there is but one box."""
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.zeros(values.shape[1:])
    return values.mean(axis=0), error


def blocks(bins: pd.DataFrame) -> dict[tuple[Any, ...], np.ndarray]:
    """Rows of each part of a data vector that shares statistic, scale and sources, keyed by these, in order."""
    keys = bins[["statistic", "scale_arcmin", "source_1", "source_2"]]
    number = (keys.ne(keys.shift()) & ~(keys.isna() & keys.shift().isna())).any(axis=1).cumsum()
    return {tuple(keys.loc[rows.index[0]]): rows.index.to_numpy() for _, rows in keys.groupby(number)}


def block_label(key: tuple[Any, ...], numbered: bool = False) -> str:
    """What a part of a data vector is, in words, such as ``peaks 9.4 arcmin``; sources have numbers if asked for."""
    statistic, scale, first, second = key
    names = {"power_spectrum": r"$C_\ell$", "starlet_power_spectrum": r"$C_\ell$", "peaks": "peaks"}
    words = [names.get(statistic, statistic), "" if pd.isna(scale) else f"{scale:.3g} arcmin"]
    sources = [f"{int(source) + 1}" for source in (first, second) if not pd.isna(source)]
    return " ".join(word for word in words if word) + (
        f" ({'-'.join(sources)})" if numbered or set(sources) - {"1"} else ""
    )


def vector_label(name: str) -> str:
    """Name of a data vector, with the field's symbol for the spectrum."""
    return name.replace("_", " ").replace("C ell", r"$C_\ell$")


def note(figure: Figure, text: str) -> None:
    """Text below the panels, for what a reader must know."""
    figure.supxlabel(text, fontsize=9, x=0.01, ha="left")


def plain_ticks(axis: Axis) -> None:
    """Numbers such as 300 on a logarithmic axis that spans a decade or so, in place of powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def symmetric(axes: Axes, centre: float = 0.0) -> None:
    """Line at the value that agreement or no effect has."""
    axes.axhline(centre, color="0.4", linewidth=0.8, zorder=0)
