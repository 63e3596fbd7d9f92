"""Checks of the prior from which parameters of simulation-based inference are drawn, and of its boxes.

A check takes the sections named as its arguments and yields what is wrong with them. Without ranges nothing is drawn,
and nothing is checked.
"""

import math
from collections.abc import Iterator
from itertools import product

from pydantic import ValidationError

from lenscast.geometry import comoving_distance
from lenscast.parameters import COSMOLOGICAL, limits
from lenscast.sections.cosmology import FiducialCosmology, FlatCosmology
from lenscast.sections.errors import Problem
from lenscast.sections.forecast import ForecastSection
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.seeds import DerivativeSeeds, Seeds
from lenscast.sections.simulation_based import SimulationBased
from lenscast.sections.survey import Survey, SystematicsSection

KEY = "simulation_based"


def check_prior_boxes(
    covariance: Seeds, derivatives: DerivativeSeeds, boxes_per_batch: int, simulation_based: SimulationBased
) -> Iterator[Problem]:
    """Boxes fill whole batches, leave some to learn from, and share no seed with the forecast."""
    boxes, seeds = simulation_based.boxes, simulation_based.seeds
    if not seeds:
        return
    if boxes % boxes_per_batch:
        nearest = max(boxes_per_batch, boxes - boxes % boxes_per_batch)
        yield Problem(
            f"{KEY}.boxes", f"{boxes} is not a multiple of boxes_per_batch = {boxes_per_batch}; give {nearest}"
        )
    if 2 * simulation_based.held_out > boxes:
        yield Problem(
            f"{KEY}.held_out",
            f"{simulation_based.held_out} of {boxes} boxes leave too few to learn from; give at most {boxes // 2}",
        )
    for name, other in {"covariance": covariance.seeds, "derivatives": derivatives.seeds}.items():
        if max(seeds.start, other.start) < min(seeds.stop, other.stop):
            yield Problem(
                f"{KEY}.first_seed",
                f"seeds {seeds[0]} to {seeds[-1]} overlap {name}, seeds {other[0]} to {other[-1]}; "
                f"set it to {other.stop} or more",
            )


def check_ranges(
    cosmology: FlatCosmology,
    systematics: SystematicsSection,
    forecast: ForecastSection,
    simulation_based: SimulationBased,
) -> Iterator[Problem]:
    """Each parameter of the forecast has a range around its fiducial value, inside its limits; no other one has."""
    ranges, fiducial = simulation_based.ranges, {**cosmology.model_dump(), **systematics.values}
    for name in forecast.parameters if ranges else ():
        if name not in ranges:
            yield Problem(f"{KEY}.ranges.{name}", "missing; give [lower end, upper end] of its prior")
    for name, (low, high) in ranges.items():
        key, (least, largest), value = f"{KEY}.ranges.{name}", limits(name), fiducial.get(name, 0.0)
        if name not in forecast.parameters:
            known = ", ".join(forecast.parameters)
            yield Problem(key, f"{name} is not in forecast.parameters ({known}); remove this line or add it there")
        if (least is not None and low < least) or (largest is not None and high > largest):
            yield Problem(key, f"[{low:g}, {high:g}] leaves the range of {name}, {least} to {largest}; stay inside")
        if not low < value < high:
            yield Problem(key, f"[{low:g}, {high:g}] does not hold the fiducial value {value:g}; widen it")


def check_prior_cosmologies(
    cosmology: FlatCosmology, lightcone: Lightcone, survey: Survey, simulation_based: SimulationBased
) -> Iterator[Problem]:
    """In the cosmologies at the corners of the prior, planes end behind the sources and the box holds the field."""
    ranges = {name: ends for name, ends in simulation_based.ranges.items() if name in COSMOLOGICAL}
    if not ranges:
        return
    distances = [comoving_distance(survey.sources.z_max, cosmology)]
    for corner in product(*ranges.values()):
        values = cosmology.model_dump() | dict(zip(ranges, corner, strict=True))
        try:
            distances.append(comoving_distance(survey.sources.z_max, FiducialCosmology.model_validate(values)))
        except ValidationError as error:
            yield Problem(f"{KEY}.ranges", f"their corner {_described(ranges, corner)}: {error.errors()[0]['msg']}")
            return
    farthest, end = max(distances), lightcone.planes * lightcone.thickness
    where = f"the sources at z = {survey.sources.z_max:g} are up to {farthest:.0f} Mpc/h away inside the prior"
    advice = f"or narrow {KEY}.ranges"
    if farthest > end:
        needed = math.ceil(farthest / lightcone.thickness)
        yield Problem(
            "lightcone.planes", f"{where}, the last plane ends at {end:.0f} Mpc/h; raise it to {needed}, {advice}"
        )
    centre = max((float(each) for each in lightcone.chi if each < farthest), default=farthest)
    width = centre * math.radians(lightcone.field_deg)
    if width > lightcone.box_size:
        yield Problem(
            "lightcone.field_deg",
            f"{where}, and on the plane in front of them, at {centre:.0f} Mpc/h, the field is {width:.0f} Mpc/h wide, "
            f"wider than the box of {lightcone.box_size:g} Mpc/h; raise simulation.box_size, {advice}",
        )


def _described(names: dict[str, tuple[float, ...]], values: tuple[float, ...]) -> str:
    """Values of parameters in words."""
    return ", ".join(f"{name} = {value:g}" for name, value in zip(names, values, strict=True))


CHECKS = (check_prior_boxes, check_ranges, check_prior_cosmologies)
