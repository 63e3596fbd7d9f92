"""Convergence spectra that follow from the matter power: lensing, intrinsic alignments, and what windows leave of them.

Convention: the same parameters, distances and weights of planes as the simulations. Spectra are flat-sky and in the
Limber approximation: as an integral along the line of sight, and as the sum over lens planes, seen through their
windows and the region that is measured, that the simulated maps are made of. The resolution of particles and force mesh
is not in it. Pairs of sources run as those of `statistics.PowerSpectrum`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, pairwise
from types import MappingProxyType
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.cosmology import PARAMETER_NAMES, Cosmology, Parameters, cosmology
from lenscast.lensing import AlignmentModel, Lightcone, Sources, Systematics, Weights, plane_weights, plane_window
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.statistics.region_window import bandpower_windows
from lenscast.theory.matter import MatterPower, matter_power

__all__ = [
    "NODES_PER_BIN",
    "Galaxies",
    "bin_averages",
    "limber",
    "pairs",
    "plane_power",
    "plane_sum",
    "seen_by",
    "spectra_table",
    "thin_planes",
]

NODES_PER_BIN = 6
LIMBER_SPACING = 4.0  # Mpc/h: midpoints, good to 1e-4
KNOTS = 512  # 2 % apart, spectra are linear to 1e-4
WEIGHTS = jax.jit(plane_weights, static_argnums=(0, 3, 4))


@dataclass(frozen=True)
class Galaxies:
    """The galaxies of a survey, whose shapes are measured.

    Attributes
    ----------
    sources : redshifts.
    systematics : nuisance parameters.
    alignment : constants of intrinsic alignments.
    """

    sources: Sources
    systematics: Systematics
    alignment: AlignmentModel

    @property
    def z_max(self) -> float:
        """Redshift of the farthest galaxies."""
        return float(self.sources.high[-1] + np.max(self.systematics.delta_z))

    def weights(self, cosmos: Cosmology, lightcone: Lightcone) -> Weights:
        """What planes do to their light, as arrays of numpy."""
        made = WEIGHTS(self.sources, self.systematics, cosmos, lightcone, self.alignment)
        return jax.tree.map(np.asarray, made)

    def moved(self, name: str, step: float) -> "Galaxies":
        """The same with a nuisance parameter moved, by its name."""
        stem, _, number = name.rpartition("_")
        value = getattr(self.systematics, name, None)
        if value is None:
            changed = eqx.tree_at(
                lambda s: getattr(s, stem), self.systematics, replace_fn=lambda x: x.at[int(number) - 1].add(step)
            )
        else:
            changed = eqx.tree_at(lambda s: getattr(s, name), self.systematics, value + step)
        return replace(self, systematics=changed)


def limber(
    ell: Float[np.ndarray, " ell"],
    weights: Callable[[Lightcone], Float[np.ndarray, "plane source"]],
    cosmos: Cosmology,
    power: MatterPower,
    z_max: float,
) -> Float[np.ndarray, "pair ell"]:
    """Spectra [sr] of all pairs of sources, integrated along the line of sight: `plane_sum` over thin planes.

    Parameters
    ----------
    ell : multipoles.
    weights : of any planes.
    cosmos : distances and matter density.
    power : nonlinear matter power of the same cosmology up to `z_max`.
    z_max : where the integral ends.

    References: Kilbinger (2015), arXiv:1411.0115, Eq. 29.
    """
    thin = thin_planes(cosmos, z_max)
    return plane_sum(plane_power(ell, cosmos, power, thin, windows=False), weights(thin))


def thin_planes(cosmos: Cosmology, z_max: float) -> Lightcone:
    """Planes up to a redshift, of a few Mpc/h, whose sum is an integral."""
    chi = float(cosmos.distances.comoving_distance(jnp.asarray(1 / (1 + z_max))))
    planes = int(np.ceil(chi / LIMBER_SPACING))
    return Lightcone(box_size=chi / planes, slabs_per_box=1, planes=planes, plane_mesh=1, field_deg=1.0, pixels=1)


def plane_power(
    ell: Float[np.ndarray, " ell"], cosmos: Cosmology, power: MatterPower, lightcone: Lightcone, windows: bool = True
) -> Float[np.ndarray, "plane ell"]:
    """Spectrum [sr] of the overdensity of each plane, P(ell / chi_i, z_i) / (chi_i^2 dchi) W_i(ell).

    Parameters
    ----------
    ell : multipoles.
    cosmos, power : as of `limber`.
    lightcone : planes.
    windows : whether to include `lensing.plane_window`, and to leave out modes longer than the box.
    """
    a = np.asarray(cosmos.distances.scale_factor(jnp.asarray(lightcone.chi)))
    planes = []
    for chi, scale_factor in zip(lightcone.chi, a, strict=True):
        plane = power.nonlinear(ell / chi, 1 / scale_factor - 1) / (chi**2 * lightcone.thickness)
        if windows:
            plane = plane * plane_window(ell, chi, lightcone) * (ell >= 2 * np.pi * chi / lightcone.box_size)
        planes.append(plane)
    return np.stack(planes)


def plane_sum(
    planes: Float[np.ndarray, "plane ell"], weights: Float[np.ndarray, "plane source"]
) -> Float[np.ndarray, "pair ell"]:
    """Spectra [sr] of all pairs of sources, as the sum over lens planes that maps are made of.

    C_ell = sum_i w_i1 w_i2 C_i(ell), with the planes' weights w_i.

    Parameters
    ----------
    planes : spectrum of each plane, from `plane_power`.
    weights : convergence per unit overdensity of each plane.
    """
    first, second = (np.array(each) for each in zip(*pairs(weights.shape[1]), strict=True))
    return np.einsum("ip,il->pl", weights[:, first] * weights[:, second], planes)


def spectra_table(
    parameters: Parameters,
    galaxies: Galaxies,
    spectrum: PowerSpectrum,
    lightcone: Lightcone,
    steps: Mapping[str, float] = MappingProxyType({}),
) -> pd.DataFrame:
    """Convergence spectra averaged over bins of ell, one row per pair of sources and bin.

    Columns: source_1, source_2; low, high and ell, the mean multipole of the bin; limber and limber_windows [sr], from
    `limber` and from `plane_sum`, the latter seen through the region and its mask; dln_<parameter>, the derivative of
    limber_windows by each parameter with a step, over its value. All include intrinsic alignments, feedback and
    calibration.

    Parameters
    ----------
    parameters : cosmological parameters.
    galaxies : sources and nuisance parameters.
    spectrum : statistic that measures the maps.
    lightcone : planes.
    steps : of central differences by parameter.
    """
    tabulate, ell_edges = jax.jit(cosmology), spectrum.ell_edges
    nodes = gauss_legendre(np.asarray(ell_edges), NODES_PER_BIN).nodes.ravel()
    ell, windows = seen_by(spectrum)

    def seen(p: Parameters, seen_galaxies: Galaxies, power: MatterPower) -> Float[np.ndarray, "pair ell"]:
        cosmos = tabulate(p)
        weights = _shear(seen_galaxies, cosmos, lightcone)
        return plane_sum(plane_power(ell, cosmos, power, lightcone), weights) @ windows.T

    def slope(name: str, step: float) -> Float[np.ndarray, "pair ell"]:
        sides = [_moved(parameters, galaxies, name, sign * step) for sign in (1, -1)]
        powers = [power if p is parameters and name != "log10_T_AGN" else _power(p, each) for p, each in sides]
        plus, minus = (seen(*side, each) for side, each in zip(sides, powers, strict=True))
        return (plus - minus) / (2 * step) / columns["limber_windows"]

    power, cosmos = _power(parameters, galaxies), tabulate(parameters)
    exact = limber(nodes, lambda thin: _shear(galaxies, cosmos, thin), cosmos, power, galaxies.z_max)
    columns = {"limber": bin_averages(exact, ell_edges), "limber_windows": seen(parameters, galaxies, power)}
    columns |= {f"dln_{name}": slope(name, step) for name, step in steps.items()}
    mean_ell = bin_averages(nodes[None], ell_edges)[0]
    return pd.DataFrame(
        {"source_1": i, "source_2": j, "low": low, "high": high, "ell": mean_ell[index]}
        | {name: values[pair, index] for name, values in columns.items()}
        for pair, (i, j) in enumerate(pairs(len(galaxies.sources)))
        for index, (low, high) in enumerate(pairwise(ell_edges))
    )


def bin_averages(values: Float[np.ndarray, "pair node"], ell_edges: Sequence[float]) -> Float[np.ndarray, "pair ell"]:
    """Averages over bins of ell in which a multipole counts as often as a map has modes of it, in proportion to ell.

    Parameters
    ----------
    values : at the nodes of `gauss_legendre` in each bin.
    ell_edges : edges of the bins.
    """
    nodes = gauss_legendre(np.asarray(ell_edges, float), values.shape[-1] // (len(ell_edges) - 1))
    weight = nodes.weights * nodes.nodes
    by_bin = values.reshape(len(values), *weight.shape)
    return (by_bin * weight).sum(axis=-1) / weight.sum(axis=-1)


class Bandpowers(NamedTuple):
    """Multipoles at which a spectrum is tabulated, and the windows through which its bins see it."""

    ell: Float[np.ndarray, " ell"]
    windows: Float[np.ndarray, "bin ell"]


def seen_by(spectrum: PowerSpectrum) -> Bandpowers:
    """How the statistic measures a spectrum, `windows @ C(ell)`, up to what the pixels of its region resolve.

    Parameters
    ----------
    spectrum : statistic, with its region and mask; see `bandpower_windows`.
    """
    ell = np.geomspace(1.0, np.sqrt(2) * np.pi / spectrum.region.pixel_radian, KNOTS)
    return Bandpowers(ell, bandpower_windows(ell, spectrum.region, spectrum.ell_edges, spectrum.weights))


def pairs(sources: int) -> list[tuple[int, int]]:
    """Pairs of sources, the first no farther than the second."""
    return list(combinations_with_replacement(range(sources), 2))


def _shear(galaxies: Galaxies, cosmos: Cosmology, lightcone: Lightcone) -> Float[np.ndarray, "plane source"]:
    """Weights of lensing and alignments together, with the calibration of each source."""
    weights = galaxies.weights(cosmos, lightcone)
    return np.asarray(weights.lensing + weights.alignment) * (1 + np.asarray(galaxies.systematics.m))


def _power(parameters: Parameters, galaxies: Galaxies) -> MatterPower:
    """Nonlinear matter power as far as the galaxies are."""
    return matter_power(parameters, galaxies.z_max, log10_T_AGN=galaxies.systematics.log10_T_AGN)


def _moved(parameters: Parameters, galaxies: Galaxies, name: str, step: float) -> tuple[Parameters, Galaxies]:
    """Parameters and galaxies with one parameter moved."""
    if name not in PARAMETER_NAMES:
        return parameters, galaxies.moved(name, step)
    return replace(parameters, **{name: getattr(parameters, name) + step}), galaxies
