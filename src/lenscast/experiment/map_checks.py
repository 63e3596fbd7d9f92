"""Checks that the box, the lens planes, the field and the bins of the maps fit each other.

A check takes the sections named as its arguments and yields what is wrong with them.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from pydantic import ValidationError

from lenscast.geometry import comoving_distance
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.array_file import read_array
from lenscast.sections.box import Simulation
from lenscast.sections.cosmology import FiducialCosmology, FlatCosmology
from lenscast.sections.errors import Problem
from lenscast.sections.forecast import FiniteDifferences
from lenscast.sections.lightcone import MOST_PLANES, Lightcone
from lenscast.sections.survey import Survey
from lenscast.sections.validation import Validation
from lenscast.statistics import Region, Statistic
from lenscast.statistics.shape_noise import SMALLEST_DEPTH

DEPTH_RANGE = 2.0
"""Largest factor between the mean depth where it is not masked and 1: n_gal is a mean over the survey."""


def shifted_cosmologies(
    cosmology: FlatCosmology, finite_differences: FiniteDifferences
) -> Iterator[tuple[str, dict[str, float]]]:
    """Cosmological parameters one step above and below the fiducial ones, by the name of the simulation."""
    fiducial = cosmology.model_dump()
    for name, step in finite_differences.steps.items():
        if name in COSMOLOGICAL:
            yield f"{name}_plus", {**fiducial, name: fiducial[name] + step}
            yield f"{name}_minus", {**fiducial, name: fiducial[name] - step}


def _source_distances(
    cosmology: FlatCosmology, survey: Survey, finite_differences: FiniteDifferences
) -> dict[str, float]:
    """Distance of the farthest source by cosmology, the fiducial one first [Mpc/h]."""
    distances = {"fiducial": comoving_distance(survey.sources.z_max, cosmology)}
    for name, parameters in shifted_cosmologies(cosmology, finite_differences):
        try:
            shifted = FiducialCosmology.model_validate(parameters)
        except ValidationError:  # a step that is too large: `check_steps` reports it
            continue
        distances[name] = comoving_distance(survey.sources.z_max, shifted)
    return distances


def check_planes(
    cosmology: FlatCosmology,
    simulation: Simulation,
    lightcone: Lightcone,
    survey: Survey,
    finite_differences: FiniteDifferences,
) -> Iterator[Problem]:
    """The last plane ends behind the sources, in the cosmologies of the finite differences too."""
    thickness = lightcone.thickness
    end = lightcone.planes * thickness
    planes = f"{lightcone.planes} planes of {thickness:g} Mpc/h end at chi = {end:.0f}"
    chi = _source_distances(cosmology, survey, finite_differences)
    farthest = max(chi, key=lambda name: chi[name])
    if chi[farthest] > end:
        named = "fiducial" if chi["fiducial"] > end else farthest
        where = f"chi = {chi[named]:.0f}" + ("" if named == "fiducial" else f" in the cosmology {named}")
        needed = math.ceil(chi[farthest] / thickness)
        advice = f"raise lightcone.planes to {needed}" if needed <= MOST_PLANES else "raise simulation.box_size"
        yield Problem(
            "lightcone.planes", f"{planes}, before the sources at z = {survey.sources.z_max:g} ({where}); {advice}"
        )
    chi_start = comoving_distance(1.0 / simulation.a_start - 1.0, cosmology)
    fit = int(chi_start // thickness)
    if end > chi_start:
        yield Problem(
            "lightcone.planes",
            f"{planes}, before the simulation starts at a = {simulation.a_start:g} (chi = {chi_start:.0f}); "
            f"lower {f'lightcone.planes to {fit}' if fit else 'simulation.box_size'} or simulation.a_start",
        )


def check_field(
    cosmology: FlatCosmology, lightcone: Lightcone, survey: Survey, finite_differences: FiniteDifferences
) -> Iterator[Problem]:
    """The field fits into the box on the farthest plane in front of the sources."""
    chi_source = max(_source_distances(cosmology, survey, finite_differences).values())
    centres = lightcone.chi
    chi = max((float(centre) for centre in centres if centre < chi_source), default=float(centres[0]))
    width, box_size = math.radians(lightcone.field_deg) * chi, lightcone.box_size
    if width > box_size:
        yield Problem(
            "lightcone.field_deg",
            f"{lightcone.field_deg:g} deg are {width:.0f} Mpc/h on the farthest plane in front of the "
            f"sources (chi = {chi:.0f}), wider than the box of {box_size:g} Mpc/h; lower lightcone.field_deg "
            f"to {math.floor(10.0 * math.degrees(box_size / chi)) / 10.0:g} "
            f"or raise simulation.box_size to {math.ceil(width)}",
        )


def _region(lightcone: Lightcone, statistics: Mapping[str, Statistic]) -> Region:
    """Region that the statistics leave; those whose scales are wrong are reported, and do not count here."""
    whole = Region(lightcone.pixels, lightcone.field_deg, border=0)
    borders = [0]
    for statistic in statistics.values():
        if not any(key == "scales_arcmin" for key, _ in statistic.problems(whole)):
            borders.append(statistic.reach(lightcone.pixel_arcmin))
    border = max(borders)
    return Region(whole.pixels, whole.field_deg, border if 4 * (whole.pixels - 2 * border) >= whole.pixels else 0)


def check_statistics(lightcone: Lightcone, statistics: Mapping[str, Statistic]) -> Iterator[Problem]:
    """The maps have the scales and bins of the statistics."""
    region = _region(lightcone, statistics)
    for name, statistic in statistics.items():
        for key, message in statistic.problems(region):
            yield Problem(f"statistics.{name}.{key}", message)


def check_galaxies(survey: Survey) -> Iterator[Problem]:
    """Every source has a number of galaxies."""
    given, needed = len(survey.n_gal), survey.sources.number
    if given != needed:
        yield Problem("survey.n_gal", f"{given} given for {needed} sources; give one for each")


def check_depth(lightcone: Lightcone, survey: Survey, statistics: Mapping[str, Statistic]) -> Iterator[Problem]:
    """The map of the depth is there, fits the maps and leaves some of them."""
    if survey.depth.kind == "uniform":
        return
    key, path = "survey.depth.file", survey.depth.file
    try:
        depth = read_array(path, (lightcone.pixels, lightcone.pixels))
    except ValueError as error:
        yield Problem(key, str(error))
        return
    wrong = np.argwhere(~np.isfinite(depth))
    if len(wrong):
        row, column = wrong[0]
        yield Problem(
            key,
            f"{path} has {len(wrong)} values that are not finite, the first in row {row}, column {column}; give 0 "
            "where masked",
        )
        return
    depth = depth.astype(float)
    largest = np.max(depth)
    wrong = (depth < 0) | ((depth > 0) & (depth < SMALLEST_DEPTH * largest))
    if wrong.any():
        yield Problem(
            key,
            f"{path} has {np.count_nonzero(wrong)} values below 0, or above it and below {SMALLEST_DEPTH:g} of the "
            "largest; give 0 where masked and 1 where there are n_gal galaxies",
        )
        return
    mean = float(np.mean(depth / largest, where=depth > 0)) * largest if largest > 0 else 1.0
    if not 1 / DEPTH_RANGE <= mean <= DEPTH_RANGE:
        yield Problem(
            key,
            f"{path} has the mean {mean:.6g} where it is not masked, as counts or weights have; depth is the number of "
            f"galaxies over n_gal, with a mean near 1: divide the map by {mean:.6g}",
        )
        return
    region = _region(lightcone, statistics)
    if not region.crop(depth).any():
        yield Problem(key, f"{path} masks all pixels inside the border of {region.border}; unmask some")


def check_validation(
    cosmology: FlatCosmology, simulation: Simulation, lightcone: Lightcone, validation: Validation
) -> Iterator[Problem]:
    """The planes in front of the farthest source of the validation end after the simulation starts."""
    thickness = lightcone.thickness
    planes = validation.planes(cosmology, thickness)
    chi_start = comoving_distance(1.0 / simulation.a_start - 1.0, cosmology)
    if planes * thickness > chi_start:
        yield Problem(
            "validation.z_source",
            f"z_source = {validation.z_source[-1]:g} needs {planes} planes of {thickness:g} Mpc/h up to chi = "
            f"{planes * thickness:.0f}, before the simulation starts at a = {simulation.a_start:g} "
            f"(chi = {chi_start:.0f}); lower it or simulation.a_start",
        )


CHECKS = (check_planes, check_field, check_statistics, check_galaxies, check_depth, check_validation)
