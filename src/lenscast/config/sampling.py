"""Checks that seeds, boxes and parameters suffice for the covariance, the derivatives and the forecast.

A check takes the sections named as its arguments and yields what is wrong with them.
"""

import math
from collections.abc import Iterator

from pydantic import ValidationError

from .analysis import FiniteDifferencesConfig, ForecastConfig, StatisticsConfig
from .errors import Problem
from .simulation import PARAMETERS, CosmologyConfig, DerivativesConfig, LightconeConfig, SeedsConfig
from .survey import PER_SOURCE_SYSTEMATICS, Feedback, SurveyConfig, SystematicsConfig, of_sources

DODELSON_SCHNEIDER_MARGIN = 5


def check_batches(
    covariance: SeedsConfig,
    derivatives: DerivativesConfig,
    finite_differences: FiniteDifferencesConfig,
    boxes_per_batch: int,
) -> Iterator[Problem]:
    """Boxes fill whole batches, and finite differences use boxes of the derivatives."""
    boxes = {
        "covariance": covariance.boxes,
        "derivatives": derivatives.boxes,
        "finite_differences": finite_differences.boxes,
    }
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


def check_seeds(covariance: SeedsConfig, derivatives: DerivativesConfig) -> Iterator[Problem]:
    """Covariance and derivatives share no seed, so that their errors are independent."""
    first, last = covariance.seeds, derivatives.seeds
    if max(first.start, last.start) < min(first.stop, last.stop):
        yield Problem(
            "covariance.first_seed",
            f"seeds {first[0]} to {first[-1]} overlap the derivatives' seeds {last[0]} to {last[-1]}; "
            f"set covariance.first_seed to {last.stop} or more",
        )


def check_left_out_seeds(
    covariance: SeedsConfig,
    derivatives: DerivativesConfig,
    finite_differences: FiniteDifferencesConfig,
    left_out_seeds: tuple[int, ...],
) -> Iterator[Problem]:
    """Seeds that are left out are there, and leave boxes to take errors between."""
    known = [*covariance.seeds, *derivatives.seeds]
    for seed in left_out_seeds:
        if seed not in known:
            ranges = " or ".join(f"{each.seeds[0]} to {each.seeds[-1]}" for each in (covariance, derivatives))
            yield Problem("left_out_seeds", f"{seed} is no seed of this run; give one of {ranges}, or remove it")
    compared = derivatives.seeds[: finite_differences.boxes]
    for name, seeds in {"derivatives": derivatives.seeds, "finite_differences": compared}.items():
        left = len({*seeds} - {*left_out_seeds})
        if left < 2:
            yield Problem(f"{name}.boxes", f"left_out_seeds leave {left} of {len(seeds)} boxes; raise it")


def check_covariance(
    lightcone: LightconeConfig,
    survey: SurveyConfig,
    covariance: SeedsConfig,
    statistics: StatisticsConfig,
    forecast: ForecastConfig,
    boxes_per_batch: int,
    left_out_seeds: tuple[int, ...],
) -> Iterator[Problem]:
    """Maps outnumber the data by what the factor of Dodelson & Schneider (2013, arXiv:1304.2593) needs."""
    sources = survey.sources.number
    parameters = sum(len(of_sources(name, sources)) for name in forecast.parameters)
    lengths = {name: statistics.length(vector, sources) for name, vector in forecast.data_vectors.items()}
    for name, length in lengths.items():
        if length < parameters:
            yield Problem(
                f"forecast.data_vectors.{name}",
                f"its {length} data cannot constrain the {parameters} of forecast.parameters; "
                "add bins or statistics, or fix parameters by leaving them out",
            )
    longest = max(lengths, key=lambda name: lengths[name])
    per_box, needed = lightcone.realisations_per_box, lengths[longest] + DODELSON_SCHNEIDER_MARGIN
    left_out = len({*left_out_seeds} & {*covariance.seeds})
    boxes = covariance.boxes - left_out
    if boxes * per_box < needed:
        least = math.ceil(needed / per_box) + left_out
        yield Problem(
            "covariance.boxes",
            f"{boxes} boxes of {per_box} maps make {boxes * per_box} maps, too few for "
            f"the covariance of the {lengths[longest]} data of {longest}, which needs {needed} or more; "
            f"raise covariance.boxes to {boxes_per_batch * math.ceil(least / boxes_per_batch)}",
        )


def check_parameters(
    survey: SurveyConfig,
    systematics: SystematicsConfig,
    forecast: ForecastConfig,
    finite_differences: FiniteDifferencesConfig,
) -> Iterator[Problem]:
    """Parameters have an effect; priors and steps are for parameters of the forecast; cosmological ones have a step."""
    key, cosmological = "forecast.parameters", [name for name in forecast.parameters if name in PARAMETERS]
    if not cosmological:
        yield Problem(key, f"none is cosmological; add one or more of {', '.join(PARAMETERS)}")
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
        wanted = survey.sources.number if name in PER_SOURCE_SYSTEMATICS else 1
        if isinstance(width, tuple) and (len(width) != wanted or name not in PER_SOURCE_SYSTEMATICS):
            allowed = f"one number, or a list of {wanted}" if name in PER_SOURCE_SYSTEMATICS else "one number"
            yield Problem(f"forecast.priors.{name}", f"a list of {len(width)} given; give {allowed}")


def check_steps(cosmology: CosmologyConfig, finite_differences: FiniteDifferencesConfig) -> Iterator[Problem]:
    """Steps stay inside the ranges of the cosmological parameters."""
    cosmologies = finite_differences.cosmologies(cosmology)
    for name, step in finite_differences.steps.items():
        if name not in PARAMETERS:
            continue
        low, high = (cosmologies[f"{name}_{side}"] for side in ("minus", "plus"))
        try:
            CosmologyConfig.model_validate(low)
            CosmologyConfig.model_validate(high)
        except ValidationError:
            yield Problem(
                f"finite_differences.steps.{name}",
                f"{step:g} takes {name} to {low[name]:g} and {high[name]:g}, out of its range; give less",
            )
