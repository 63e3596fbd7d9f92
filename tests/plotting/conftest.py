"""Synthetic data vectors of two statistics, and what figures say."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.statistics import Peaks, PowerSpectrum

NAMES = ("Omega_c", "sigma8")


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def statistics():
    """A spectrum and a count, under names of their own."""
    settings = {"scales_arcmin": (9.4, 18.8), "snr_edges": (1.0, 2.0), "stencil": "pixel", "counts": "hard"}
    return {
        "shear": PowerSpectrum(name="shear", ell_edges=(100.0, 300.0, 500.0, 700.0)),
        "maxima": Peaks(name="maxima", **settings),
    }


@pytest.fixture(scope="session")
def make_bins():
    """Function from the number of sources to the bins of both statistics."""

    def bins(sources=1):
        pairs = [(i, j) for i in range(sources) for j in range(i, sources)]
        spectra = [
            {"statistic": "shear", "source_1": i, "source_2": j, "low": low, "high": high, "unit": "sr"}
            for i, j in pairs
            for low, high in pairwise([100.0, 300.0, 500.0, 700.0])
        ]
        counts = [
            {"statistic": "maxima", "source_1": i, "scale_arcmin": scale, "low": low, "high": high}
            for scale in (9.4, 18.8)
            for i in range(sources)
            for low, high in ((np.nan, 1.0), (1.0, 2.0), (2.0, np.nan))
        ]
        table = pd.DataFrame(spectra + [each | {"unit": "peaks per region"} for each in counts])
        centre = (table["low"].fillna(table["high"] - 1) + table["high"].fillna(table["low"] + 1)) / 2
        return table.assign(centre=centre, name=[str(row) for row in range(len(table))])

    return bins


@pytest.fixture
def draws(rng):
    """Function from bins and a number to data vectors."""

    def of(bins, number):
        mean = np.where(bins["unit"] == "sr", 1e-9, 40.0)
        return mean * (1 + 0.1 * rng.standard_normal((number, len(bins))))

    return of


@pytest.fixture(scope="session")
def summaries_of():
    """Function from data vectors of maps, two for each box, to a sample."""
    return lambda measured, bins: SummarySample(measured, np.repeat(np.arange(len(measured) // 2), 2), bins)


@pytest.fixture(scope="session")
def jacobians_of():
    """Function from expected data vectors, and derivatives with respect to some parameters, to those of a campaign."""

    def of(expected, bins, jacobian=None, names=NAMES):
        if jacobian is None:
            jacobian = np.zeros((len(expected), len(names), len(bins)))
        return Jacobians(jacobian, expected, np.arange(len(expected)), tuple(names), bins)

    return of


@pytest.fixture(scope="session")
def texts():
    """Function from a figure to all its titles, labels and notes."""

    def of(figure):
        figure.canvas.draw()
        panels = [(axes.title, axes.xaxis.label, axes.yaxis.label) for axes in figure.axes]
        return " ".join(each.get_text() for each in [*(text for panel in panels for text in panel), *figure.texts])

    return of
