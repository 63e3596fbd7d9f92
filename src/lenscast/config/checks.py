"""What has to hold between the sections of a config, each rule with the sentence that says what to change.

A check is a function whose arguments are named as the sections that it reads; it yields its problems. `load_config` runs
every check whose sections are valid by themselves, so that one reading reports everything. Distances here
are NumPy integrals, free of JAX.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from pydantic import ValidationError

from .errors import Problem
from .models import (
    CosmologyConfig,
    DerivativesConfig,
    FiniteDifferencesConfig,
    ForecastConfig,
    LightconeConfig,
    SeedsConfig,
    SimulationConfig,
    StatisticsConfig,
    SurveyConfig,
)

SPEED_OF_LIGHT_OVER_H0 = 2997.92458
MIN_ANALYSIS_PIXELS = 32
MIN_ANALYSIS_SHARE = 0.2
Problems = Iterator[Problem]


def comoving_distance(z: float, cosmology: CosmologyConfig) -> float:
    """Comoving distance to redshift `z` in a flat w0wa-CDM cosmology, without radiation [Mpc/h].

    The variable of the Gauss-Legendre quadrature is sqrt(a), in which the integrand is constant in matter domination.
    """
    start = (1.0 + z) ** -0.5
    nodes, weights = np.polynomial.legendre.leggauss(48)
    root = 0.5 * (1.0 + start + (1.0 - start) * nodes)
    a, matter = root**2, cosmology.Omega_c + cosmology.Omega_b
    slope = cosmology.w0 + cosmology.wa
    dark_energy = (1.0 - matter) * a ** (-3.0 * (1.0 + slope)) * np.exp(-3.0 * cosmology.wa * (1.0 - a))
    integrand = 2.0 * root / (a**2 * np.sqrt(matter * a**-3 + dark_energy))
    return float(SPEED_OF_LIGHT_OVER_H0 * 0.5 * (1.0 - start) * np.sum(weights * integrand))


def _cosmologies(
    cosmology: CosmologyConfig, finite_differences: FiniteDifferencesConfig
) -> dict[str, CosmologyConfig]:
    """The fiducial cosmology and those of the finite differences that are inside the ranges."""
    valid = {}
    for name, parameters in finite_differences.cosmologies(cosmology).items():
        try:
            valid[name] = CosmologyConfig.model_validate(parameters)
        except ValidationError:
            continue
    return valid


def check_steps(cosmology: CosmologyConfig, finite_differences: FiniteDifferencesConfig) -> Problems:
    """Finite differences stay inside the ranges of the parameters."""
    valid = _cosmologies(cosmology, finite_differences)
    for name, step in finite_differences.steps.items():
        if not {f"{name}_plus", f"{name}_minus"} <= valid.keys():
            value = getattr(cosmology, name)
            yield Problem(
                f"finite_differences.steps.{name}",
                f"a step of {step:g} takes {name} = {value:g} to {value - step:g} and {value + step:g}, "
                "out of its range; give a smaller step",
            )


def check_planes(
    cosmology: CosmologyConfig,
    simulation: SimulationConfig,
    lightcone: LightconeConfig,
    survey: SurveyConfig,
    finite_differences: FiniteDifferencesConfig,
) -> Problems:
    """Planes end behind the last source, in the finite-difference cosmologies too, and after the start."""
    thickness = simulation.box_size / lightcone.slabs_per_box
    end = lightcone.planes * thickness
    stack = f"{lightcone.planes} planes of {thickness:g} Mpc/h end at chi = {end:.0f}"
    z_source = survey.z_source[-1]
    chi = {
        name: comoving_distance(z_source, shifted)
        for name, shifted in _cosmologies(cosmology, finite_differences).items()
    }
    farthest = max(chi, key=lambda name: chi[name])
    if chi[farthest] > end:
        fiducial_too = chi["fiducial"] > end
        where = f"{chi['fiducial']:.0f}" if fiducial_too else f"{chi[farthest]:.0f} in the cosmology {farthest}"
        yield Problem(
            "lightcone.planes",
            f"{stack}, before z_source = {z_source:g} (chi = {where}); "
            f"raise lightcone.planes to {math.ceil(chi[farthest] / thickness)}",
        )
    z_start = 1.0 / simulation.a_start - 1.0
    chi_start = comoving_distance(z_start, cosmology)
    if end > chi_start:
        yield Problem(
            "lightcone.planes",
            f"{stack}, before the simulation starts at a = {simulation.a_start:g} (chi = {chi_start:.0f}); "
            f"lower lightcone.planes to {int(chi_start // thickness)} or simulation.a_start",
        )


def check_field(
    cosmology: CosmologyConfig,
    simulation: SimulationConfig,
    lightcone: LightconeConfig,
    survey: SurveyConfig,
    finite_differences: FiniteDifferencesConfig,
) -> Problems:
    """The field fits into the box on the farthest plane in front of the sources."""
    thickness = simulation.box_size / lightcone.slabs_per_box
    chi_source = max(
        comoving_distance(survey.z_source[-1], shifted)
        for shifted in _cosmologies(cosmology, finite_differences).values()
    )
    centres = [(plane + 0.5) * thickness for plane in range(lightcone.planes)]
    chi = max((centre for centre in centres if centre < chi_source), default=centres[0])
    width = math.radians(lightcone.field_deg) * chi
    if width > simulation.box_size:
        widest = math.floor(10.0 * math.degrees(simulation.box_size / chi)) / 10.0
        yield Problem(
            "lightcone.field_deg",
            f"a field of {lightcone.field_deg:g} deg is {width:.0f} Mpc/h wide on the farthest plane in front of the "
            f"sources (chi = {chi:.0f}), wider than the box of {simulation.box_size:g} Mpc/h; "
            f"lower lightcone.field_deg to {widest:g} or raise simulation.box_size to {math.ceil(width)}",
        )


def _fits(level: int, lightcone: LightconeConfig) -> bool:
    """Whether the border of starlet level `level` leaves enough of the map."""
    least = max(MIN_ANALYSIS_PIXELS, MIN_ANALYSIS_SHARE * lightcone.pixels)
    return lightcone.inner_pixels(level) >= least


def check_scales(lightcone: LightconeConfig, statistics: StatisticsConfig) -> Problems:
    """Starlet scales are levels of the map whose border leaves enough of it."""
    levels = [level for level in range(1, lightcone.pixels.bit_length()) if _fits(level, lightcone)]
    allowed = ", ".join(f"{lightcone.starlet_scale(level):.4g}" for level in levels) or "none, raise lightcone.pixels"
    for name in ("starlet_power_spectrum", "peaks"):
        used: dict[int, float] = {}
        for scale in getattr(statistics, name).scales_arcmin:
            key = f"statistics.{name}.scales_arcmin"
            try:
                level = lightcone.starlet_level(scale)
            except ValueError as error:
                yield Problem(key, f"{error} within 10 %; allowed: {allowed}")
                continue
            if not _fits(level, lightcone):
                yield Problem(
                    key,
                    f"{scale:g} arcmin needs a border of {lightcone.border_pixels(level)} pixels on each side and "
                    f"leaves too little of the {lightcone.pixels} pixels of the map; allowed: {allowed}",
                )
            if level in used:
                yield Problem(key, f"{used[level]:g} and {scale:g} arcmin are the same starlet scale; keep one")
            used[level] = scale


def check_multipoles(lightcone: LightconeConfig, statistics: StatisticsConfig) -> Problems:
    """Multipole bins are resolved by the pixels and hold modes of the analysis region."""
    pixel = math.radians(lightcone.pixel_arcmin / 60.0)
    ell_max = math.pi / pixel
    levels = [level for level in map(_level(lightcone), statistics.scales_arcmin) if level and _fits(level, lightcone)]
    side = lightcone.inner_pixels(max(levels, default=0))
    spacing = 2.0 * math.pi / (side * pixel)
    index = np.fft.fftfreq(side, 1.0 / side)
    modes = spacing * np.hypot(index[:, None], index[None, :])
    for name in ("power_spectrum", "starlet_power_spectrum"):
        edges = getattr(statistics, name).ell_edges
        key = f"statistics.{name}.ell_edges"
        if edges[-1] > ell_max:
            yield Problem(
                key,
                f"ell = {edges[-1]:g} is not resolved by pixels of {lightcone.pixel_arcmin:.4g} arcmin; "
                f"end at ell = {math.floor(ell_max)} or raise lightcone.pixels",
            )
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            if high <= ell_max and not np.any((modes >= low) & (modes < high)):
                yield Problem(
                    key,
                    f"no mode in the bin {low:g} to {high:g}: the {side} pixels inside the border have modes "
                    f"ell = {spacing:.0f} apart; widen the bin",
                )


def _level(lightcone: LightconeConfig) -> Callable[[float], int]:
    """Starlet level of a scale, or 0 where the map has none."""

    def level(scale_arcmin: float) -> int:
        try:
            return lightcone.starlet_level(scale_arcmin)
        except ValueError:
            return 0

    return level


def check_boxes(
    covariance: SeedsConfig,
    derivatives: DerivativesConfig,
    finite_differences: FiniteDifferencesConfig,
    boxes_per_batch: int,
) -> Problems:
    """Boxes fill whole batches; covariance and derivatives share no seed."""
    sections = {"covariance": covariance, "derivatives": derivatives, "finite_differences": finite_differences}
    for name, section in sections.items():
        if section.boxes % boxes_per_batch:
            below = section.boxes - section.boxes % boxes_per_batch
            options = " or ".join(str(boxes) for boxes in (below, below + boxes_per_batch) if boxes)
            yield Problem(
                f"{name}.boxes",
                f"{section.boxes} boxes do not fill batches of boxes_per_batch = {boxes_per_batch}; give {options}",
            )
    if finite_differences.boxes > derivatives.boxes:
        yield Problem(
            "finite_differences.boxes",
            f"{finite_differences.boxes} boxes given, but they are the first of the {derivatives.boxes} of derivatives; "
            f"give at most {derivatives.boxes}",
        )
    first, last = sorted((covariance.seeds, derivatives.seeds), key=lambda seeds: seeds.start)
    if last.start < first.stop:
        yield Problem(
            "covariance.first_seed",
            f"seeds {covariance.seeds.start} to {covariance.seeds[-1]} of covariance overlap seeds "
            f"{derivatives.seeds.start} to {derivatives.seeds[-1]} of derivatives; "
            f"set covariance.first_seed to {derivatives.seeds.stop} or more",
        )


def check_parameters(forecast: ForecastConfig, finite_differences: FiniteDifferencesConfig) -> Problems:
    """Priors and steps belong to the parameters that are forecast, and each of these has a step."""
    varied = ", ".join(forecast.parameters)
    for section, names in (("forecast.priors", forecast.priors), ("finite_differences.steps", finite_differences.steps)):
        for name in names:
            if name not in forecast.parameters:
                yield Problem(
                    f"{section}.{name}",
                    f"{name} is not in forecast.parameters ({varied}); add it there or remove this line",
                )
    for name in forecast.parameters:
        if name not in finite_differences.steps:
            yield Problem(f"finite_differences.steps.{name}", f"missing; give the step of {name}, a number > 0")


def check_covariance(
    lightcone: LightconeConfig,
    survey: SurveyConfig,
    covariance: SeedsConfig,
    statistics: StatisticsConfig,
    forecast: ForecastConfig,
    boxes_per_batch: int,
) -> Problems:
    """More covariance maps than data: the factors of Dodelson & Schneider (2013) need d + 5 (arXiv:1304.2593)."""
    lengths = {name: statistics.length(members, survey) for name, members in forecast.data_vectors.items()}
    longest = max(lengths, key=lambda name: lengths[name])
    maps, needed = covariance.boxes * lightcone.realisations_per_box, lengths[longest] + 5
    if maps < needed:
        boxes = boxes_per_batch * math.ceil(needed / (lightcone.realisations_per_box * boxes_per_batch))
        yield Problem(
            "covariance.boxes",
            f"{covariance.boxes} boxes of {lightcone.realisations_per_box} maps are {maps} maps for the "
            f"{lengths[longest]} data of {longest}; its covariance needs at least {needed} maps: "
            f"raise covariance.boxes to {boxes}",
        )


CHECKS: tuple[Callable[..., Problems], ...] = (
    check_steps,
    check_planes,
    check_field,
    check_scales,
    check_multipoles,
    check_boxes,
    check_parameters,
    check_covariance,
)
