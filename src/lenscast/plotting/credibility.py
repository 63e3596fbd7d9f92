"""Ranks of true values among draws of posteriors: how far their distribution is from that of calibrated ones."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from lenscast.inference import band_95
from lenscast.plotting.style import symmetric


def distribution(panel: Axes, ranks: Float[np.ndarray, " truth"], title: str, colour: str, line: object = "-") -> None:
    """Draw the distribution function of ranks minus that of uniform ones.

    Parameters
    ----------
    panel
        Where.
    ranks
        Ranks, between 0 and 1.
    title, colour, line
        Of the curve.
    """
    ordered = np.concatenate([[0], np.sort(ranks), [1]])
    share = np.arange(len(ordered)) / (len(ordered) - 1)
    panel.plot(ordered, share - ordered, color=colour, linestyle=line, linewidth=1.2, label=title)


def credibility_panel(panel: Axes, number: int) -> None:
    """Show where the curves of calibrated posteriors stay in 95 % of the cases, with axes and a legend.

    Parameters
    ----------
    panel
        Where.
    number
        Number of ranks of each curve.
    """
    band = band_95(number)
    panel.axhspan(-band, band, color="0.9", zorder=0)
    symmetric(panel)
    panel.set(xlim=(0, 1))
    panel.legend(fontsize=7)
