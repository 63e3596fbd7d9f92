"""Posteriors that chains sampled, compared with the Gaussian posteriors of Fisher matrices."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference import MockPosterior
from lenscast.parameters import stem
from lenscast.plotting.contours import LEVELS, Curves, contours, draws, gaussian, note_below
from lenscast.plotting.credibility import credibility_panel, distribution
from lenscast.plotting.style import COLOURS, MARKERS, grid, label, note, styled, symmetric, vector_label


class SampledPosterior(NamedTuple):
    """Draws of a posterior.

    Attributes
    ----------
    names
        Parameters.
    draws
        Their draws, of all chains.
    table
        Table of `inference.posterior_table`.
    """

    names: tuple[str, ...]
    draws: Float[np.ndarray, "chain draw param"]
    table: pd.DataFrame


@styled
def posteriors(sampled: Mapping[str, SampledPosterior], forecasts: Mapping[str, ParameterCovariance]) -> Figure:
    """Contours of sampled posteriors, and dashed those of the Fisher forecasts, by data vector.

    Parameters
    ----------
    sampled
        Sampled posteriors by data vector.
    forecasts
        Gaussian posteriors of the same data vectors; their parameters are drawn.
    """
    first = next(iter(forecasts.values()))
    curves: list[Curves] = []
    notes: list[str] = []
    for (name, each), colour in zip(sampled.items(), COLOURS, strict=False):
        title = vector_label(name)
        columns = [each.names.index(parameter) for parameter in first.names]
        curves.append(Curves(draws(each.draws[..., columns], first.names), f"{title}, chains", colour, 1.6))
        curves.append(Curves(gaussian(forecasts[name]), f"{title}, Fisher", colour, 1.0, "--"))
        notes += _convergence_note(title, each.table)
    figure, _ = contours(curves, first.names, first.fiducial)
    solid = "solid: chains with the likelihood of a covariance from simulations, inside the ranges of the parameters"
    note_below(figure, [f"{LEVELS}; {solid}; dashed: Fisher matrix", *notes])
    return figure


@styled
def field_posterior(sampled: SampledPosterior, forecasts: Mapping[str, ParameterCovariance]) -> Figure:
    """Contours given one map, and dashed those of Fisher forecasts for the area of the map.

    Parameters
    ----------
    sampled
        Posterior of the field level.
    forecasts
        Gaussian posteriors by data vector, of the same parameters; these are drawn.
    """
    first = next(iter(forecasts.values()))
    columns = [sampled.names.index(parameter) for parameter in first.names]
    curves = [Curves(draws(sampled.draws[..., columns], first.names), "field level", COLOURS[6], 1.8)]
    for (name, each), colour in zip(forecasts.items(), COLOURS, strict=False):
        curves.append(Curves(gaussian(each), f"{vector_label(name)}, Fisher", colour, 1.0, "--"))
    figure, _ = contours(curves, first.names, first.fiducial)
    lines = [f"{LEVELS}; solid: given one noisy map; dashed: Fisher matrices for the area of this map, with priors"]
    note_below(figure, [*lines, *_convergence_note("field level", sampled.table)])
    return figure


@styled
def field_recovery(table: pd.DataFrame) -> Figure:
    """Share of the initial field that the map knows, by scale: what chains say, and what the true field says.

    Parameters
    ----------
    table
        Table of `inference.recovery_table`.
    """
    figure, axes = grid(1, 1, (5.0, 4.4))
    panel, k = axes[0, 0], np.sqrt(table["k_low"] * table["k_high"])
    curves = {
        "known": "1 - variance of the draws",
        "cross_power": "power of the mean field with the true one",
        "correlation": "correlation of the mean field with the true one",
        "linear": "Wiener filter of the model in its linear limit",
    }
    for (column, title), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
        panel.plot(k, table[column], marker=marker, color=colour, label=title)
    symmetric(panel)
    panel.set(xscale="log", xlabel="k [h/Mpc]", ylabel="share of the initial field", ylim=(None, 1.05))
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
    note(figure, "The first two agree where the posterior is right, but for the scatter of one box.")
    return figure


@styled
def field_coverage(names: Sequence[str], mocks: Sequence[MockPosterior], recovery: pd.DataFrame) -> Figure:
    """Whether posteriors given maps hold the truth as often as they say: of the parameters, and of the field by scale.

    Parameters
    ----------
    names
        Parameters.
    mocks
        Posteriors of maps whose truth is known.
    recovery
        Table of `inference.mock_recovery`.
    """
    figure, axes = grid(1, 2, (4.2, 4.0))
    left, right = axes[0]
    for name, ranks, colour in zip(names, np.array([each.rank for each in mocks]).T, COLOURS, strict=False):
        distribution(left, ranks, label(name), colour)
    credibility_panel(left, len(mocks))
    left.set(title="parameters", xlabel="credibility", ylabel="share of maps - credibility")
    k = np.sqrt(recovery["k_low"] * recovery["k_high"])
    right.plot(k, recovery["known"], marker=MARKERS[0], color=COLOURS[0], label="1 - variance of the draws")
    truth = {"marker": MARKERS[1], "color": COLOURS[1], "label": "power of the mean field with the true one"}
    right.errorbar(k, recovery["cross_power"], recovery["scatter"], **truth)
    right.plot(k, recovery["linear"], ":", color=COLOURS[3], label="Wiener filter in the linear limit")
    right.set(
        title="initial field", xscale="log", xlabel="k [h/Mpc]", ylabel="share of the initial field", ylim=(0, 1.05)
    )
    right.legend()
    band = f"grey: where 95 % of calibrated posteriors stay, for {len(mocks)} maps"
    note(figure, f"{band}; bars: scatter of the mean difference of the two curves")
    return figure


def _convergence_note(title: str, table: pd.DataFrame) -> Sequence[str]:
    """Line on the parameters whose chains have not converged; none if all have."""
    rows = table[table["verdict"] != "converged"]
    symbols = dict.fromkeys(label(stem(name)) for name in rows["parameter"])
    return [f"{title}: chains have not converged: {', '.join(symbols)}"] if symbols else []
