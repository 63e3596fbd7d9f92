"""Posteriors that are learnt from simulations: their contours, and whether they hold the truth as often as they say."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference import Calibration, calibration_table
from lenscast.inference.calibration import JOINT
from lenscast.plotting.contours import LEVELS, Curves, contours, draws, gaussian, note_below
from lenscast.plotting.credibility import credibility_panel, distribution
from lenscast.plotting.style import COLOURS, label, styled, vector_label

LINES = ("-", "--", ":", "-.", (0, (3, 1, 1, 1, 1, 1)))


class LearntContours(NamedTuple):
    """A learnt posterior given the fiducial data.

    Attributes
    ----------
    names
        Parameters, derived ones too.
    draws
        Their draws.
    forecast
        Gaussian posterior of the Fisher matrix; its parameters are drawn.
    calibration
        Ranks of the truth of held-out boxes.
    """

    names: tuple[str, ...]
    draws: Float[np.ndarray, "draw param"]
    forecast: ParameterCovariance
    calibration: Calibration


@styled
def sbi_triangle(learnt: Mapping[str, LearntContours]) -> Figure:
    """Contours of learnt posteriors, dashed those of Fisher forecasts, and on the right the calibration.

    Parameters
    ----------
    learnt
        Learnt posteriors by data vector.
    """
    first = next(iter(learnt.values())).forecast
    curves: list[Curves] = []
    notes: list[str] = []
    for (name, each), colour in zip(learnt.items(), COLOURS, strict=False):
        title, columns = vector_label(name), [each.names.index(parameter) for parameter in first.names]
        values = draws(each.draws[None][..., columns], first.names)
        curves.append(Curves(values, f"{title}, simulation-based", colour, 1.6))
        curves.append(Curves(gaussian(each.forecast), f"{title}, Fisher", colour, 1.0, "--"))
        notes.append(f"{title}: {_verdicts(each.calibration)}")
    figure, _ = contours(curves, first.names, first.fiducial)
    upper, lower = (figure.add_axes((1.12, bottom, 0.6, 0.36)) for bottom in (0.56, 0.08))
    upper.set_title("one parameter (SBC)")
    lower.set_title("all parameters (TARP)")
    for (name, each), colour in zip(learnt.items(), COLOURS, strict=False):
        found, title = each.calibration, vector_label(name)
        for parameter, ranks, line in zip(found.names, found.ranks.T, LINES, strict=False):
            distribution(upper, ranks, f"{title}, {label(parameter)}", colour, line)
        distribution(lower, found.joint, title, colour)
    for panel in (upper, lower):
        credibility_panel(panel, len(next(iter(learnt.values())).calibration.joint))
        panel.set_ylabel("share of boxes - credibility")
    lower.set_xlabel("credibility")
    band_text = "grey: where 95 % of calibrated posteriors stay"
    note_below(figure, [f"{LEVELS}; dashed: Fisher matrix; {band_text}", *notes])
    return figure


def _verdicts(found: Calibration) -> str:
    """Verdicts of the table of calibration in words."""
    rows = calibration_table(found)
    if (rows["verdict"] == "calibrated").all():
        return f"calibrated on {len(found.joint)} held-out boxes"
    wrong = rows[rows["verdict"] != "calibrated"]
    named = ["all together" if name == JOINT else label(name) for name in wrong["parameter"]]
    return ", ".join(f"{name} {verdict}" for name, verdict in zip(named, wrong["verdict"], strict=True))
