"""Checks of the files that a config names: they are opened while it is read.

A check takes the sections named as its arguments and yields what is wrong with them.
"""

from collections.abc import Iterator
from pathlib import Path

from lenscast import trained
from lenscast.sections.box import Simulation, TrainedCorrection
from lenscast.sections.correction_file import mismatches, read_correction
from lenscast.sections.errors import Problem


def check_correction(simulation: Simulation) -> Iterator[Problem]:
    """Weights are of their kind; those that training makes may still be missing."""
    section = simulation.correction
    if not isinstance(section, TrainedCorrection) or _is_to_be_made(section.weights):
        return
    try:
        read_correction(section.weights, section.kind)
    except ValueError as error:
        yield Problem("simulation.correction.weights", " ".join(str(error).split()))


def correction_remarks(simulation: Simulation) -> list[str]:
    """Where the weights of a correction were not trained for the simulation: it may run, but compare it first."""
    section = simulation.correction
    if not isinstance(section, TrainedCorrection) or _is_to_be_made(section.weights):
        return []
    card = read_correction(section.weights, section.kind).card.model_dump(mode="json")
    found = mismatches(card, simulation, simulation.integrator)
    return [f"simulation.correction.weights: {section.weights} {each}" for each in found]


def _is_to_be_made(weights: str) -> bool:
    return trained.made_by_training(weights) and not Path(weights).exists()


CHECKS = (check_correction,)
