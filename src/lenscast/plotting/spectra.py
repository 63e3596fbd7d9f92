"""Convergence power spectra compared with theory.

Spectra are drawn as ell (ell + 1) C_ell / 2 pi, with the mean of the shape noise subtracted. Spectra of maps that are
band-passed to scales have no theory, and no panels of ratios.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.plotting.style import (
    COLOURS,
    EXPECTED,
    MEASURED,
    THEORY,
    block_label,
    blocks,
    distinct,
    grid,
    mean_and_error,
    plain_ticks,
    styled,
    symmetric,
)
from lenscast.statistics.statistic import Statistic


class Nyquist(NamedTuple):
    """Resolution of the particles.

    Attributes
    ----------
    k
        Nyquist wavenumber of the particles [h/Mpc].
    chi_source
        Comoving distance to the mean redshift of each source bin [Mpc/h].
    """

    k: float
    chi_source: Float[np.ndarray, " source"]

    def ell(self, source: int) -> float:
        """Multipole of the Nyquist wavenumber half-way to a source bin, where lensing is strongest."""
        return self.k * float(self.chi_source[source]) / 2


class _Spectrum(NamedTuple):
    """Spectrum of one pair of source bins without the noise [sr], with its errors: of the mean and of one field."""

    ell: np.ndarray
    signal: np.ndarray
    error: np.ndarray
    field_error: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """Factor ell (ell + 1) / 2 pi."""
        return self.ell * (self.ell + 1) / (2 * np.pi)


@styled
def power_spectra(
    statistic: Statistic,
    summaries: SummarySample,
    jacobians: Jacobians,
    noise: Float[np.ndarray, " bin"],
    nyquist: Nyquist,
    theory: pd.DataFrame | None = None,
) -> Figure:
    """Convergence power spectra with errors, shape noise and, where there is theory, their ratio to it.

    Spectra of several source bins are below the diagonal, their ratios above it. Each scale of a statistic that has
    scales follows below the scale before.

    Parameters
    ----------
    statistic
        Spectrum to draw.
    summaries
        Spectra of noisy maps, for the error of one field.
    jacobians
        Mean spectra of boxes, with their noise.
    noise
        Exact mean of the data vector of the noise, of all bins.
    nyquist
        Where the resolution of the particles ends.
    theory
        Columns source_1, source_2, low, limber and limber_windows [sr], means over the bins.
    """
    bins, sources = jacobians.bins, len(nyquist.chi_source)
    parts = blocks(bins[bins["statistic"] == statistic.name])
    figure, panels = _spectrum_panels(list(parts), sources, theory is not None)
    signal, error = mean_and_error(jacobians.expected - noise)
    field_error = summaries.measured.std(axis=0, ddof=1)
    for block, (key, rows) in zip(panels, parts.items(), strict=True):
        upper, lower = block[0], block[-1]
        spectrum = _Spectrum(bins["centre"][rows].to_numpy(), signal[rows], error[rows], field_error[rows])
        _draw_spectrum(upper, spectrum, len(jacobians.expected))
        if key[2] == key[3]:
            upper.plot(spectrum.ell, spectrum.scale * noise[rows], ":", color="0.45", label="shape noise")
        title = block_label(key, {statistic.name: statistic}, sources > 1)
        upper.set(xscale="log", yscale="log", title=title)
        if theory is not None:
            pair = theory[(theory["source_1"] == key[2]) & (theory["source_2"] == key[3])].set_index("low")
            _draw_theory(upper, lower, spectrum, pair.loc[bins["low"][rows]])
            lower.set_title(f"{title} / theory" if sources > 1 else "")
        for panel in block:
            panel.axvline(nyquist.ell(int(key[2])), color=COLOURS[3], linestyle="-.", linewidth=1)
        plain_ticks(lower.xaxis)
    text = rf"particle Nyquist $k$ = {nyquist.k:.2g} $h$/Mpc at $\chi_s/2$"
    panels[0][0].plot([], [], "-.", color=COLOURS[3], label=text)
    _label_spectra(figure, panels, statistic.axis, sources)
    return figure


def _spectrum_panels(
    keys: Sequence[tuple[Any, ...]], sources: int, has_ratio: bool
) -> tuple[Figure, list[tuple[Axes, ...]]]:
    """For each block the panel of the spectrum and, where there is a ratio, its panel."""
    if len(keys) == 1:
        heights = (2.0, 1.2) if has_ratio else (1.0,)
        figure, axes = grid(len(heights), 1, (5.6, 3.2), sharex=True, height_ratios=heights)
        return figure, [tuple(axes[:, 0])]
    scales = distinct(key[1] for key in keys)
    size = (4.2, 2.7) if sources == 1 else (2.5, 2.0)
    figure, axes = grid(len(scales) * sources, sources + has_ratio, size, sharex=True)
    panels: list[tuple[Axes, ...]] = []
    for _, scale, source_1, source_2, *_ in keys:
        first_row = sources * scales.index(None if pd.isna(scale) else scale)
        first, second = int(source_1), int(source_2)
        ratio = (axes[first_row + first, second + 1],) if has_ratio else ()
        panels.append((axes[first_row + second, first], *ratio))
    for axis in axes.flat:
        axis.set_visible(any(axis in block for block in panels))
    return figure, panels


def _draw_spectrum(axes: Axes, spectrum: _Spectrum, boxes: int) -> None:
    """Mean of the boxes with both errors."""
    ell, signal = spectrum.ell, spectrum.scale * spectrum.signal
    axes.errorbar(ell, signal, spectrum.scale * spectrum.field_error, fmt="none", color=MEASURED, alpha=0.35, lw=5,
                  capsize=0, label="error of one field, noise included")  # fmt: skip
    axes.errorbar(ell, signal, spectrum.scale * spectrum.error, fmt="o", color=MEASURED,
                  label=f"mean of {boxes} boxes, its error")  # fmt: skip


def _draw_theory(upper: Axes, lower: Axes, spectrum: _Spectrum, theory: pd.DataFrame) -> None:
    """Theory of one pair, as a line in both panels, and the ratio of the mean of the boxes to it."""
    ell, scale, reference = spectrum.ell, spectrum.scale, theory["limber_windows"].to_numpy()
    upper.plot(ell, scale * theory["limber"], "--", color=THEORY, label="halofit, Limber")
    upper.plot(ell, scale * theory["limber_windows"], "-", color=EXPECTED, label="halofit, seen by planes and field")
    lower.plot(ell, theory["limber"] / reference, "--", color=THEORY)
    ratio, size = spectrum.signal / reference, np.abs(reference)
    lower.errorbar(ell, ratio, spectrum.field_error / size, fmt="none", color=MEASURED, alpha=0.35, lw=5, capsize=0)
    lower.errorbar(ell, ratio, spectrum.error / size, fmt="o", color=MEASURED)
    symmetric(lower, 1.0)
    lower.set_ylim(0, min(3.0, max(2.0, 1.1 * np.max(ratio))))


def _label_spectra(figure: Figure, panels: Sequence[tuple[Axes, ...]], axis: str, sources: int) -> None:
    """Labels of the axes and the legend: each panel has its own where there is room for it."""
    power = r"$\ell(\ell+1)\,C_\ell/2\pi$"
    if sources == 1:
        for upper, *ratio in panels:
            upper.set_ylabel(power)
            for panel in ratio:
                panel.set_ylabel("ratio to\ntheory")
        for panel in panels[-1] if len(panels) > 1 else panels[-1][-1:]:
            panel.set_xlabel(axis)
    else:
        figure.supxlabel(axis, fontsize=10)
        figure.supylabel(
            f"{power} (lower left), ratio to theory (upper right)" if len(panels[0]) > 1 else power, fontsize=10
        )
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center" if sources == 1 else "outside upper center", ncols=3)
