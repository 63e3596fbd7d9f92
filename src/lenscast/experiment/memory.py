"""Memory of the largest job of a run, from its config: whether any machine has it is known before it is allocated.

The numbers are estimates: what compiles and runs decides which arrays exist together. They are within 30 % of what
jobs of 32^3 to 128^3 particles took (docs/development/measurements.md).
"""

import os
from collections.abc import Iterator, Mapping

from humanfriendly import format_size

from lenscast.parameters import COSMOLOGICAL, PARAMETERS
from lenscast.sections.box import ParticleMesh
from lenscast.sections.distribution import Distribution
from lenscast.sections.errors import Problem
from lenscast.sections.forecast import ForecastSection
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.survey import Survey

FLOAT32 = 4
PER_PARTICLE = 120
"""Bytes of a simulation per particle and mesh point of a particle: positions, momenta, forces and their transforms."""

PER_HALO_CELL = 32
"""Bytes of a simulation per cell of the halo of a device: a density and three components of a force, sent, joined."""

PER_RANDOM_NUMBER = 20
"""Bytes per point of the white noise of the initial field."""

COPIES = 2
"""Copies of planes or maps that exist together."""

PER_PROCESS = 1_300_000_000
"""Bytes of a process with its libraries, while it compiles the program with the derivatives."""

LARGEST_MACHINE = 2**44
"""Bytes of memory, 16 TiB, of the largest machines that run one process."""


def plane_bytes(lightcone: Lightcone, tangents: int) -> int:
    """Memory of the lens planes of a box, seen along three axes, with their tangents."""
    planes = 3 * lightcone.planes * lightcone.slabs_per_box * lightcone.plane_mesh**2
    return COPIES * planes * FLOAT32 * (1 + tangents)


def simulation_bytes(simulation: ParticleMesh, lightcone: Lightcone, distribution: Distribution, tangents: int) -> int:
    """Memory of a simulation and its tangents on each of its devices."""
    devices, (rows, columns) = distribution.devices, distribution.grid
    noise = getattr(simulation, "noise_size", None) or simulation.particles
    particles = PER_PARTICLE * simulation.mesh_factor * simulation.particles**3 // devices
    size, (wide_x, wide_y) = simulation.mesh_size, distribution.halo(simulation.cell_size)
    block, wide = size**3 // devices, (size // rows + 2 * wide_x) * (size // columns + 2 * wide_y) * size
    # each device paints its particles on the whole of the planes of one time
    planes = 2 * FLOAT32 * 3 * lightcone.slabs_per_box * lightcone.plane_mesh**2 if devices > 1 else 0
    return (particles + PER_HALO_CELL * (wide - block) + planes) * (
        1 + tangents
    ) + PER_RANDOM_NUMBER * noise**3 // devices


def job_bytes(
    simulation: ParticleMesh,
    lightcone: Lightcone,
    survey: Survey,
    forecast: ForecastSection,
    distribution: Distribution,
) -> dict[str, int]:
    """Memory of the arrays of the largest job on each of its devices, by the keys that decide it."""
    names = [name for name in forecast.parameters if PARAMETERS[name].enters != "map"]
    cosmological = sum(name in COSMOLOGICAL for name in names)
    sources = survey.sources.number
    kappa = sources * lightcone.pixels**2 * FLOAT32
    # correlation functions of all pairs of sources have both signs of the lag along one axis, in 64 bits
    pairs = sources * (sources + 1) // 2 if lightcone.projection == "born" else 0
    views = COPIES * (kappa + 4 * pairs * lightcone.pixels**2 * FLOAT32) * (1 + len(names))
    return {
        "simulation.particles": simulation_bytes(simulation, lightcone, distribution, cosmological),
        "lightcone.plane_mesh": plane_bytes(lightcone, cosmological),
        "lightcone.pixels": views,
        "lightcone.realisations_per_box": lightcone.realisations_per_box * kappa,
    }


def check_memory(
    simulation: ParticleMesh,
    lightcone: Lightcone,
    survey: Survey,
    forecast: ForecastSection,
    distribution: Distribution,
) -> Iterator[Problem]:
    """There are machines with the memory of the largest job."""
    sizes = job_bytes(simulation, lightcone, survey, forecast, distribution)
    if sum(sizes.values()) > LARGEST_MACHINE:
        most = max(sizes, key=lambda key: sizes[key])
        yield Problem(
            most,
            f"a job takes about {_described(sizes)} of memory, and no machine has more than "
            f"{format_size(LARGEST_MACHINE, binary=True)}; lower it",
        )


def memory_remark(sizes: Mapping[str, int]) -> str | None:
    """What to lower where a job does not fit into this machine; None where it does, or nothing is known of it."""
    there = memory_of_machine()
    if there is None or PER_PROCESS + sum(sizes.values()) <= there:
        return None
    most = max(sizes, key=lambda key: sizes[key])
    return (
        f"memory: a job takes about {_described(sizes)}, and this machine has {format_size(there)}; take a larger one, "
        f"or lower {most}"
    )


def memory_of_machine() -> int | None:
    """Bytes of memory of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _described(sizes: Mapping[str, int]) -> str:
    """All of it, with what a process takes, and the parts that are more than a tenth."""
    whole = PER_PROCESS + sum(sizes.values())
    parts = ", ".join(f"{format_size(size)} by {key}" for key, size in sizes.items() if size > whole / 10)
    return f"{format_size(whole)} ({parts})"
