"""Convergence maps of another code through the statistics: data vectors, and central differences of their means."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32

from lenscast.bins import bins_of
from lenscast.experiment.map_campaign import MapCampaign
from lenscast.measurement import noise_maps
from lenscast.sections.array_file import read_array
from lenscast.statistics import Observation, Region, ShapeNoise

Said = Callable[[str], None]


def measure_campaign(campaign: MapCampaign, say: Said = lambda text: None) -> dict[str, Any]:
    """Arrays for a forecast (`fisher.arrays`) from the maps of a campaign.

    Data vectors are those of noisy maps. Differences are of the means over the shape noise (`Statistic.expected`), with
    the same noise on both sides, so that those of counts are smooth.

    Parameters
    ----------
    campaign
        Description of the maps.
    say
        Takes a line of text for each set of maps that is measured.

    Raises
    ------
    ValueError
        If maps are not square, not finite, of other shapes than the first ones, or not whole boxes; or if the pixels
        do not allow a statistic.
    """
    fiducial = read_maps(campaign.maps, len(campaign.survey.n_gal))
    shape = fiducial.shape[1:]
    observed = observation_of(campaign, shape[-1])
    bins = bins_of(campaign.statistics.values(), observed)
    measured = jax.jit(_data_vector(campaign, observed, "measured", 1))
    say(f"{len(fiducial)} maps at the fiducial parameters")
    found: dict[str, Any] = {
        "summaries": np.stack([np.asarray(measured(*each)) for each in _numbered(fiducial, campaign, campaign.maps)]),
        "summary_box": np.arange(len(fiducial)) // campaign.maps_per_box,
        "parameter": list(campaign.differences),
        "fiducial": [campaign.fiducial[name] for name in campaign.differences],
        "prior": [campaign.priors.get(name, np.nan) for name in campaign.differences],
        "area_ratio": campaign.survey.area_deg2 / observed.noise.area_deg2(observed.region),
        "bin": bins["name"].tolist(),
        "statistic": bins["statistic"].tolist(),
    }
    if not campaign.differences:
        return found
    expected = jax.jit(_data_vector(campaign, observed, "expected", campaign.noise_realisations))
    sides: dict[str, list[np.ndarray]] = {"plus": [], "minus": []}
    for name, shifted in campaign.differences.items():
        for side, rows in sides.items():
            files = getattr(shifted, side)
            maps = read_maps(files, shape[0])
            if maps.shape[1:] != shape:
                sizes = _size(maps.shape[1:]), _size(shape)
                raise ValueError(f"{files[0]} has maps of {sizes[0]}, fiducial ones have {sizes[1]}; give one size")
            say(f"{len(maps)} maps with {name} {side} {shifted.step:g}")
            vectors = np.stack([np.asarray(expected(*each)) for each in _numbered(maps, campaign, files)])
            rows.append(vectors.reshape(-1, campaign.maps_per_box, len(bins)).mean(axis=1))
    numbers = {len(vectors) for rows in sides.values() for vectors in rows}
    if len(numbers) > 1:
        given = " and ".join(map(str, sorted(numbers)))
        raise ValueError(f"differences: {given} boxes; give maps of the same seeds for all parameters, on both sides")
    return found | {
        **{side: np.stack(rows, axis=1) for side, rows in sides.items()},
        "step": [each.step for each in campaign.differences.values()],
        "box": np.arange(len(sides["plus"][0])),
    }


def read_maps(files: Sequence[str], sources: int) -> Float32[np.ndarray, "map source y x"]:
    """Maps of some files, one after another.

    Parameters
    ----------
    files
        Arrays of (y, x) or (map, y, x) for one source, or of (map, source, y, x).
    sources
        Number of sources.

    Raises
    ------
    ValueError
        If a file is no array of finite, square maps of these sources.
    """
    found: list[np.ndarray] = []
    for path in files:
        maps = read_array(path)
        if sources == 1 and maps.ndim in (2, 3):
            maps = maps.reshape(-1, 1, *maps.shape[-2:])
        if maps.ndim != 4 or maps.shape[1] != sources or maps.shape[2] != maps.shape[3]:
            wanted = "map y x" if sources == 1 else f"map source y x, of {sources} sources (survey.n_gal)"
            raise ValueError(f"{path} has the shape {_size(maps.shape)}; give square maps with the axes {wanted}")
        bad = np.argwhere(~np.isfinite(maps))
        if len(bad):
            raise ValueError(
                f"{path} has {len(bad)} values that are not finite, in map {bad[0][0]} first; leave it out"
            )
        if found and maps.shape[1:] != found[0].shape[1:]:
            sizes = _size(maps.shape[1:]), _size(found[0].shape[1:])
            raise ValueError(f"{path} has maps of {sizes[0]}, those before have {sizes[1]}; give one size")
        found.append(maps.astype(np.float32))
    return np.concatenate(found)


def observation_of(campaign: MapCampaign, pixels: int) -> Observation:
    """Region and shape noise through which the maps are measured.

    Parameters
    ----------
    campaign
        Description of the maps.
    pixels
        Pixels per side.

    Raises
    ------
    ValueError
        If the pixels do not allow a statistic; names its key.
    """
    field_deg = pixels * campaign.pixel_arcmin / 60
    region = Region(pixels, field_deg, border=0)
    _require_possible(campaign, region)  # a statistic whose scales are wrong has no reach
    border = max(each.reach(campaign.pixel_arcmin) for each in campaign.statistics.values())
    region = Region(pixels, field_deg, border)
    _require_possible(campaign, region)
    return Observation(region, ShapeNoise.of_survey(campaign.survey, campaign.pixel_arcmin))


def _require_possible(campaign: MapCampaign, region: Region) -> None:
    """Refuse statistics that the region does not allow."""
    for name, statistic in campaign.statistics.items():
        for key, text in statistic.problems(region):
            raise ValueError(f"statistics.{name}.{key}: {text}")


def _data_vector(campaign: MapCampaign, observed: Observation, quantity: str, draws: int) -> Callable[..., Any]:
    """Function from a map, its box and its number to its data vector, averaged over draws of the shape noise."""

    def of_map(kappa: Float32[Any, "source y x"], box: Any, number: Any) -> Float[Any, " bin"]:
        def of_draw(draw: Any) -> Float[Any, " bin"]:
            noise = noise_maps(box, number, draw, kappa.shape, observed.noise.rms_maps())
            each = [getattr(statistic, quantity)(kappa, noise, observed) for statistic in campaign.statistics.values()]
            return jnp.concatenate(each)

        return jax.lax.map(of_draw, jnp.arange(draws)).mean(axis=0)

    return of_map


def _numbered(
    maps: Float32[np.ndarray, "map source y x"], campaign: MapCampaign, files: Sequence[str]
) -> Iterator[tuple[Any, int, int]]:
    """Maps with the number of their box and their number in it."""
    if len(maps) % campaign.maps_per_box:
        raise ValueError(
            f"{files[0]}: {len(maps)} maps are not whole boxes of {campaign.maps_per_box} (maps_per_box); give all maps"
        )
    for index, kappa in enumerate(maps):
        yield kappa, *divmod(index, campaign.maps_per_box)


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
