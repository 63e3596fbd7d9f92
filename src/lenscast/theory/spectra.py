"""Convergence spectra that follow from the matter power: lensing and intrinsic alignments, without and with windows.

Convention: parameters, distances and kernels of the planes are those of the simulations. Spectra are flat-sky and in
the Limber approximation. They come in two forms: the integral along the line of sight, and the sum over the lens planes
of the simulated maps, with the windows of the planes and the mixing of multipoles by the region that is measured.
Neither form knows the resolution of particles and force mesh. Pairs of sources have the order of `source_pairs`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.experiment import Experiment
from lenscast.lensing import (
    AlignmentConstants,
    Kernels,
    Sources,
    Systematics,
    limber_sum,
    plane_kernels,
    plane_window,
    redshift_distributions,
)
from lenscast.model import fiducial
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics import Observation, PowerSpectrum
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.statistics.region_window import bandpower_windows
from lenscast.theory.matter import MatterPower, camb_power

__all__ = [
    "NODES_PER_BIN",
    "Galaxies",
    "MeasuredSpectrum",
    "bandpowers",
    "bin_averages",
    "limber",
    "plane_power",
    "spectra_table",
    "thin_planes",
]

NODES_PER_BIN = 6
LIMBER_SPACING = 4.0  # Mpc/h; the midpoint rule is then accurate to 1e-4
KNOTS = 512  # multipoles 2 % apart, between which spectra are linear to 1e-4
KERNELS = jax.jit(plane_kernels, static_argnums=(0, 3, 4))


@dataclass(frozen=True)
class Galaxies:
    """The galaxies of a survey, whose shapes are measured.

    Attributes
    ----------
    sources
        Redshift distributions of the source bins.
    systematics
        Values of the nuisance parameters.
    alignment
        Constants of intrinsic alignments.
    """

    sources: Sources
    systematics: Systematics
    alignment: AlignmentConstants

    @classmethod
    def of(cls, experiment: Experiment) -> "Galaxies":
        """Galaxies of the survey of an experiment."""
        sources = redshift_distributions(experiment.survey.sources)
        return cls(sources, fiducial(experiment).systematics, experiment.systematics)

    @property
    def z_max(self) -> float:
        """Redshift of the farthest galaxies."""
        return float(self.sources.high[-1] + np.max(self.systematics.delta_z))

    def kernels(self, cosmos: Cosmology, lightcone: Lightcone) -> Kernels:
        """Kernels of the planes for these galaxies, as NumPy arrays."""
        made = KERNELS(self.sources, self.systematics, cosmos, lightcone, self.alignment)
        return jax.tree.map(np.asarray, made)

    def moved(self, name: str, step: float) -> "Galaxies":
        """Galaxies with another value of one nuisance parameter.

        Parameters
        ----------
        name
            Name of the parameter, such as ``A_IA`` or ``delta_z_2``.
        step
            Number that is added to its value.
        """
        stem, _, number = name.rpartition("_")
        value = getattr(self.systematics, name, None)
        if value is None:
            changed = eqx.tree_at(
                lambda s: getattr(s, stem), self.systematics, replace_fn=lambda x: x.at[int(number) - 1].add(step)
            )
        else:
            changed = eqx.tree_at(lambda s: getattr(s, name), self.systematics, value + step)
        return replace(self, systematics=changed)


class MeasuredSpectrum(NamedTuple):
    """A power spectrum, and the region and shape noise with which it is measured."""

    spectrum: PowerSpectrum
    observation: Observation


def limber(
    ell: Float[np.ndarray, " ell"],
    kernel: Callable[[Lightcone], Float[np.ndarray, "plane source"]],
    cosmos: Cosmology,
    power: MatterPower,
    z_max: float,
) -> Float[np.ndarray, "pair ell"]:
    """Spectra [sr] of all pairs of sources, integrated along the line of sight; Kilbinger (2015), Eq. 29.

    The integral is the sum over planes so thin that the midpoint rule is exact to 1e-4.

    Parameters
    ----------
    ell
        Multipoles.
    kernel
        Function that gives the kernel of any planes.
    cosmos
        Distances and matter density.
    power
        Nonlinear matter power of the same cosmology up to `z_max`.
    z_max
        Redshift at which the integral ends.

    References
    ----------
    Kilbinger (2015), arXiv:1411.0115.
    """
    thin = thin_planes(cosmos, z_max)
    return limber_sum(plane_power(ell, cosmos, power, thin, windows=False), kernel(thin))


def thin_planes(cosmos: Cosmology, z_max: float) -> Lightcone:
    """Planes of 4 Mpc/h or less up to a redshift; a sum over them is an integral along the line of sight."""
    chi = float(cosmos.distances.comoving_distance(jnp.asarray(1 / (1 + z_max))))
    planes = int(np.ceil(chi / LIMBER_SPACING))
    # mesh, field and pixels do not enter a sum over planes without windows
    return Lightcone(box_size=chi / planes, slabs_per_box=1, planes=planes, plane_mesh=8, field_deg=1.0, pixels=16)


def plane_power(
    ell: Float[np.ndarray, " ell"], cosmos: Cosmology, power: MatterPower, lightcone: Lightcone, windows: bool = True
) -> Float[np.ndarray, "plane ell"]:
    """Spectrum [sr] of the overdensity of each plane, P(ell / chi_i, z_i) / (chi_i^2 dchi) W_i(ell).

    Parameters
    ----------
    ell
        Multipoles.
    cosmos, power
        As for `limber`.
    lightcone
        Planes.
    windows
        Whether to multiply by `lensing.plane_window`, and to leave out modes longer than the box.
    """
    a = np.asarray(cosmos.distances.scale_factor(jnp.asarray(lightcone.chi)))
    planes = []
    for chi, scale_factor in zip(lightcone.chi, a, strict=True):
        plane = power.nonlinear(ell / chi, 1 / scale_factor - 1) / (chi**2 * lightcone.thickness)
        if windows:
            plane = plane * plane_window(ell, chi, lightcone) * (ell >= 2 * np.pi * chi / lightcone.box_size)
        planes.append(plane)
    return np.stack(planes)


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
    tabulate, ell_edges = jax.jit(cosmology), measured.spectrum.ell_edges
    nodes = gauss_legendre(np.asarray(ell_edges), NODES_PER_BIN).nodes.ravel()
    ell, windows = bandpowers(measured)

    def windowed(p: Parameters, moved_galaxies: Galaxies, power: MatterPower) -> Float[np.ndarray, "pair ell"]:
        cosmos = tabulate(p)
        kernel = _shear(moved_galaxies, cosmos, lightcone)
        return limber_sum(plane_power(ell, cosmos, power, lightcone), kernel) @ windows.T

    def slope(name: str, step: float) -> Float[np.ndarray, "pair ell"]:
        sides = [_moved(parameters, galaxies, name, sign * step) for sign in (1, -1)]
        powers = [power if p is parameters and name != "log10_T_AGN" else _power(p, each) for p, each in sides]
        plus, minus = (windowed(*side, each) for side, each in zip(sides, powers, strict=True))
        return (plus - minus) / (2 * step) / columns["limber_windows"]

    power, cosmos = _power(parameters, galaxies), tabulate(parameters)
    exact = limber(nodes, lambda thin: _shear(galaxies, cosmos, thin), cosmos, power, galaxies.z_max)
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
    """Windows of a statistic for spectra up to the largest multipole that the pixels of its region resolve.

    Parameters
    ----------
    measured
        Statistic that measures the maps, with its region and mask.
    """
    spectrum, observation = measured
    region = observation.region
    # the diagonal mode of the square pixels has the largest multipole
    ell = np.geomspace(1.0, np.sqrt(2) * np.pi / region.pixel_radian, KNOTS)
    return Bandpowers(ell, bandpower_windows(ell, region, spectrum.ell_edges, spectrum.pixel_weight(observation)))


def _shear(galaxies: Galaxies, cosmos: Cosmology, lightcone: Lightcone) -> Float[np.ndarray, "plane source"]:
    """Kernel of the observed shear: lensing and alignments together, times the calibration of each source."""
    kernels = galaxies.kernels(cosmos, lightcone)
    return np.asarray(kernels.lensing + kernels.alignment) * (1 + np.asarray(galaxies.systematics.m))


def _power(parameters: Parameters, galaxies: Galaxies) -> MatterPower:
    """Nonlinear matter power up to the farthest galaxies."""
    return camb_power(parameters, galaxies.z_max, log10_T_AGN=galaxies.systematics.log10_T_AGN)


def _moved(parameters: Parameters, galaxies: Galaxies, name: str, step: float) -> tuple[Parameters, Galaxies]:
    """Parameters and galaxies with another value of one parameter."""
    if name not in COSMOLOGICAL:
        return parameters, galaxies.moved(name, step)
    return replace(parameters, **{name: getattr(parameters, name) + step}), galaxies
