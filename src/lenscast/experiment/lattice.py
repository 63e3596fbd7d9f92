"""Whether the lattice that particles start from is in the maps.

Particles far apart move by little more than the distance between them, and planes whose mesh is finer than their
lattice show it: the same pattern in every box, which is not on the sky.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.matter import LN_K, growth, rms_displacement
from lenscast.experiment.plane_checks import LineOfSight
from lenscast.geometry import SPEED_OF_LIGHT_OVER_H0

__all__ = ["MapVariance", "lattice_remarks", "map_variance"]

WARNED = 0.02
"""Variance of the lattice that is remarked on, over that of matter."""

HARMONICS = np.arange(-4, 5)
"""Wavenumbers of the lattice that are summed, in units of the smallest one."""


class MapVariance(NamedTuple):
    """Variance of the convergence in a map, by source bin.

    Attributes
    ----------
    lattice
        Of the mean map of many boxes.
    matter
        Of maps about their mean.
    """

    lattice: Float[np.ndarray, " source"]
    matter: Float[np.ndarray, " source"]


def lattice_remarks(experiment: Experiment) -> Iterator[str]:
    """Where the lattice of the particles has more than 2 % of the variance of matter, and what to do."""
    share = _share(experiment)
    if share.max() <= WARNED:
        return
    particles = experiment.simulation.particles
    spacing = experiment.simulation.box_size / particles
    enough = next(number for number in range(particles, 2**17, 4) if _share(experiment, number).max() <= WARNED / 2)
    yield (
        f"lightcone.plane_mesh: the lattice of particles {spacing:.3g} Mpc/h apart is in the maps of source bin "
        f"{share.argmax() + 1}, with {share.max():.2g} of the variance of matter; lower to {particles}, or raise "
        f"simulation.particles to {enough}"
    )


def map_variance(experiment: Experiment) -> MapVariance:
    """Variance of the lattice and of matter in maps, to some ten percent.

    The mean density of particles with Gaussian displacements is that of their lattice, smoothed by the displacements.
    These are those of linear theory. Matter has the power of halofit between the longest mode of the box and the
    shortest of the particles. Both are painted and read as maps are.

    Parameters
    ----------
    experiment
        Experiment.

    Notes
    -----
    The mean density has the modes G of the lattice with amplitudes exp(-G^2 sigma^2 / 2), for displacements of the rms
    sigma along an axis. Maps sum planes as in Kilbinger (2015), arXiv:1411.0115, Eq. 20.
    """
    simulation, lightcone = experiment.simulation, experiment.lightcone
    line = LineOfSight.of(experiment.cosmology, experiment.survey)
    a, k = line.scale_factor(lightcone.chi), np.exp(LN_K)
    spacing, cell = simulation.box_size / simulation.particles, simulation.box_size / lightcone.plane_mesh

    today = rms_displacement(experiment.cosmology, simulation.box_size, spacing)
    displacement = growth(a, experiment.cosmology) * today
    # density along one side of a plane, 1 on average: smoothed points of the lattice, painted as clouds of one cell
    wavenumber = HARMONICS * 2 * np.pi / spacing
    smoothed = np.exp(-0.5 * (wavenumber * displacement[:, None]) ** 2) * np.sinc(HARMONICS * cell / spacing) ** 2
    points = np.arange(lightcone.plane_mesh) * cell
    side = (smoothed @ np.exp(1j * np.outer(wavenumber, points))).real
    # mean square where linear interpolation reads it, along one side and then along both
    square = (2 * (side**2).mean(axis=1) + (side * np.roll(side, 1, axis=1)).mean(axis=1)) / 3
    lattice = square**2 - 1

    is_inside = (k > 2 * np.pi / simulation.box_size) & (k < np.pi / spacing)
    window = np.sinc(k * cell / 2 / np.pi) ** 4
    power = np.where(is_inside, line.power(np.broadcast_to(k, (len(a), len(k))), a), 0)
    matter = np.trapezoid(k**2 * window**2 * power, LN_K, axis=1) / (2 * np.pi * lightcone.thickness)

    poisson = 1.5 * experiment.cosmology.Omega_m / SPEED_OF_LIGHT_OVER_H0**2
    kernel = poisson * lightcone.thickness * line.kernel(lightcone.chi)
    return MapVariance(*(np.asarray(each @ kernel**2) for each in (lattice, matter)))


def _share(experiment: Experiment, particles: int | None = None) -> Float[np.ndarray, " source"]:
    """Variance of the lattice over that of matter, with another number of particles if one is given."""
    if particles is not None:
        simulation = experiment.simulation.model_copy(update={"particles": particles})
        experiment = experiment.model_copy(update={"simulation": simulation})
    found = map_variance(experiment)
    return found.lattice / found.matter
