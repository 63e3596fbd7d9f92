"""Prior of the parameters of simulations, and the parameters of each box: a design that fills the prior evenly.

The coordinates of a prior are standard normal under it, so that ends of ranges are at infinity: a density learnt in
them has no mass outside, and no edge to learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy import special, stats

from lenscast.experiment import Experiment

__all__ = ["SimulatedPrior", "design", "designed_parameters"]

# coordinates beyond which the distribution function of a normal variable is 0 or 1 in 64 bits
FARTHEST = 8.0


@dataclass(frozen=True)
class SimulatedPrior:
    """Independent priors inside ranges, Gaussian where there is a width and else flat.

    Attributes
    ----------
    names
        Parameters.
    low, high
        Ends of the range of each parameter.
    centre, width
        Centre and standard deviation of each Gaussian before it is cut at the ends; infinite for a flat prior.
    """

    names: tuple[str, ...]
    low: Float64[np.ndarray, " param"]
    high: Float64[np.ndarray, " param"]
    centre: Float64[np.ndarray, " param"]
    width: Float64[np.ndarray, " param"]

    @classmethod
    def inside(
        cls, ranges: Mapping[str, Sequence[float]], fiducial: Mapping[str, float], widths: Mapping[str, float]
    ) -> "SimulatedPrior":
        """Prior of the parameters that have a range.

        Parameters
        ----------
        ranges
            Lower and upper end by parameter.
        fiducial
            Values of the parameters, the centres of the Gaussian priors, and possibly of others.
        widths
            Standard deviation of the prior of each parameter that has a Gaussian one.

        Raises
        ------
        ValueError
            If a lower end is not below the upper one.
        """
        low, high = np.array([*ranges.values()], np.float64).reshape(-1, 2).T
        for name, least, largest in zip(ranges, low, high, strict=True):
            if not least < largest:
                raise ValueError(f"range of {name}: {least:g} is not below {largest:g}; give the lower end first")
        centre = np.array([fiducial[name] for name in ranges], np.float64)
        width = np.array([widths.get(name, np.inf) for name in ranges], np.float64)
        return cls(tuple(ranges), low, high, centre, width)

    @classmethod
    def of(cls, experiment: Experiment) -> "SimulatedPrior":
        """Prior of the parameters of a forecast, in their order."""
        ranges = {name: experiment.prior_ranges[name] for name in experiment.parameters}
        return cls.inside(ranges, experiment.fiducial, experiment.priors)

    def parameters(self, z: Float64[np.ndarray, "*draw param"]) -> Float64[np.ndarray, "*draw param"]:
        """Values of the parameters at some coordinates.

        Parameters
        ----------
        z
            Coordinates, standard normal under the prior.
        """
        # each half of a normal distribution by its own tail: 1 - p would round
        upper = z > 0
        tail = special.ndtr(-np.abs(z))
        cut = self._gaussian()
        with np.errstate(invalid="ignore"):  # a flat prior has no Gaussian
            gaussian = np.where(upper, cut.isf(tail), cut.ppf(tail))
        ends = np.where(upper, self.high, self.low)
        flat = ends + np.where(upper, -1, 1) * tail * (self.high - self.low)
        return np.clip(np.where(np.isfinite(self.width), gaussian, flat), self.low, self.high)

    def coordinates(self, theta: Float64[np.ndarray, "*draw param"]) -> Float64[np.ndarray, "*draw param"]:
        """Coordinates of parameters inside the ranges: the inverse of `parameters`.

        Parameters
        ----------
        theta
            Values of the parameters.

        Raises
        ------
        ValueError
            If a value is outside its range.
        """
        if not np.all((self.low <= theta) & (theta <= self.high)):
            ends = ", ".join(
                f"{name} {low:g} to {high:g}" for name, low, high in zip(self.names, self.low, self.high, strict=True)
            )
            raise ValueError(f"parameters outside the prior: it has {ends}")
        cut, share, is_flat = self._gaussian(), (theta - self.low) / (self.high - self.low), np.isinf(self.width)
        below, above = np.where(is_flat, share, cut.cdf(theta)), np.where(is_flat, 1 - share, cut.sf(theta))
        z = np.where(below < 0.5, special.ndtri(below), -special.ndtri(above))
        return np.clip(z, -FARTHEST, FARTHEST)

    def _gaussian(self) -> Any:
        """Truncated Gaussians; of any width where the prior is flat."""
        width = np.where(np.isfinite(self.width), self.width, 1.0)
        ends = (self.low - self.centre) / width, (self.high - self.centre) / width
        return stats.truncnorm(*ends, loc=self.centre, scale=width)


def design(prior: SimulatedPrior, boxes: int, seed: int) -> Float64[np.ndarray, "box param"]:
    """Parameters of each box, by a scrambled Sobol sequence (Owen 1998, J. Complexity 14, 466).

    Every number of first boxes fills the prior more evenly than random draws, and more boxes change none.

    Parameters
    ----------
    prior
        Prior of the parameters.
    boxes
        Number of boxes.
    seed
        Seed of the scrambling.
    """
    sequence = stats.qmc.Sobol(len(prior.names), scramble=True, rng=seed)
    points = sequence.random_base2(max(1, int(np.ceil(np.log2(boxes)))))[:boxes]
    return prior.parameters(special.ndtri(np.clip(points, 2.0**-40, 1 - 2.0**-40)))


def designed_parameters(experiment: Experiment, seeds: Sequence[int]) -> Float64[np.ndarray, "box param"]:
    """Parameters of some boxes of an experiment.

    Parameters
    ----------
    experiment
        Prior, number of boxes and seed of the design.
    seeds
        Seeds of the boxes.
    """
    section = experiment.simulation_based
    every = design(SimulatedPrior.of(experiment), section.boxes, section.seed)
    return every[np.array(seeds) - section.first_seed]
