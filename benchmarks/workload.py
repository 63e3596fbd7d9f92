"""The work that every code is given. Standard library only: each code imports it in its own environment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Workload:
    """N-body simulation of the comparison: 2LPT, then fixed steps from a_start to today, then the density.

    Attributes
    ----------
    particles : per side, as many as mesh points.
    field : path of the linear overdensity today on the lattice, the same for all codes (.npz, float32).
    positions : path of the particles that it makes today [Mpc/h], for kernels that care where these are.
    """

    particles: int
    field: str
    positions: str = ""
    a_start: float = 0.1
    steps: int = 10
    spacing: float = 2.0  # of particles and of mesh points [Mpc/h]

    @property
    def box_size(self) -> float:
        """Side of the box [Mpc/h]."""
        return self.spacing * self.particles


# Planck 2015, as in config.yaml
COSMOLOGY = {
    "Omega_c": 0.2589,
    "Omega_b": 0.0486,
    "h": 0.6774,
    "n_s": 0.9667,
    "sigma8": 0.8159,
    "w0": -1.0,
    "wa": 0.0,
}


def mean_square(density: Any) -> Any:
    """A number that depends on all of a density, the same for all codes: what their reverse mode differentiates."""
    return ((density / density.mean()) ** 2).mean()


class Program(NamedTuple):
    """What a worker times.

    Attributes
    ----------
    run : does the work once; returns arrays.
    forces : evaluations of the particle-mesh force in it, 0 where that is not the point.
    power_tolerance : how far its power spectrum may be from lenscast's on large scales.
    """

    run: Callable[[], Any]
    forces: int = 0
    power_tolerance: float = 0.03
