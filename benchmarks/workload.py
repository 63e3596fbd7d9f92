"""The work that every code does. Standard library only, since each code imports it in its own environment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Workload:
    """N-body simulation of the comparison: 2LPT, then fixed steps from a_start to today, then the density.

    Attributes
    ----------
    particles
        Particles per side, and mesh points per side.
    field
        Path of the linear overdensity today on the lattice, the same for all codes (.npz, float32).
    positions
        Path of the positions of the particles today [Mpc/h], for kernels whose time depends on them.
    a_start
        Scale factor of the start.
    steps
        Number of steps.
    spacing
        Spacing of particles and of mesh points [Mpc/h].
    """

    particles: int
    field: str
    positions: str = ""
    a_start: float = 0.1
    steps: int = 10
    spacing: float = 2.0

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
    """Mean squared density in units of the mean: the number that all codes differentiate in reverse mode."""
    return ((density / density.mean()) ** 2).mean()


class Program(NamedTuple):
    """What a worker times.

    Attributes
    ----------
    run
        Function that does the work once and returns arrays.
    forces
        Evaluations of the particle-mesh force in the work; 0 where the work is not an N-body.
    power_tolerance
        Largest relative difference of the power spectrum from that of lenscast on large scales.
    """

    run: Callable[[], Any]
    forces: int = 0
    power_tolerance: float = 0.03
