"""From the config to the statistics: which there are, and the region of the map they share.

A new statistic is one class and one entry of `STATISTICS`, which states the keys of its section in the config. They are
passed on by name; `scales_arcmin` becomes `levels`, the levels of the starlet that have these scales.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lenscast.statistics.peaks import Peaks
from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet_level
from lenscast.statistics.statistic import Statistic

__all__ = ["STATISTICS", "Entry", "analysis_region", "statistics_from_config"]


class Entry(NamedTuple):
    """Class of a statistic, and the keys of its section in the config."""

    statistic: type[PowerSpectrum] | type[Peaks]
    required: frozenset[str]
    optional: frozenset[str] = frozenset()


STATISTICS: Mapping[str, Entry] = {
    "power_spectrum": Entry(PowerSpectrum, frozenset({"ell_edges"})),
    "starlet_power_spectrum": Entry(PowerSpectrum, frozenset({"scales_arcmin", "ell_edges"})),
    "peaks": Entry(Peaks, frozenset({"scales_arcmin", "snr_edges", "stencil", "counts"}), frozenset({"softness"})),
}


def statistics_from_config(
    statistics_config: Any, pixels: int, field_deg: float, noise: ShapeNoise
) -> tuple[Statistic, ...]:
    """Statistics of a config, in its order, all on the same region.

    Parameters
    ----------
    statistics_config : the config's section `statistics`, a mapping or a pydantic model.
    pixels : pixels per side of the maps.
    field_deg : side of the maps [deg].
    noise : shape noise of the maps.

    Raises
    ------
    ValueError : if a statistic or key is unknown, a key is missing, or the maps or a statistic do not allow a value.
    """
    region = analysis_region(statistics_config, pixels, field_deg)
    return tuple(
        STATISTICS[name].statistic(name, region, noise, **settings)
        for name, settings in _settings(statistics_config, region.pixel_arcmin).items()
    )


def analysis_region(statistics_config: Any, pixels: int, field_deg: float) -> Region:
    """Region that the statistics of a config share, the map less the widest border that any of them needs.

    Parameters
    ----------
    statistics_config, pixels, field_deg : as of `statistics_from_config`.

    Raises
    ------
    ValueError : as of `statistics_from_config`, or if the border leaves less than a quarter of the map's side.
    """
    whole = Region(pixels, field_deg, border=0)
    settings = _settings(statistics_config, whole.pixel_arcmin)
    border = max((STATISTICS[name].statistic.border(each) for name, each in settings.items()), default=0)
    return Region(pixels, field_deg, border)


def _settings(statistics_config: Any, pixel_arcmin: float) -> dict[str, dict[str, Any]]:
    """Arguments of the class of each statistic in the config."""
    settings = {}
    for name, section in _mapping(statistics_config).items():
        if name not in STATISTICS:
            raise ValueError(f"statistics.{name}: there is no such statistic; choose among {', '.join(STATISTICS)}")
        given, entry = dict(_mapping(section)), STATISTICS[name]
        missing, unknown = entry.required - given.keys(), given.keys() - entry.required - entry.optional
        if missing or unknown:
            raise ValueError(
                f"statistics.{name}: keys missing: {', '.join(sorted(missing)) or 'none'}; unknown: "
                f"{', '.join(sorted(unknown)) or 'none'}; give {', '.join(sorted(entry.required))}"
            )
        if "scales_arcmin" in given:
            given["levels"] = tuple(starlet_level(scale, pixel_arcmin) for scale in given.pop("scales_arcmin"))
        settings[name] = given
    return settings


def _mapping(section: Any) -> Mapping[str, Any]:
    """A section of the config by key."""
    return section if isinstance(section, Mapping) else section.model_dump(exclude_none=True)
