"""Bins of data vectors: bins of a field's value with open ends, and bins of Fourier modes in ell.

Conventions: n edges of a value make n + 1 bins. The outer two are open, so that each value is in one bin and none is
lost. n edges in ell make n - 1 bins, low <= ell < high, in which all modes of the plane have the same weight. This
module knows edges and modes; `local_maxima` turns tails into the contents of open bins.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["Interval", "Modes", "closed_intervals", "fourier_modes", "has_mode", "octaves", "open_intervals"]


class Interval(NamedTuple):
    """Bin of a value.

    Attributes
    ----------
    low, high
        Ends of the bin; None where it is open.
    centre
        Middle of the bin; of an open bin, a point half the width of the neighbouring bin beyond its edge.
    """

    low: float | None
    high: float | None
    centre: float


class Modes(NamedTuple):
    """Modes of the real Fourier transform of a map (`rfft2`) that are in one of the bins.

    Attributes
    ----------
    flat_index
        Index of each mode in the flattened transform.
    ell_y, ell_x
        Components of its multipole.
    bin
        Number of its bin.
    weight
        Its weight in the mean over the bin; the weights of a bin add up to 1.
    """

    flat_index: Int[np.ndarray, " mode"]
    ell_y: Float64[np.ndarray, " mode"]
    ell_x: Float64[np.ndarray, " mode"]
    bin: Int[np.ndarray, " mode"]
    weight: Float64[np.ndarray, " mode"]


def open_intervals(edges: Sequence[float]) -> list[Interval]:
    """Bins of a value: below the first edge, between neighbouring edges, and above the last edge.

    Parameters
    ----------
    edges
        Inner edges, increasing, 2 or more.
    """
    below = Interval(None, edges[0], edges[0] - (edges[1] - edges[0]) / 2)
    above = Interval(edges[-1], None, edges[-1] + (edges[-1] - edges[-2]) / 2)
    return [below, *closed_intervals(edges), above]


def closed_intervals(edges: Sequence[float]) -> list[Interval]:
    """Bins of a value between neighbouring edges; values outside of all of them are in none.

    Parameters
    ----------
    edges
        Edges, increasing.
    """
    return [Interval(low, high, (low + high) / 2) for low, high in pairwise(edges)]


def octaves(scales: Sequence[float]) -> list[Interval]:
    """One bin for each scale of a filter, an octave wide around it.

    Parameters
    ----------
    scales
        Scales, each twice the one before or more.
    """
    return [Interval(scale / 2**0.5, scale * 2**0.5, scale) for scale in scales]


def has_mode(pixels: int, low: float, high: float) -> bool:
    """Whether a square map has a Fourier mode in a bin of ell, found without an array of all modes.

    Parameters
    ----------
    pixels
        Pixels per side.
    low, high
        Ends of the bin in units of the fundamental mode; a mode at the upper end is outside.
    """
    along_x = np.arange(min(pixels // 2, math.ceil(high)) + 1, dtype=float)
    # the first whole number of modes along y that takes each column to the lower end
    along_y = np.ceil(np.sqrt(np.maximum(low**2 - along_x**2, 0.0)) * (1 - 1e-12))
    ell = np.hypot(along_x, along_y)
    return bool(np.any((ell >= low) & (ell < high) & (along_y <= pixels // 2)))


def fourier_modes(pixels: int, pixel_radian: float, edges: Sequence[float]) -> Modes:
    """Modes of a square map in bins of ell.

    Parameters
    ----------
    pixels
        Pixels per side.
    pixel_radian
        Side of a pixel [rad].
    edges
        Edges of the bins in ell, increasing.

    Raises
    ------
    ValueError
        If a bin has no mode, or the last bin ends above the Nyquist frequency of the pixels.
    """
    nyquist, spacing = np.pi / pixel_radian, 2 * np.pi / (pixels * pixel_radian)
    if edges[-1] > nyquist:
        raise ValueError(
            f"ell_edges end at {edges[-1]:g}, above the pixels' Nyquist frequency {nyquist:.0f}: lower the last"
        )
    frequency_y, frequency_x = np.fft.fftfreq(pixels, pixel_radian), np.fft.rfftfreq(pixels, pixel_radian)
    ell_y, ell_x = (2 * np.pi * each.ravel() for each in np.meshgrid(frequency_y, frequency_x, indexing="ij"))
    ell_bin = np.digitize(np.hypot(ell_y, ell_x), edges) - 1
    index = np.flatnonzero((ell_bin >= 0) & (ell_bin < len(edges) - 1))
    ell_y, ell_x, ell_bin = ell_y[index], ell_x[index], ell_bin[index]
    # rfft2 keeps one mode of each conjugate pair, which counts twice. The columns ell_x = 0 and Nyquist hold both modes
    # of a pair, so that each counts once there; an odd number of pixels has no Nyquist column.
    column = index % len(frequency_x)
    copies = np.where((column > 0) & (2 * column != pixels), 2.0, 1.0)
    copies_in_bin = np.bincount(ell_bin, copies, minlength=len(edges) - 1)
    if not copies_in_bin.all():
        empty = int(np.argmin(copies_in_bin))
        raise ValueError(
            f"ell_edges: no Fourier mode has {edges[empty]:g} <= ell < {edges[empty + 1]:g}, they are {spacing:.0f} "
            "apart on this map; widen the bin or the map"
        )
    return Modes(index, ell_y, ell_x, ell_bin, copies / copies_in_bin[ell_bin])
