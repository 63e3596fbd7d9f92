"""Triangles of contours and marginal distributions, drawn by GetDist, of Gaussian posteriors and of draws of chains."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import partial
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, MaxNLocator

from lenscast.fisher.matrices import ParameterCovariance
from lenscast.parameters import limits
from lenscast.plotting.style import label

LEVELS = "contours: 68 % and 95 % in two dimensions"
NOTE_WIDTH = 120
"""Letters of a line below the contours."""
TWO_DIMENSIONAL_LEVELS = (0.6827, 0.9545)
GRID, GRID_SIGMA = 384, 3.5
"""Points per side of the grid on which contours of Gaussian posteriors are found, and its half width in errors."""


class Curves(NamedTuple):
    """A distribution, and how it is drawn.

    Attributes
    ----------
    distribution
        Distribution of GetDist: `gaussian` or `draws`.
    title
        Entry of the legend.
    colour, width, line
        Colour, width and style of the lines.
    """

    distribution: Any
    title: str
    colour: str
    width: float
    line: str = "-"


def gaussian(posterior: ParameterCovariance) -> Any:
    """Distribution of GetDist of a Gaussian posterior."""
    from getdist.gaussian_mixtures import GaussianND  # here: it takes as long to import as all other figures together

    class Coarser(GaussianND):
        """Three posteriors of nine parameters take 31 s on GetDist's own grid of 1024^2 points, and 8 s on this one."""

        def marginalizedMixture(self, params: Any, **settings: Any) -> Any:
            pair = super().marginalizedMixture(params, **settings)
            pair.density2D = partial(pair.density2D, num_points=GRID, sigma_max=GRID_SIGMA)
            return pair

    # GetDist inverts the whole matrix, which a derived parameter makes singular; 1e-9 of each variance is not seen
    return Coarser(
        posterior.fiducial,
        posterior.matrix + 1e-9 * np.diag(np.diag(posterior.matrix)),
        names=list(posterior.names),
        labels=[label(name).strip("$") for name in posterior.names],
    )


def draws(values: Float[np.ndarray, "chain draw param"], names: Sequence[str]) -> Any:
    """Distribution of GetDist of the draws of chains, which ends at the ranges of the parameters."""
    from getdist import MCSamples

    ranges = {name: limits(name) for name in names if limits(name) != (None, None)}
    with redirect_stdout(None):  # it prints that it removes nothing
        return MCSamples(
            samples=[*values],
            names=list(names),
            labels=[label(name).strip("$") for name in names],
            ranges=ranges,
            settings={"ignore_rows": 0, "fine_bins_2D": 128},
        )


def contours(
    curves: Sequence[Curves], names: Sequence[str], fiducial: Float[np.ndarray, " param"]
) -> tuple[Figure, Any]:
    """Contours and marginal distributions of some parameters, and lines at their fiducial values.

    Returns
    -------
    The figure, and its panels by row and column of the triangle.
    """
    from getdist.plots import get_subplot_plotter

    plotter = get_subplot_plotter(width_inch=1.45 * max(len(names), 3))  # two columns have no room for the legend
    plotter.settings.fontsize = plotter.settings.legend_fontsize = 11
    plotter.settings.axes_fontsize, plotter.settings.axes_labelsize = 8, 11
    plotter.settings.scaling = False
    plotter.sample_analyser.ini.params["contours"] = " ".join(map(str, TWO_DIMENSIONAL_LEVELS))
    plotter.triangle_plot(
        [each.distribution for each in curves],
        list(names),
        filled=False,
        contour_colors=[each.colour for each in curves],
        contour_lws=[each.width for each in curves],
        contour_ls=[each.line for each in curves],
        line_args=[{"color": each.colour, "lw": each.width, "ls": each.line} for each in curves],
        legend_labels=[each.title for each in curves],
        markers=dict(zip(names, fiducial, strict=True)),
    )
    figure = plotter.fig
    pyplot.close(figure)
    for axes in figure.axes:  # the ticks of GetDist use functions that matplotlib 3.11 deprecates
        axes.xaxis.set_major_locator(_InnerTicks(2))
        if len(axes.get_yticks()):
            axes.yaxis.set_major_locator(_InnerTicks(2))
    return figure, plotter.subplots


def note_below(figure: Figure, lines: Sequence[str]) -> None:
    """Write lines of text below the panels."""
    wrapped = (fill(line, NOTE_WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in lines)
    figure.text(0.01, -0.01, "\n".join(wrapped), ha="left", va="top", fontsize=9)


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
