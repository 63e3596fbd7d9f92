"""Checks that the levels of resolution can be simulated, and that a mean of two levels has its boxes.

A check takes the sections named as its arguments, and yields what is wrong with them.
"""

from collections.abc import Iterator

from lenscast.sections.box import Simulation
from lenscast.sections.errors import Problem
from lenscast.sections.forecast import ForecastSection, Resolution
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.seeds import DerivativeSeeds, Seeds

FEWEST_AT_BOTH_LEVELS = 8
"""Boxes below which the weights of two levels would only add noise."""


def check_resolution(
    simulation: Simulation,
    lightcone: Lightcone,
    derivatives: DerivativeSeeds,
    left_out_seeds: tuple[int, ...],
    forecast: ForecastSection,
    resolution: Resolution,
) -> Iterator[Problem]:
    """Levels of resolution can be simulated, and boxes of the derivatives are left for them."""
    if not resolution.levels:
        if forecast.scale_cuts == "resolved":
            yield Problem("forecast.scale_cuts", "resolved without resolution.levels; add some, or give none")
        return
    if resolution.boxes > derivatives.boxes:
        yield Problem(
            "resolution.boxes",
            f"{resolution.boxes} given, but they are the first of the {derivatives.boxes} boxes of derivatives; give "
            f"at most {derivatives.boxes}",
        )
    elif len({*derivatives.seeds[: resolution.boxes]} - {*left_out_seeds}) < 2:
        yield Problem("resolution.boxes", "left_out_seeds leave fewer than 2 boxes; raise it")
    halved = {
        "simulation.particles": (simulation.particles, {"particles"}),
        "lightcone.plane_mesh": (lightcone.plane_mesh, {"particles", "plane_mesh"}),
    }
    for key, (number, levels) in halved.items():
        if levels & {*resolution.levels} and (number % 2 or number < 16):
            yield Problem(key, f"{number} cannot be halved for resolution.levels; give an even number from 16 on")
    if "steps" in resolution.levels and getattr(simulation.integrator, "steps", 2) < 2:
        yield Problem("resolution.levels", "one step cannot be halved; leave out steps, or raise their number")


def check_coarse_only(
    covariance: Seeds, derivatives: DerivativeSeeds, left_out_seeds: tuple[int, ...], resolution: Resolution
) -> Iterator[Problem]:
    """A mean of two levels has boxes at both, enough for its weights, and others with seeds of their own."""
    coarse, key = resolution.coarse_only, "resolution.coarse_only"
    if coarse is None:
        return
    if "particles" not in resolution.levels:
        yield Problem(key, "given without particles in resolution.levels, the level of these boxes; add it there")
    if resolution.boxes != derivatives.boxes:
        yield Problem(
            "resolution.boxes",
            f"{resolution.boxes} given, but with coarse_only all boxes of derivatives are simulated at both levels; "
            f"give {derivatives.boxes}",
        )
    both, alone = (len({*each.seeds} - {*left_out_seeds}) for each in (derivatives, coarse))
    if both < FEWEST_AT_BOTH_LEVELS:
        yield Problem(
            key,
            f"{both} boxes of derivatives are too few to weigh the levels; raise derivatives.boxes to "
            f"{FEWEST_AT_BOTH_LEVELS} or more, or remove coarse_only",
        )
    if alone < 2:
        yield Problem(f"{key}.boxes", f"left_out_seeds leave {alone} of {coarse.boxes} boxes; raise it")
    for name, section in {"covariance": covariance, "derivatives": derivatives}.items():
        last = section.seeds
        if max(coarse.seeds.start, last.start) < min(coarse.seeds.stop, last.stop):
            yield Problem(
                f"{key}.first_seed",
                f"seeds {coarse.seeds[0]} to {coarse.seeds[-1]} overlap the seeds {last[0]} to {last[-1]} of {name}; "
                f"give {max(covariance.seeds.stop, derivatives.seeds.stop)} or more",
            )


CHECKS = (check_resolution, check_coarse_only)
