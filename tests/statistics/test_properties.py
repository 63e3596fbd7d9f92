"""Bins and windows, for any edges: every value is in one bin, weights add up, and windows are linear."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lenscast.statistics import Region
from lenscast.statistics.binning import fourier_modes, has_mode, open_intervals
from lenscast.statistics.region_window import bandpower_windows

hypothesis = pytest.importorskip("hypothesis", reason="the extra `dev` is not installed")
st = hypothesis.strategies

SETTINGS = hypothesis.settings(deadline=None, max_examples=40, derandomize=True)
EDGES = st.lists(st.floats(-50, 50), min_size=2, max_size=8, unique_by=lambda value: round(value, 3)).map(sorted)


@SETTINGS
@hypothesis.given(EDGES, st.floats(-100, 100))
def test_every_value_is_in_one_open_bin(edges: list[float], value: float) -> None:
    bins = open_intervals(edges)
    ends = [(-np.inf if each.low is None else each.low, np.inf if each.high is None else each.high) for each in bins]
    assert sum(low <= value < high for low, high in ends) == 1
    assert len(bins) == len(edges) + 1
    assert all(low < each.centre < high for each, (low, high) in zip(bins, ends, strict=True))


@st.composite
def multipoles(draw: Any) -> tuple[int, float, list[float]]:
    """Pixels per side, side of a pixel, and edges of bins that hold modes."""
    pixels, pixel = draw(st.integers(8, 40)), draw(st.floats(1e-4, 1e-2))
    spacing = 2 * np.pi / (pixels * pixel)
    # bins as wide as the fundamental mode hold a mode along an axis
    widths = draw(st.lists(st.floats(1.01, 2.0), min_size=1, max_size=max(1, pixels // 6)))
    edges = spacing * np.cumsum([draw(st.floats(0.1, 1.0)), *widths])
    hypothesis.assume(edges[-1] <= np.pi / pixel)
    return pixels, pixel, edges.tolist()


@SETTINGS
@hypothesis.given(multipoles())
def test_modes_are_in_their_bins_and_weigh_1_in_all(drawn: tuple[int, float, list[float]]) -> None:
    pixels, pixel, edges = drawn
    modes = fourier_modes(pixels, pixel, edges)
    ell = np.hypot(modes.ell_y, modes.ell_x)
    assert np.all((np.array(edges)[modes.bin] <= ell) & (ell < np.array(edges)[modes.bin + 1]))
    np.testing.assert_allclose(np.bincount(modes.bin, modes.weight), np.ones(len(edges) - 1))
    spacing = 2 * np.pi / (pixels * pixel)
    assert all(has_mode(pixels, low / spacing, high / spacing) for low, high in pairwise(edges))


@SETTINGS
@hypothesis.given(multipoles())
def test_bins_that_are_joined_have_the_modes_of_both(drawn: tuple[int, float, list[float]]) -> None:
    pixels, pixel, edges = drawn
    apart, joined = fourier_modes(pixels, pixel, edges), fourier_modes(pixels, pixel, [edges[0], edges[-1]])
    np.testing.assert_array_equal(apart.flat_index, joined.flat_index)


@SETTINGS
@hypothesis.given(multipoles(), st.floats(0.1, 10.0))
def test_windows_give_back_a_flat_spectrum(drawn: tuple[int, float, list[float]], amplitude: float) -> None:
    pixels, pixel, edges = drawn
    region = Region(pixels=pixels, field_deg=float(np.degrees(pixels * pixel)), border=0)
    ell = np.geomspace(1e-3 * edges[0], 2 * np.pi / pixel, 40)
    windows = bandpower_windows(ell, region, edges)
    # white noise has the same power in every mode of any region; the mode ell = 0 of the sky, which is below all
    # multipoles of the table, lacks
    found = windows @ np.full(len(ell), amplitude)
    np.testing.assert_allclose(found, amplitude, rtol=0.02)
