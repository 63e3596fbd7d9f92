"""Checks that seeds, boxes and parameters suffice for the covariance, the derivatives and the forecast.

A check takes the sections named as its arguments, and the numbers of data, and yields what is wrong with them.
"""

import math
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from lenscast.experiment.map_checks import shifted_cosmologies
from lenscast.parameters import COSMOLOGICAL, PER_SOURCE, expanded
from lenscast.sections.cosmology import FiducialCosmology, FlatCosmology
from lenscast.sections.errors import Problem, did_you_mean
from lenscast.sections.forecast import FiniteDifferences, ForecastSection, Resolution
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.seeds import DerivativeSeeds, Seeds
from lenscast.sections.simulation_based import SimulationBased
from lenscast.sections.survey import Feedback, Survey, SystematicsSection
from lenscast.statistics import Observation, Region, ShapeNoise, Statistic

DODELSON_SCHNEIDER_MARGIN = 5


def check_batches(
    covariance: Seeds,
    derivatives: DerivativeSeeds,
    finite_differences: FiniteDifferences,
    resolution: Resolution,
    boxes_per_batch: int,
) -> Iterator[Problem]:
    """Boxes fill whole batches, and finite differences use boxes of the derivatives."""
    boxes = {
        "covariance": covariance.boxes,
        "derivatives": derivatives.boxes,
        "finite_differences": finite_differences.boxes,
    }
    if resolution.coarse_only:
        boxes["resolution.coarse_only"] = resolution.coarse_only.boxes
    for name, number in boxes.items():
        if number % boxes_per_batch:
            below = number - number % boxes_per_batch
            nearest = f"{below} or {below + boxes_per_batch}" if below else f"{boxes_per_batch}"
            yield Problem(
                f"{name}.boxes",
                f"{number} is not a multiple of boxes_per_batch = {boxes_per_batch}; give {nearest}",
            )
    if finite_differences.boxes > derivatives.boxes:
        yield Problem(
            "finite_differences.boxes",
            f"{finite_differences.boxes} given, but they are the first of the {derivatives.boxes} boxes of "
            f"derivatives; give at most {derivatives.boxes}",
        )


def check_seeds(covariance: Seeds, derivatives: DerivativeSeeds) -> Iterator[Problem]:
    """Covariance and derivatives share no seed, so that their errors are independent."""
    first, last = covariance.seeds, derivatives.seeds
    if max(first.start, last.start) < min(first.stop, last.stop):
        yield Problem(
            "covariance.first_seed",
            f"seeds {first[0]} to {first[-1]} overlap the derivatives' seeds {last[0]} to {last[-1]}; "
            f"set covariance.first_seed to {last.stop} or more",
        )


def check_left_out_seeds(
    covariance: Seeds,
    derivatives: DerivativeSeeds,
    finite_differences: FiniteDifferences,
    resolution: Resolution,
    simulation_based: SimulationBased,
    left_out_seeds: tuple[int, ...],
) -> Iterator[Problem]:
    """Seeds that are left out are there, and leave boxes to take errors between."""
    sections = [each for each in (covariance, derivatives, resolution.coarse_only, simulation_based) if each]
    used = [each.seeds for each in sections if each.seeds]
    for seed in left_out_seeds:
        if not any(seed in each for each in used):
            ranges = " or ".join(f"{each[0]} to {each[-1]}" for each in used)
            yield Problem("left_out_seeds", f"{seed} is no seed of this run; give one of {ranges}, or remove it")
    differences = derivatives.seeds[: finite_differences.boxes]
    for name, seeds in {"derivatives": derivatives.seeds, "finite_differences": differences}.items():
        left = len({*seeds} - {*left_out_seeds})
        if left < 2:
            yield Problem(f"{name}.boxes", f"left_out_seeds leave {left} of {len(seeds)} boxes; raise it")


def check_lengths(survey: Survey, forecast: ForecastSection, lengths: Mapping[str, int]) -> Iterator[Problem]:
    """Each data vector has at least as many data as there are parameters."""
    parameters = sum(len(expanded(name, survey.sources.number)) for name in forecast.parameters)
    for name, data in _data_vector_lengths(forecast, lengths).items():
        if data < parameters:
            yield Problem(
                f"forecast.data_vectors.{name}",
                f"its {data} data cannot constrain the {parameters} of forecast.parameters; "
                "add bins or statistics, or fix parameters by leaving them out",
            )


def check_covariance(
    lightcone: Lightcone,
    covariance: Seeds,
    forecast: ForecastSection,
    boxes_per_batch: int,
    left_out_seeds: tuple[int, ...],
    lengths: Mapping[str, int],
) -> Iterator[Problem]:
    """Maps outnumber the data by what the factor of Dodelson & Schneider (2013, arXiv:1304.2593) needs."""
    data = _data_vector_lengths(forecast, lengths)
    if not data:
        return
    longest = max(data, key=lambda name: data[name])
    per_box, needed = lightcone.realisations_per_box, data[longest] + DODELSON_SCHNEIDER_MARGIN
    left_out = len({*left_out_seeds} & {*covariance.seeds})
    boxes = covariance.boxes - left_out
    if boxes * per_box < needed:
        least = math.ceil(needed / per_box) + left_out
        yield Problem(
            "covariance.boxes",
            f"{boxes} boxes of {per_box} maps make {boxes * per_box} maps, too few for "
            f"the covariance of the {data[longest]} data of {longest}, which needs {needed} or more; "
            f"raise covariance.boxes to {boxes_per_batch * math.ceil(least / boxes_per_batch)}",
        )


def check_parameters(
    survey: Survey,
    systematics: SystematicsSection,
    forecast: ForecastSection,
    finite_differences: FiniteDifferences,
) -> Iterator[Problem]:
    """Parameters have an effect; priors and steps are for parameters of the forecast; cosmological ones have a step."""
    key, cosmological = "forecast.parameters", [name for name in forecast.parameters if name in COSMOLOGICAL]
    if not cosmological:
        yield Problem(key, f"none is cosmological; add one or more of {', '.join(COSMOLOGICAL)}")
    if "log10_T_AGN" in forecast.parameters and not isinstance(systematics.baryons, Feedback):
        yield Problem(key, "log10_T_AGN needs baryons; set systematics.baryons.kind to hmcode2020 or remove it")
    if "eta" in forecast.parameters and systematics.A_IA == 0:
        yield Problem(key, "eta changes nothing at systematics.A_IA = 0; give another A_IA or remove eta")
    for section, names in (
        ("forecast.priors", forecast.priors),
        ("finite_differences.steps", finite_differences.steps),
    ):
        for name in names:
            if name not in forecast.parameters:
                yield Problem(
                    f"{section}.{name}",
                    f"{name} is not in forecast.parameters ({', '.join(forecast.parameters)}); "
                    "add it there or remove this line",
                )
    for name in cosmological:
        if name not in finite_differences.steps:
            yield Problem(f"finite_differences.steps.{name}", f"missing; give the step of {name}, above 0")
    for name, width in forecast.priors.items():
        wanted = survey.sources.number if name in PER_SOURCE else 1
        if isinstance(width, tuple) and (len(width) != wanted or name not in PER_SOURCE):
            allowed = f"one number, or a list of {wanted}" if name in PER_SOURCE else "one number"
            yield Problem(f"forecast.priors.{name}", f"a list of {len(width)} given; give {allowed}")


def check_steps(cosmology: FlatCosmology, finite_differences: FiniteDifferences) -> Iterator[Problem]:
    """Steps stay inside the ranges of the cosmological parameters."""
    shifted = dict(shifted_cosmologies(cosmology, finite_differences))
    for name, step in finite_differences.steps.items():
        if name not in COSMOLOGICAL:
            continue
        low, high = (shifted[f"{name}_{side}"] for side in ("minus", "plus"))
        try:
            FiducialCosmology.model_validate(low)
            FiducialCosmology.model_validate(high)
        except ValidationError:
            yield Problem(
                f"finite_differences.steps.{name}",
                f"{step:g} takes {name} to {low[name]:g} and {high[name]:g}, out of its range; give less",
            )


def check_data_vectors(statistics: Mapping[str, Statistic], forecast: ForecastSection) -> Iterator[Problem]:
    """Data vectors join statistics of the config."""
    for name, vector in forecast.data_vectors.items():
        for index, each in enumerate(vector):
            if each not in statistics:
                yield Problem(
                    f"forecast.data_vectors.{name}[{index}]",
                    f"{each} is not a statistic of this config{did_you_mean(each, statistics)}",
                )


def _data_vector_lengths(forecast: ForecastSection, lengths: Mapping[str, int]) -> dict[str, int]:
    """Number of data of each data vector; none where another check reports a statistic of them."""
    vectors = forecast.data_vectors
    if not all(each in lengths for vector in vectors.values() for each in vector):
        return {}
    return {name: sum(lengths[each] for each in vector) for name, vector in vectors.items()}


def data_lengths(lightcone: Lightcone, survey: Survey, statistics: Mapping[str, Statistic]) -> dict[str, int]:
    """Number of data of each statistic that fits the maps, which checks take as `lengths`."""
    region = Region(lightcone.pixels, lightcone.field_deg, border=0)
    observation = Observation(region, ShapeNoise(survey.sources.number * (1.0,)))
    return {
        name: statistic.length(observation)
        for name, statistic in statistics.items()
        if not any(statistic.problems(region))
    }


CHECKS = (
    check_batches,
    check_seeds,
    check_left_out_seeds,
    check_data_vectors,
    check_lengths,
    check_covariance,
    check_parameters,
    check_steps,
)
