"""Matter: its power compared with theory, and corrected simulations compared with their references.

References have the phases of the simulations, so that cross-correlations and slices of density can be compared too.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from lenscast.plotting.style import COLOURS, EXPECTED, MEASURED, THEORY, grid, note, plain_ticks, styled, symmetric

VARIANTS = MappingProxyType(
    {
        "pm": ("PM", "0.45", "-."),
        "hpn": ("PM + HPN", MEASURED, "-"),
        "pgd": ("PM + PGD", EXPECTED, "--"),
        "reference": ("reference", "k", "-"),
    }
)
BEYOND = 1.25
"""Largest wavenumber that is drawn, in Nyquist wavenumbers of the particles."""


@styled
def matter_comparison(table: pd.DataFrame, title: str) -> Figure:
    """Power over that of the reference, and cross-correlation with it, one column per scale factor."""
    times = sorted(table["a"].unique())
    table = table[table["k"] < BEYOND * table["nyquist"]]
    figure, axes = grid(2, len(times), (2.9, 2.5), sharex=True, sharey="row", height_ratios=(1.1, 1))
    for (upper, lower), a in zip(axes.T, times, strict=True):
        snapshot = table[table["a"] == a]
        for variant, each in snapshot.groupby("variant", sort=False):
            name, colour, style = VARIANTS[variant]
            upper.plot(each["k"], each["power_error"], color=colour, linestyle=style, label=name)
            lower.plot(each["k"], 1 - each["correlation"], color=colour, linestyle=style)
        symmetric(upper)
        for reach, alpha in ((0.10, 0.07), (0.05, 0.1)):
            upper.axhspan(-reach, reach, color=COLOURS[2], alpha=alpha, linewidth=0, zorder=0)
        for panel in (upper, lower):
            panel.axvline(snapshot["nyquist"].iloc[0], color=COLOURS[3], linestyle=":", linewidth=1.2)
        upper.set(title=f"a = {a:.3g} (z = {1 / a - 1:.2g})", xscale="log")
        lower.set(yscale="log", xlabel=r"$k$ [$h$/Mpc]", ylim=(1e-6, 1.0))
        plain_ticks(lower.xaxis)
    resolved = table.loc[table["k"] < table["nyquist"], "power_error"]
    axes[0, 0].set_ylim(max(-1.0, min(-0.3, 1.1 * resolved.min())), min(1.0, max(0.2, 1.3 * resolved.max())))
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1.0))
    axes[0, 0].set_ylabel(r"$P/P_\mathrm{ref} - 1$")
    axes[1, 0].set_ylabel(r"$1 - r(k)$")
    axes[0, 0].plot([], [], color=COLOURS[3], linestyle=":", label="particle Nyquist")
    axes[0, 0].legend(loc="lower left", fontsize=8)
    figure.suptitle(title, fontsize=10)
    note(figure, "Shaded: power within 5 and within 10 % of the reference.")
    return figure


@styled
def density_slices(
    density: Mapping[str, Float[np.ndarray, "y x"]],
    box_size: float,
    thickness: float,
    zoom: float,
    title: str,
) -> Figure:
    """Slices of density in one range of colours, and below them what is around their centre.

    Parameters
    ----------
    density
        Projected density in units of the mean, by name of the variant, with "reference" among them.
    box_size
        Side of the maps [Mpc/h].
    thickness
        Thickness of the slice [Mpc/h].
    zoom
        Side of the lower panels [Mpc/h].
    title
        Name of the reference, and the scale factor.
    """
    figure, axes = grid(2, len(density), (2.5, 2.5), sharex="row", sharey="row")
    reference = density["reference"][density["reference"] > 0]
    norm = LogNorm(np.percentile(reference, 5), reference.max(), clip=True)
    for (upper, lower), (variant, each) in zip(axes.T, density.items(), strict=True):
        for panel, reach in ((upper, box_size), (lower, zoom)):
            image = panel.imshow(
                each,
                origin="lower",
                extent=(-box_size / 2, box_size / 2, -box_size / 2, box_size / 2),
                cmap="inferno",
                norm=norm,
                interpolation="none",
            )
            panel.set(xlim=(-reach / 2, reach / 2), ylim=(-reach / 2, reach / 2))
            panel.grid(False)
        _frame(upper, zoom)
        upper.set_title(VARIANTS[variant][0])
        lower.set_xlabel(r"$x$ [Mpc/$h$]")
    for panel in axes[:, 0]:
        panel.set_ylabel(r"$y$ [Mpc/$h$]")
    figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01, extend="both", label=r"$\Sigma/\bar\Sigma$")
    figure.suptitle(title, fontsize=10)
    text = f"A slice {thickness:.3g} Mpc/$h$ thick around the densest point of the reference; below, the square."
    note(figure, f"{text} Mass between particles interpolated in Lagrangian space.")
    return figure


def _frame(axes: Axes, side: float) -> None:
    """Outline of the square that the lower panel enlarges."""
    axes.add_patch(Rectangle((-side / 2, -side / 2), side, side, fill=False, edgecolor="w", linewidth=0.8))


@styled
def matter_power(table: pd.DataFrame, nyquist: float, seeds: int) -> Figure:
    """Matter power of simulations today compared with theory, and the limit of the mesh.

    Parameters
    ----------
    table
        Table of `lenscast.validation.matter.matter_power_table`.
    nyquist
        Nyquist wavenumber of the force mesh [h/Mpc].
    seeds
        Number of boxes behind the mean.
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
        panel.axvline(nyquist, color=COLOURS[3], linestyle="-.", linewidth=1)
    upper.set(xscale="log", yscale="log", ylabel=r"$P(k)$ [$(\mathrm{Mpc}/h)^3$]")
    lower.set(xlabel=r"$k$ [$h$/Mpc]", ylabel="ratio to halofit", ylim=(0, 1.5))
    upper.plot([], [], "-.", color=COLOURS[3], label="mesh Nyquist")
    upper.legend(loc="lower left")
    return figure
