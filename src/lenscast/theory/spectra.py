"""Convergence spectra of theory as a survey measures them: bins of multipoles, and the region that mixes them.

Convention: spectra come in two forms, the integral along the line of sight, and the sum over the lens planes of the
simulated maps with the windows of the planes. Neither form knows the resolution of particles and force mesh. Pairs of
sources have the order of `source_pairs`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.cosmology import Parameters, cosmology
from lenscast.lensing import limber_sum
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics import Observation, PowerSpectrum
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.statistics.region_window import bandpower_windows
from lenscast.theory.galaxies import Galaxies
from lenscast.theory.matter import MatterPower, camb_power
from lenscast.theory.planes import limber, plane_power

NODES_PER_BIN = 6
KNOTS = 512  # multipoles 2 % apart, between which spectra are linear to 1e-4


class MeasuredSpectrum(NamedTuple):
    """A power spectrum, and the region and shape noise with which it is measured."""

    spectrum: PowerSpectrum
    observation: Observation


def spectra_table(
    parameters: Parameters,
    galaxies: Galaxies,
    measured: MeasuredSpectrum,
    lightcone: Lightcone,
    steps: Mapping[str, float] = MappingProxyType({}),
) -> pd.DataFrame:
    """Convergence spectra averaged over bins of ell, one row per pair of sources and bin.

    All spectra include intrinsic alignments, feedback and calibration.

    Parameters
    ----------
    parameters
        Cosmological parameters.
    galaxies
        Sources and nuisance parameters.
    measured
        Statistic that measures the maps, with its region and mask.
    lightcone
        Planes.
    steps
        Steps of central differences by parameter.

    Returns
    -------
    Columns: source_1 and source_2; low and high, the ends of the bin, and ell, its mean multipole; limber [sr], the
    integral along the line of sight; limber_windows [sr], the sum over planes with their windows, mixed by the region
    and its mask; dln_<parameter> for each parameter with a step, the derivative of ln(limber_windows) with respect to
    the parameter.
    """
    ell_edges = measured.spectrum.ell_edges
    nodes = gauss_legendre(np.asarray(ell_edges), NODES_PER_BIN).nodes.ravel()
    ell, windows = bandpowers(measured)

    def windowed(p: Parameters, survey: Galaxies, power: MatterPower) -> Float[np.ndarray, "pair ell"]:
        cosmos = cosmology(p)
        planes = plane_power(ell, cosmos, power, lightcone)
        return limber_sum(planes, survey.shear_kernel(cosmos, lightcone)) @ windows.T

    def slope(name: str, step: float) -> Float[np.ndarray, "pair ell"]:
        sides = [_stepped(parameters, galaxies, name, sign * step) for sign in (1, -1)]
        powers = [power if p is parameters and name != "log10_T_AGN" else _power(p, each) for p, each in sides]
        plus, minus = (windowed(*side, each) for side, each in zip(sides, powers, strict=True))
        return (plus - minus) / (2 * step) / columns["limber_windows"]

    power, cosmos = _power(parameters, galaxies), cosmology(parameters)
    exact = limber(nodes, lambda thin: galaxies.shear_kernel(cosmos, thin), cosmos, power, galaxies.z_max)
    columns = {"limber": bin_averages(exact, ell_edges), "limber_windows": windowed(parameters, galaxies, power)}
    columns |= {f"dln_{name}": slope(name, step) for name, step in steps.items()}
    mean_ell = bin_averages(nodes[None], ell_edges)[0]
    return pd.DataFrame(
        {"source_1": i, "source_2": j, "low": low, "high": high, "ell": mean_ell[index]}
        | {name: values[pair, index] for name, values in columns.items()}
        for pair, (i, j) in enumerate(source_pairs(len(galaxies.sources)))
        for index, (low, high) in enumerate(pairwise(ell_edges))
    )


def bin_averages(values: Float[np.ndarray, "pair node"], ell_edges: Sequence[float]) -> Float[np.ndarray, "pair ell"]:
    """Averages over bins of ell with the weight ell, since a map has modes in proportion to ell.

    Parameters
    ----------
    values
        Values at the nodes of `gauss_legendre` in each bin.
    ell_edges
        Edges of the bins.
    """
    nodes = gauss_legendre(np.asarray(ell_edges, float), values.shape[-1] // (len(ell_edges) - 1))
    weight = nodes.weights * nodes.nodes
    by_bin = values.reshape(len(values), *weight.shape)
    return (by_bin * weight).sum(axis=-1) / weight.sum(axis=-1)


class Bandpowers(NamedTuple):
    """How a measurement responds to the spectrum of the sky.

    Attributes
    ----------
    ell
        Multipoles at which the spectrum is tabulated.
    windows
        Matrix whose product with the spectrum is the mean of the measured bins, see `bandpower_windows`.
    """

    ell: Float[np.ndarray, " ell"]
    windows: Float[np.ndarray, "bin ell"]


def bandpowers(measured: MeasuredSpectrum) -> Bandpowers:
    """Windows of a statistic for spectra up to the largest multipole that the pixels of its region resolve."""
    spectrum, observation = measured
    region = observation.region
    # the diagonal mode of the square pixels has the largest multipole
    ell = np.geomspace(1.0, np.sqrt(2) * np.pi / region.pixel_radian, KNOTS)
    return Bandpowers(ell, bandpower_windows(ell, region, spectrum.ell_edges, spectrum.pixel_weight(observation)))


def _power(parameters: Parameters, galaxies: Galaxies) -> MatterPower:
    """Nonlinear matter power up to the farthest galaxies."""
    return camb_power(parameters, galaxies.z_max, log10_T_AGN=galaxies.systematics.log10_T_AGN)


def _stepped(parameters: Parameters, galaxies: Galaxies, name: str, step: float) -> tuple[Parameters, Galaxies]:
    """Parameters and galaxies with another value of one parameter."""
    if name not in COSMOLOGICAL:
        return parameters, galaxies.with_step(name, step)
    return replace(parameters, **{name: getattr(parameters, name) + step}), galaxies
