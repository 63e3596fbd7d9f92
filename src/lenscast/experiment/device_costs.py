"""What one device of several holds and sends, by formula, before anything runs.

Bytes that are sent are exact. Memory is an estimate: the compiler decides which arrays exist together.
"""

from typing import NamedTuple

from humanfriendly import format_size

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.memory import simulation_bytes
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.box import ParticleMesh
from lenscast.sections.distribution import Distribution, stored_modes

FLOAT32, COMPLEX64 = 4, 8


class Sent(NamedTuple):
    """Bytes that a device sends in one force, for its particles alone; every tangent sends as much again.

    Attributes
    ----------
    halos
        Cells around the block: the density that is painted there, and the force that is read there.
    transposes
        Fourier transforms: of the density, and back of the potential or the three components of the force.
    """

    halos: int
    transposes: int


def sent_in_a_force(mesh: ParticleMesh, distribution: Distribution) -> Sent:
    """Bytes that a device sends in one force.

    Parameters
    ----------
    mesh
        Box and force mesh.
    distribution
        How the box is split.
    """
    size, (rows, columns) = mesh.mesh_size, distribution.grid
    x, y = size // rows, size // columns
    spectral = mesh.gradient == "spectral"

    def surface(wide_x: int, wide_y: int) -> int:
        """Cells on both sides of a block; those along y include the ones that came along x."""
        return 2 * size * (wide_x * y + wide_y * (x + 2 * wide_x))

    halos = (1 + 3) * surface(*distribution.halo(mesh.cell_size))
    if not spectral:  # differences over one point and over two, on both sides
        halos += sum(surface(step if rows > 1 else 0, 0) + surface(0, step if columns > 1 else 0) for step in (1, 2))
    modes = stored_modes(size, columns)
    # a transpose keeps the part of the block that its device needs
    moved = (rows - 1) * x * size * modes // (rows * columns) + (columns - 1) * x * y * modes // columns
    return Sent(FLOAT32 * halos, COMPLEX64 * (1 + (3 if spectral else 1)) * moved)


def described_devices(experiment: Experiment) -> str:
    """What each device holds and sends, in a line; empty for one device."""
    simulation, distribution = experiment.simulation, experiment.distribution
    if distribution.devices == 1:
        return ""
    rows, columns = distribution.grid
    tangents = sum(name in COSMOLOGICAL for name in experiment.tangents)
    sent = sent_in_a_force(simulation, distribution)
    memory = simulation_bytes(simulation, experiment.lightcone, distribution, tangents)
    blocks = " x ".join(str(simulation.mesh_size // parts) for parts in (rows, columns, 1))
    return (
        f"Each of {distribution.devices} devices has {blocks} mesh cells with a halo of "
        f"{max(distribution.halo(simulation.cell_size))} cells, takes about {format_size(memory)} with {tangents} "
        f"tangents, and sends {format_size((1 + tangents) * sum(sent))} per force "
        f"({format_size((1 + tangents) * sent.transposes)} in transforms, the rest to halos)"
    )
