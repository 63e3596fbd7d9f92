"""Checks that a box can be split over devices as the config says, and remarks on it."""

from collections.abc import Iterator

import numpy as np

from lenscast.experiment.matter import rms_displacement
from lenscast.sections.box import Simulation
from lenscast.sections.cosmology import FlatCosmology
from lenscast.sections.distribution import Distribution
from lenscast.sections.errors import Problem
from lenscast.sections.forecast import Resolution
from lenscast.sections.lightcone import Lightcone

MOST_CELLS = 2**31
"""Cells per device that 32-bit numbers count: 1290 per side of a cube."""

FARTHEST = 5.0
"""Displacement of the farthest particle along an axis, in units of the rms: one of 3e6 independent normal numbers."""


def check_parts(
    simulation: Simulation, lightcone: Lightcone, resolution: Resolution, distribution: Distribution
) -> Iterator[Problem]:
    """Devices have equal parts of particles, meshes and planes, at the coarser levels of resolution too."""
    rows, columns = distribution.grid
    sizes = {
        "simulation.particles": (simulation.particles, (rows, columns), {"particles"}),
        "simulation.noise_size": (simulation.noise_size or simulation.particles, (rows, columns), set()),
        "lightcone.plane_mesh": (lightcone.plane_mesh, (rows * columns,), {"particles", "plane_mesh"}),
    }
    for key, (fine, parts, levels) in sizes.items():
        is_halved = bool(levels & {*resolution.levels})
        size = fine // 2 if is_halved else fine
        if any(size % part for part in parts):
            half = " at half the resolution (resolution.levels)" if is_halved else ""
            yield Problem(
                "distribution.devices",
                f"{distribution.devices} {distribution.layout} cut {key} = {size}{half} into "
                f"{' x '.join(map(str, parts))} unequal parts; give a number of devices that divides it",
            )


def check_cells(simulation: Simulation, distribution: Distribution) -> Iterator[Problem]:
    """The mesh of a device has fewer cells than 32-bit numbers count."""
    halo = (*distribution.halo(simulation.cell_size), 0)
    blocks = (*(simulation.mesh_size // parts for parts in distribution.grid), simulation.mesh_size)
    cells = int(np.prod([side + 2 * width for side, width in zip(blocks, halo, strict=True)], dtype=object))
    if cells >= MOST_CELLS:
        yield Problem(
            "distribution.devices",
            f"{distribution.devices} devices have {cells:.3g} mesh cells each, halo included; at most 2^31 = 2.1e9 can "
            "be counted: raise it, or lower simulation.particles",
        )


def halo_remark(simulation: Simulation, cosmology: FlatCosmology, distribution: Distribution) -> Iterator[str]:
    """Where particles will probably move farther than the halo."""
    if distribution.devices == 1:
        return
    moved = FARTHEST * rms_displacement(cosmology, simulation.box_size)
    if distribution.halo_mpc < moved:
        yield (
            f"distribution.halo_mpc: the farthest particles move about {moved:.0f} Mpc/h along an axis until today; "
            f"boxes with particles beyond {distribution.halo_mpc:g} Mpc/h are refused; raise it to {moved:.0f} or more"
        )


CHECKS = (check_parts, check_cells)
