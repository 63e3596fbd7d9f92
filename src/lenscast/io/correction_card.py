"""Card of a trained correction: what it was trained on, and how that differs from a simulation that uses it."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from lenscast.sections.section import Section

CELL_TOLERANCE = 0.01  # relative

Vector = tuple[float, ...]


class Card(Section):
    """What a user of a trained correction needs to know."""

    data: Any = Field(description="the simulations that were reproduced")
    loss: Any = Field(description="what was minimised, and how")
    box_sizes: Vector = Field(description="sides of their boxes [Mpc/h]")
    cell_min: float = Field(gt=0.0, description="smallest cell of the force mesh [Mpc/h]")
    cell_max: float = Field(gt=0.0, description="largest cell of the force mesh [Mpc/h]")
    ln_sigma_range: tuple[float, float] = Field(description="range of the logarithm of the rms density of a cell")
    redshift_range: tuple[float, float] = Field(description="lowest and highest redshift")
    mesh_factor: int = Field(ge=1, description="force mesh points per particle spacing")
    gradient: str = Field(description="gradient of the potential on the mesh")
    integrator: Any = Field(description="time integration of the trained simulation")
    accuracy: Any = Field(description="how well the references are reproduced")
    not_tested_on: str = Field(description="where nothing is known")


def warn_of_mismatch(card: Mapping[str, Any], mesh: Any, weights: str = "the correction") -> None:
    """Warn of each difference between a simulation and those that a correction was trained on.

    Parameters
    ----------
    card
        Card of the correction.
    mesh
        `ParticleMesh` of the simulation.
    weights
        Name or path of the weights, for the text.
    """
    for text in _mismatches(card, mesh):
        warnings.warn(f"{weights}: {text}", stacklevel=2)


def _mismatches(card: Mapping[str, Any], mesh: Any) -> Iterator[str]:
    """Each mismatch in a sentence, with the trained and the given value."""
    low, high = card["cell_min"], card["cell_max"]
    if not low * (1 - CELL_TOLERANCE) <= mesh.cell_size <= high * (1 + CELL_TOLERANCE):
        trained = f"cells of {low:g} Mpc/h" if low == high else f"cells from {low:g} to {high:g} Mpc/h"
        yield (
            f"trained on {trained}, but this simulation has cells of {mesh.cell_size:g} Mpc/h; compare it with a "
            "higher-resolution run"
        )
    for name in ("mesh_factor", "gradient"):
        if card[name] != getattr(mesh, name):
            yield f"trained with {name} = {card[name]}, but this simulation has {getattr(mesh, name)}; change one"
