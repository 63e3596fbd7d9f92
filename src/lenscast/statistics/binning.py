"""Bins of data vectors: of a field's value with open ends, and of Fourier modes in ell.

Conventions: n edges of a value make n + 1 bins, the outer two open, so that each value is in one bin and none is lost.
What is in a bin is the difference of the tails above its edges: whether tails are counts or smooth functions of the
value, the bins add up to the total. n edges in ell make n - 1 bins, low <= ell < high, in which modes weigh the same.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

__all__ = ["Interval", "Modes", "check_edges", "counts_from_tails", "fourier_modes", "open_intervals"]


class Interval(NamedTuple):
    """Bin of a value; an open end is None, and the centre of such a bin lies half the next bin beyond its edge."""

    low: float | None
    high: float | None
    centre: float


class Modes(NamedTuple):
    """Modes of a map's real Fourier transform (`rfft2`, flattened) that are in a bin; weights add up to 1 in each."""

    flat_index: Int[np.ndarray, " mode"]
    ell_y: Float64[np.ndarray, " mode"]
    ell_x: Float64[np.ndarray, " mode"]
    bin: Int[np.ndarray, " mode"]
    weight: Float64[np.ndarray, " mode"]


def check_edges(edges: Sequence[float], key: str) -> tuple[float, ...]:
    """Edges of bins as a tuple; `key` is what the config calls them.

    Raises
    ------
    ValueError : if there are fewer than two, or they do not increase.
    """
    if len(edges) < 2 or not all(low < high for low, high in pairwise(edges)):
        raise ValueError(f"{key} = {list(edges)}: give at least two edges, in increasing order")
    return tuple(float(edge) for edge in edges)


def open_intervals(edges: Sequence[float]) -> list[Interval]:
    """Bins between inner edges, from all below the first to all above the last."""
    inner = [Interval(low, high, (low + high) / 2) for low, high in pairwise(edges)]
    below = Interval(None, edges[0], edges[0] - (edges[1] - edges[0]) / 2)
    above = Interval(edges[-1], None, edges[-1] + (edges[-1] - edges[-2]) / 2)
    return [below, *inner, above]


def counts_from_tails(tails: Float[Array, "tail source"]) -> Float[Array, "tail source"]:
    """Contents of the bins of `open_intervals`, from the total and the tails above each edge, in this order."""
    return tails - jnp.concatenate([tails[1:], jnp.zeros_like(tails[:1])])


def fourier_modes(pixels: int, pixel_radian: float, edges: Sequence[float]) -> Modes:
    """Modes of a square map in bins of ell.

    Parameters
    ----------
    pixels : pixels per side.
    pixel_radian : side of a pixel [rad].
    edges : edges of the bins in ell.

    Raises
    ------
    ValueError : if a bin has no mode, or the last one ends beyond the pixels' Nyquist frequency.
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
    # rfft2 leaves out the conjugate of each mode, but for those in the columns ell_x = 0 and Nyquist
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
