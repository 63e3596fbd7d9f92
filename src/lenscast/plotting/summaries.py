"""What is measured beside what is expected: spectra, peak counts and the matter power."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.plotting.style import (
    COLOURS,
    EXPECTED,
    MEASURED,
    THEORY,
    block_label,
    blocks,
    grid,
    mean_and_error,
    note,
    plain_ticks,
    styled,
    symmetric,
)

__all__ = ["Nyquist", "matter_power", "peak_counts", "power_spectra"]


class Nyquist(NamedTuple):
    """Resolution of the particles: their Nyquist wavenumber [h/Mpc], and the mean distances of the sources [Mpc/h]."""

    k: float
    chi_source: Float[np.ndarray, " source"]

    def ell(self, source: int) -> float:
        """Multipole at which k is seen half-way to a source, where lensing is strongest."""
        return self.k * float(self.chi_source[source]) / 2


@styled
def power_spectra(
    expected: Float[np.ndarray, "box bin"],
    measured: Float[np.ndarray, "map bin"],
    noise: Float[np.ndarray, " bin"],
    bins: pd.DataFrame,
    nyquist: Nyquist,
    theory: pd.DataFrame | None = None,
) -> Figure:
    """Convergence power spectra with errors, theory and shape noise, and their ratio to theory.

    Spectra of several sources are below the diagonal, their ratios above it.

    Parameters
    ----------
    expected : mean spectra of boxes, their noise included [sr].
    measured : spectra of noisy maps, for the error of one field [sr].
    noise : exact mean of the spectra of the noise [sr].
    bins : the data vector's bins.
    nyquist : where the particles' resolution ends.
    theory : columns source_1, source_2, low, ell, limber and limber_windows [sr], means over the bins; None without.
    """
    parts = blocks(bins[bins["statistic"] == "power_spectrum"])
    sources = len(nyquist.chi_source)
    if sources == 1:
        figure, axes = grid(2, 1, (5.6, 3.2), sharex=True, height_ratios=(2, 1.2))
        panels = [(axes[0, 0], axes[1, 0])]
    else:
        figure, axes = grid(sources, sources + 1, (2.5, 2.0), sharex=True)
        pairs = [(int(key[2]), int(key[3])) for key in parts]
        panels = [(axes[second, first], axes[first, second + 1]) for first, second in pairs]
    signal, error = mean_and_error(expected - noise)
    field = measured.std(axis=0, ddof=1)
    for (upper, lower), (key, rows) in zip(panels, parts.items(), strict=True):
        ell = bins["centre"][rows].to_numpy()
        scale = ell * (ell + 1) / (2 * np.pi)
        upper.errorbar(ell, scale * signal[rows], scale * field[rows], fmt="none", color=MEASURED, alpha=0.35, lw=5,
                       capsize=0, label="error of one field, noise included")  # fmt: skip
        upper.errorbar(ell, scale * signal[rows], scale * error[rows], fmt="o", color=MEASURED,
                       label=f"mean of {len(expected)} boxes, its error")  # fmt: skip
        if key[2] == key[3]:
            upper.plot(ell, scale * noise[rows], ":", color="0.45", label="shape noise")
        reference, name = signal[rows], "mean of boxes"
        if theory is not None:
            chosen = theory[(theory["source_1"] == key[2]) & (theory["source_2"] == key[3])].set_index("low")
            chosen = chosen.loc[bins["low"][rows]]
            upper.plot(ell, scale * chosen["limber"], "--", color=THEORY, label="halofit, Limber")
            upper.plot(
                ell, scale * chosen["limber_windows"], "-", color=EXPECTED, label="halofit, seen by planes and field"
            )
            reference, name = chosen["limber_windows"].to_numpy(), "theory"
            lower.plot(ell, chosen["limber"] / reference, "--", color=THEORY)
        lower.errorbar(ell, signal[rows] / reference, field[rows] / np.abs(reference), fmt="none", color=MEASURED,
                       alpha=0.35, lw=5, capsize=0)  # fmt: skip
        lower.errorbar(ell, signal[rows] / reference, error[rows] / np.abs(reference), fmt="o", color=MEASURED)
        symmetric(lower, 1.0)
        lower.set_ylim(0, min(3.0, max(2.0, 1.1 * np.max(signal[rows] / reference))))
        for panel in (upper, lower):
            panel.axvline(nyquist.ell(int(key[2])), color=COLOURS[3], linestyle="-.", linewidth=1)
            panel.set_title(block_label(key, sources > 1) + (" / theory" if sources > 1 and panel is lower else ""))
        upper.set(xscale="log", yscale="log")
        plain_ticks(lower.xaxis)
    first, last = panels[0][0], panels[-1]
    first.plot([], [], "-.", color=COLOURS[3], label=rf"particle Nyquist $k$ = {nyquist.k:.2g} $h$/Mpc at $\chi_s/2$")
    handles, labels = first.get_legend_handles_labels()
    if sources == 1:
        first.set_ylabel(r"$\ell(\ell+1)\,C_\ell/2\pi$")
        last[1].set(xlabel=r"multipole $\ell$", ylabel=f"ratio to\n{name}", title="")
    else:
        figure.supxlabel(r"multipole $\ell$", fontsize=10)
        figure.supylabel(rf"$\ell(\ell+1)\,C_\ell/2\pi$ (below), ratio to {name} (above)", fontsize=10)
    figure.legend(handles, labels, loc="outside lower center" if sources == 1 else "outside upper center", ncols=3)
    return figure


@styled
def peak_counts(
    measured: Float[np.ndarray, "map bin"],
    box: Int[np.ndarray, " map"],
    expected: Float[np.ndarray, "box bin"],
    bins: pd.DataFrame,
) -> Figure:
    """Peaks per field on each scale: hard counts, their expectation over the shape noise, and the ratio.

    Parameters
    ----------
    measured : hard counts of noisy maps.
    box : seed of the box of each map: errors are those of independent boxes.
    expected : counts expected over the shape noise, means of boxes.
    bins : the data vector's bins; the outer ones are open.
    """
    parts = blocks(bins[bins["statistic"] == "peaks"])
    counts, counts_error = mean_and_error(pd.DataFrame(measured).groupby(box).mean().to_numpy())
    mean, mean_error = mean_and_error(expected)
    field = measured.std(axis=0, ddof=1)
    sources, scales = (len({key[index] for key in parts}) for index in (2, 1))
    if sources == 1:
        figure, axes = grid(2, scales, (4.2, 2.9), sharex="col", height_ratios=(2, 1.2))
        panels = list(axes.T)
    else:
        figure, axes = grid(2 * scales, sources, (2.6, 2.0), sharex=True, height_ratios=scales * (2, 1.2))
        panels = [axes[2 * scale : 2 * scale + 2, source] for scale in range(scales) for source in range(sources)]
    for (upper, lower), (key, rows) in zip(panels, parts.items(), strict=True):
        edges, centre = _closed(bins.loc[rows])
        upper.stairs(counts[rows], edges, color=MEASURED, fill=True, alpha=0.25, label="hard counts, mean of maps")
        upper.errorbar(centre, counts[rows], field[rows], fmt="none", color=MEASURED, label="scatter of one field")
        upper.errorbar(centre, mean[rows], mean_error[rows], fmt="s", color=EXPECTED, markerfacecolor="white",
                       label="expected over the shape noise")  # fmt: skip
        ratio = mean[rows] / counts[rows]
        relative = np.hypot(mean_error[rows] / mean[rows], counts_error[rows] / counts[rows])
        lower.errorbar(centre, ratio, ratio * relative, fmt="s", color=EXPECTED, markerfacecolor="white")
        symmetric(lower, 1.0)
        upper.set(title=block_label(key, sources > 1), yscale="log")
    for upper, lower in axes[:, 0].reshape(-1, 2):
        upper.set_ylabel("peaks per field and bin")
        lower.set_ylabel("expected / hard")
    for lower in axes[-1]:
        lower.set_xlabel(r"height $\nu$ [S/N]")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    note(figure, "The outermost bins are open. Errors of the ratio are those of the means over independent boxes.")
    return figure


def _closed(bins: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Edges and middles of bins, the open ones drawn as wide as their neighbours."""
    inner = bins["high"].to_numpy()[:-1]
    edges = np.concatenate([[2 * inner[0] - inner[1]], inner, [2 * inner[-1] - inner[-2]]])
    return edges, (edges[1:] + edges[:-1]) / 2


@styled
def matter_power(table: pd.DataFrame, nyquist: float, seeds: int) -> Figure:
    """Matter power of simulations beside theory, with the mesh's limit.

    Parameters
    ----------
    table : columns k [h/Mpc]; power, error, corrected, corrected_error, linear, linear_camb and halofit [(Mpc/h)^3],
        where corrected is linear theory times the ratio of the simulated power to that of its own initial modes.
    nyquist : of the force mesh [h/Mpc].
    seeds : boxes behind the mean.
    """
    figure, axes = grid(2, 1, (6.4, 3.2), sharex=True, height_ratios=(2, 1.4))
    upper, lower = axes[:, 0]
    k = table["k"]
    for panel, divisor in ((upper, 1.0), (lower, table["halofit"])):
        panel.errorbar(k, table["power"] / divisor, table["error"] / divisor, fmt="o", color=MEASURED, alpha=0.6,
                       label=f"PM at a = 1, mean of {seeds} boxes")  # fmt: skip
        panel.errorbar(k, table["corrected"] / divisor, table["corrected_error"] / divisor, fmt="s", color=COLOURS[2],
                       markerfacecolor="white", label=r"PM / its initial modes $\times$ linear")  # fmt: skip
        panel.plot(k, table["linear"] / divisor, ":", color=EXPECTED, label="linear, Eisenstein & Hu")
        panel.plot(k, table["linear_camb"] / divisor, "--", color=COLOURS[4], label="linear, CAMB")
        panel.plot(k, table["halofit"] / divisor, "-", color=THEORY, label="halofit")
        _limit(panel, nyquist)
    upper.set(xscale="log", yscale="log", ylabel=r"$P(k)$ [$(\mathrm{Mpc}/h)^3$]")
    lower.set(xlabel=r"$k$ [$h$/Mpc]", ylabel="ratio to halofit", ylim=(0, 1.5))
    upper.plot([], [], "-.", color=COLOURS[3], label="mesh Nyquist")
    upper.legend(loc="lower left")
    return figure


def _limit(axes: Axes, nyquist: float) -> None:
    """The end of the mesh's resolution."""
    axes.axvline(nyquist, color=COLOURS[3], linestyle="-.", linewidth=1)
