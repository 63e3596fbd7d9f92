"""Redshift distributions n_b(z) of the source bins.

Convention: a distribution is cut into cells of redshift, and n_b(z) is linear within each cell. Sources at a single
redshift are a cell of width 0. Redshifts are observed, hence fixed when the cosmology changes; distances follow from
them in `lenscast.lensing.kernels`, which also applies the shifts Delta z. This module computes with NumPy alone: a
distribution is a constant of the compiled programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from lenscast.sections.survey import PlaneSources, SmailSources, TabulatedSources

CELL = 1 / 256
"""Width of the cells of redshift: it makes shares and kernels accurate to 1e-5."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Redshift distributions n_b(z) of source bins, linear within cells of redshift that all bins share.

    Instances compare and hash by identity, so that JAX takes one as a static argument.

    Attributes
    ----------
    low
        Lower end of each cell.
    high
        Upper end of each cell; equal to `low` where all galaxies of the cell have one redshift.
    share
        Share of the galaxies of each bin in each cell; the shares of a bin sum to 1.
    tilt
        Slope of n_b(z) within each cell, (n(high) - n(low)) / (n(high) + n(low)).
    """

    low: Float64[np.ndarray, " interval"]
    high: Float64[np.ndarray, " interval"]
    share: Float64[np.ndarray, "source interval"]
    tilt: Float64[np.ndarray, "source interval"]

    def __len__(self) -> int:
        """Number of source bins."""
        return len(self.share)

    @property
    def z(self) -> Float64[np.ndarray, " interval"]:
        """Middle of each cell."""
        return (self.low + self.high) / 2

    @property
    def mean(self) -> Float64[np.ndarray, " source"]:
        """Mean redshift of each bin."""
        # a cell of width w with the density [1 + tilt (2 u - 1)] on 0 < u < 1 has its mean at z + tilt w / 6
        return np.sum(self.share * (self.z + self.tilt * (self.high - self.low) / 6), axis=1)

    @property
    def width(self) -> Float64[np.ndarray, " source"]:
        """Standard deviation of the redshifts of each bin."""
        # about the middle of a cell, the mean square of this density is w^2 / 12 whatever its tilt
        cell, from_mean = self.high - self.low, self.z - self.mean[:, None]
        variance = self.share * (from_mean**2 + from_mean * self.tilt * cell / 3 + cell**2 / 12)
        return np.sqrt(np.sum(variance, axis=1))


def redshift_distributions(section: PlaneSources | SmailSources | TabulatedSources) -> Sources:
    """Redshift distributions of the section `survey.sources` of a config."""
    if isinstance(section, PlaneSources):
        return source_planes(section.z)
    if isinstance(section, SmailSources):
        return tomographic(section.z0, section.alpha, section.bins, section.sigma_z, section.z_max)
    table = section.table
    if section.is_histogram:
        edges = section.edges
        return histogram(edges, table.n[: len(edges) - 1].T)
    return tabulated(table.z[None], table.n.T)


def source_planes(z: Sequence[float]) -> Sources:
    """Source bins at a single redshift each."""
    redshift = np.asarray(z, float)
    return Sources(redshift, redshift, np.eye(len(redshift)), np.zeros(2 * redshift.shape))


def tomographic(z0: float, alpha: float, bins: int, sigma_z: float, z_max: float) -> Sources:
    r"""Bins with equal numbers of galaxies, cut in photometric redshift.

    All galaxies together follow n(z) ~ z^2 exp[-(z / z0)^alpha] for z <= z_max. The edges of the bins divide them into
    equal numbers by true redshift. The cut at these edges is in photometric redshift, which scatters normally about the
    true one by sigma_z (1 + z); so n_b(z) has wings beyond its edges.

    Parameters
    ----------
    z0
        Redshift z0 of n(z).
    alpha
        Power alpha of n(z).
    bins
        Number of bins.
    sigma_z
        Scatter of photometric redshifts in units of 1 + z; 0 for none.
    z_max
        Largest redshift.

    References
    ----------
    LSST Dark Energy Science Collaboration (2018), arXiv:1809.01669, Sect. D2, for the bins; Smail, Ellis & Fitchett
    (1994), astro-ph/9402048, for n(z).
    """
    from scipy.special import ndtr  # here, as it takes longer to load than a config to be checked

    z = _cell_edges(0.0, z_max)
    number = z**2 * np.exp(-((z / z0) ** alpha))
    cumulative = np.concatenate([[0.0], np.cumsum(number[1:] + number[:-1])])
    edges = np.interp(np.arange(bins + 1) / bins * cumulative[-1], cumulative, z)
    # below 1e-6 the scatter is no longer visible in cells of 4e-3; at 0 the quotient below would be 0 / 0
    scatter = np.maximum(sigma_z * (1 + z), 1e-6)
    # times the chance that a galaxy at z has its photometric redshift between two edges; galaxies that scatter below 0
    # or above z_max are in no bin
    return _linear_between(z, number * np.diff(ndtr((edges[:, None] - z) / scatter), axis=0))


def tabulated(z: Float[np.ndarray, "1 row"], n: Float[np.ndarray, "source row"]) -> Sources:
    """Bins with n_b(z) from a table, linear between its rows.

    Parameters
    ----------
    z
        Redshifts, increasing.
    n
        Galaxies per redshift in each bin, in any unit.
    """
    redshift = z.ravel()
    # the rows of the table are ends of cells too, so that its kinks stay where they are
    edges = np.union1d(_cell_edges(redshift[0], redshift[-1]), redshift)
    return _linear_between(edges, np.stack([np.interp(edges, redshift, each) for each in n]))


def histogram(edges: Float[np.ndarray, " edge"], n: Float[np.ndarray, "source bin"]) -> Sources:
    """Bins with n_b(z) constant between edges.

    Parameters
    ----------
    edges
        Edges of the bins of redshift, increasing.
    n
        Galaxies per redshift between the edges, in any unit.
    """
    cells = np.union1d(_cell_edges(edges[0], edges[-1]), edges)
    inside = np.searchsorted(edges, (cells[1:] + cells[:-1]) / 2) - 1
    number = n[:, inside] * np.diff(cells)
    return Sources(cells[:-1], cells[1:], number / number.sum(axis=1, keepdims=True), np.zeros_like(number))


def _cell_edges(start: float, end: float) -> Float64[np.ndarray, " edge"]:
    """Ends of cells of at most the width `CELL` between two redshifts."""
    return np.linspace(start, end, 1 + int(np.ceil((end - start) / CELL)))


def _linear_between(z: Float64[np.ndarray, " edge"], n: Float64[np.ndarray, "source edge"]) -> Sources:
    """Bins whose distributions, in any unit, have the values `n` at the ends `z` of the cells."""
    low, high = n[:, :-1], n[:, 1:]
    number = (low + high) * np.diff(z)
    # a cell without galaxies has no slope
    tilt = np.divide(high - low, high + low, out=np.zeros_like(low), where=high + low > 0)
    return Sources(z[:-1], z[1:], number / number.sum(axis=1, keepdims=True), tilt)
