"""Checks that the box, the lens planes, the field and the bins of the maps fit each other.

A check takes the sections named as its arguments and yields what is wrong with them. Distances are NumPy
integrals here, because the config is free of JAX.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from pydantic import ValidationError

from .analysis import FiniteDifferencesConfig, StatisticsConfig
from .errors import Problem
from .simulation import CosmologyConfig, LightconeConfig, SimulationConfig
from .survey import SurveyConfig

SPEED_OF_LIGHT_OVER_H0 = 2997.92458
MIN_REGION_PIXELS = 16
MIN_REGION_SHARE = 0.25
SMALLEST_DEPTH = 1e-3


def comoving_distance(z: float, cosmology: CosmologyConfig) -> float:
    """Comoving distance to redshift `z` in a flat w0wa-CDM cosmology without radiation [Mpc/h].

    Gauss-Legendre quadrature in sqrt(a), for which the integrand is constant as long as matter dominates.
    """
    start = (1.0 + z) ** -0.5
    nodes, weights = np.polynomial.legendre.leggauss(48)
    root = 0.5 * (1.0 + start + (1.0 - start) * nodes)
    a, matter, w0, wa = root**2, cosmology.Omega_c + cosmology.Omega_b, cosmology.w0, cosmology.wa
    dark_energy = (1.0 - matter) * a ** (-3.0 * (1.0 + w0 + wa)) * np.exp(-3.0 * wa * (1.0 - a))
    integrand = 2.0 * root / (a**2 * np.sqrt(matter * a**-3 + dark_energy))
    return float(SPEED_OF_LIGHT_OVER_H0 * 0.5 * (1.0 - start) * np.sum(weights * integrand))


def _source_distances(
    cosmology: CosmologyConfig, survey: SurveyConfig, finite_differences: FiniteDifferencesConfig
) -> dict[str, float]:
    """Distance of the farthest source by cosmology, the fiducial one first [Mpc/h]."""
    distances = {}
    for name, parameters in finite_differences.cosmologies(cosmology).items():
        try:
            shifted = CosmologyConfig.model_validate(parameters)
        except ValidationError:  # a step that is too large: `check_steps` reports it
            continue
        distances[name] = comoving_distance(survey.sources.z_max, shifted)
    return distances


def check_planes(
    cosmology: CosmologyConfig,
    simulation: SimulationConfig,
    lightcone: LightconeConfig,
    survey: SurveyConfig,
    finite_differences: FiniteDifferencesConfig,
) -> Iterator[Problem]:
    """The last plane ends behind the sources, in the cosmologies of the finite differences too."""
    thickness = simulation.box_size / lightcone.slabs_per_box
    end = lightcone.planes * thickness
    planes = f"{lightcone.planes} planes of {thickness:g} Mpc/h end at chi = {end:.0f}"
    chi = _source_distances(cosmology, survey, finite_differences)
    farthest = max(chi, key=lambda name: chi[name])
    if chi[farthest] > end:
        named = "fiducial" if chi["fiducial"] > end else farthest
        where = f"chi = {chi[named]:.0f}" + ("" if named == "fiducial" else f" in the cosmology {named}")
        yield Problem(
            "lightcone.planes",
            f"{planes}, before the sources at z = {survey.sources.z_max:g} ({where}); "
            f"raise lightcone.planes to {math.ceil(chi[farthest] / thickness)}",
        )
    chi_start = comoving_distance(1.0 / simulation.a_start - 1.0, cosmology)
    if end > chi_start:
        yield Problem(
            "lightcone.planes",
            f"{planes}, before the simulation starts at a = {simulation.a_start:g} (chi = {chi_start:.0f}); "
            f"lower lightcone.planes to {int(chi_start // thickness)} or simulation.a_start",
        )


def check_field(
    cosmology: CosmologyConfig,
    simulation: SimulationConfig,
    lightcone: LightconeConfig,
    survey: SurveyConfig,
    finite_differences: FiniteDifferencesConfig,
) -> Iterator[Problem]:
    """The field fits into the box on the farthest plane in front of the sources."""
    thickness, box_size = simulation.box_size / lightcone.slabs_per_box, simulation.box_size
    chi_source = max(_source_distances(cosmology, survey, finite_differences).values())
    centres = [(plane + 0.5) * thickness for plane in range(lightcone.planes)]
    chi = max((centre for centre in centres if centre < chi_source), default=centres[0])
    width = math.radians(lightcone.field_deg) * chi
    if width > box_size:
        yield Problem(
            "lightcone.field_deg",
            f"{lightcone.field_deg:g} deg are {width:.0f} Mpc/h on the farthest plane in front of the "
            f"sources (chi = {chi:.0f}), wider than the box of {box_size:g} Mpc/h; lower lightcone.field_deg "
            f"to {math.floor(10.0 * math.degrees(box_size / chi)) / 10.0:g} "
            f"or raise simulation.box_size to {math.ceil(width)}",
        )


def _region_pixels(level: int, lightcone: LightconeConfig, statistics: StatisticsConfig) -> int:
    """Pixels per side that peaks on starlet level `level` leave."""
    return lightcone.pixels - 2 * statistics.peaks.reach(level)


def _smallest_region(lightcone: LightconeConfig, statistics: StatisticsConfig) -> int:
    """Pixels per side that the peaks leave, of the scales that are allowed."""
    used = {round(math.log2(scale / lightcone.pixel_arcmin)) for scale in statistics.peaks.scales_arcmin}
    levels = used.intersection(_allowed_levels(lightcone, statistics))
    return min((_region_pixels(level, lightcone, statistics) for level in levels), default=lightcone.pixels)


def _allowed_levels(lightcone: LightconeConfig, statistics: StatisticsConfig) -> list[int]:
    """Starlet levels that leave enough of the map."""
    least = max(MIN_REGION_PIXELS, MIN_REGION_SHARE * lightcone.pixels)
    levels = range(1, lightcone.pixels.bit_length())
    return [level for level in levels if _region_pixels(level, lightcone, statistics) >= least]


def check_scales(lightcone: LightconeConfig, statistics: StatisticsConfig) -> Iterator[Problem]:
    """Starlet scales are levels of the map, and their border leaves enough of it."""
    allowed = _allowed_levels(lightcone, statistics)
    sizes = ", ".join(f"{lightcone.starlet_scale(level):.4g}" for level in allowed)
    advice = f"allowed: {sizes} arcmin" if allowed else "raise lightcone.pixels"
    for name in ("starlet_power_spectrum", "peaks"):
        key, used = f"statistics.{name}.scales_arcmin", dict[int, float]()
        for scale in getattr(statistics, name).scales_arcmin:
            try:
                level = lightcone.starlet_level(scale)
            except ValueError as error:
                yield Problem(key, f"{error}; {advice}")
                continue
            if level not in allowed:
                border = statistics.peaks.reach(level)
                yield Problem(
                    key,
                    f"{scale:g} arcmin reaches {border} pixels into the map from each side, which leaves "
                    f"{max(0, lightcone.pixels - 2 * border)} of {lightcone.pixels}; {advice}",
                )
            if level in used:
                yield Problem(key, f"{used[level]:g} and {scale:g} arcmin are the same scale; keep one")
            used[level] = scale


def check_galaxies(survey: SurveyConfig) -> Iterator[Problem]:
    """Every source has a number of galaxies."""
    given, needed = len(survey.n_gal), survey.sources.number
    if given != needed:
        yield Problem("survey.n_gal", f"{given} given for {needed} sources; give one for each")


def check_depth(lightcone: LightconeConfig, survey: SurveyConfig, statistics: StatisticsConfig) -> Iterator[Problem]:
    """The map of the depth is there, fits the maps and leaves some of them."""
    if survey.depth.kind == "uniform":
        return
    key, path = "survey.depth.file", survey.depth.file
    try:
        depth = np.load(path)
    except (OSError, ValueError) as error:
        yield Problem(key, f"{path} cannot be read ({error}); give the path of an array that numpy.save wrote")
        return
    side = lightcone.pixels
    if depth.shape != (side, side) or depth.dtype.kind not in "fiub":
        yield Problem(
            key,
            f"{path} holds {' x '.join(map(str, depth.shape))} values of type {depth.dtype}; give {side} x {side} "
            "numbers, one per pixel",
        )
        return
    wrong = ~(np.isfinite(depth) & (depth >= 0)) | ((depth > 0) & (depth < SMALLEST_DEPTH * np.max(depth)))
    if wrong.any():
        yield Problem(
            key,
            f"{path} has {np.count_nonzero(wrong)} values not finite, below 0, or above it and below "
            f"{SMALLEST_DEPTH:g} of the largest; give 0 where masked and 1 where there are n_gal galaxies",
        )
    border = (side - _smallest_region(lightcone, statistics)) // 2
    if not depth[border : side - border, border : side - border].any():
        yield Problem(key, f"{path} masks all pixels inside the border of {border}; unmask some")


def check_multipoles(lightcone: LightconeConfig, statistics: StatisticsConfig) -> Iterator[Problem]:
    """Multipole bins are resolved by the pixels and hold modes of the region inside the border."""
    pixel = math.radians(lightcone.pixel_arcmin / 60.0)
    side = _smallest_region(lightcone, statistics)
    frequencies = 2.0 * math.pi * np.fft.fftfreq(side, pixel)
    modes, largest = np.hypot(frequencies[:, None], frequencies), math.pi / pixel
    for name in ("power_spectrum", "starlet_power_spectrum"):
        key, edges = f"statistics.{name}.ell_edges", getattr(statistics, name).ell_edges
        if edges[-1] > largest:
            yield Problem(
                key,
                f"ell = {edges[-1]:g} is not resolved by pixels of {lightcone.pixel_arcmin:.4g} arcmin; "
                f"end at ell = {math.floor(largest)} or raise lightcone.pixels",
            )
        for low, high in pairwise(edges):
            if low < largest and not np.any((modes >= low) & (modes < high)):
                yield Problem(
                    key,
                    f"no mode in {low:g} <= ell < {high:g}: modes of the {side} pixels inside the border are "
                    f"{frequencies[1]:.0f} apart; widen the bin",
                )
