"""Data vectors as SACC files, with n(z), covariance, and derivatives as tags of the data."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from lenscast.bins import bins_of
from lenscast.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.exports.forecast_files import ForecastFiles
from lenscast.io.atomic import appearing
from lenscast.sources import Sources, redshift_distributions
from lenscast.statistics import Statistic

HALF_WIDTH = 1e-3
"""Half of the base of the triangle that stands for a single redshift, since n(z) of SACC is a function."""


def save_sacc(path: str | Path, forecast: ForecastFiles, experiment: Experiment, box: Int[np.ndarray, " map"]) -> None:
    """Write the data vector of a forecast as a SACC file (FITS).

    Parameters
    ----------
    path
        File to make.
    forecast
        Forecast of one data vector.
    experiment
        The experiment of the forecast.
    box
        Seed of the box of each map behind the covariance.

    Raises
    ------
    ImportError
        Where ``sacc`` is not installed.

    Notes
    -----
    The covariance is that of the survey over Hartlap's factor, so that the inverse of the file's matrix is the unbiased
    one. Data have the tags ``derivative_<parameter>``, the mean Jacobian, and ``headline_derivative_<parameter>``, the
    Jacobian with which a Gaussian likelihood has the errors of the headline (`ForecastFiles.headline_jacobian`). The
    second are left out where there are fewer data than parameters. The mean of the shape noise is subtracted from
    spectra, and is their tag ``noise``.
    """
    import sacc  # here: it takes a second to import, and an installation may go without

    file = sacc.Sacc()
    survey, distributions = experiment.survey, redshift_distributions(experiment.survey.sources)
    for source, n_gal in enumerate(survey.n_gal):
        z, n = number_density(distributions, source)
        metadata = {"n_gal": n_gal, "sigma_e": survey.sigma_e}
        file.add_tracer("NZ", tracer(source), z, n, quantity="galaxy_convergence", metadata=metadata)
    noise = _noise(experiment)
    jacobians = {"derivative": forecast.jacobian}
    if len(forecast.bins) >= len(forecast.names):
        jacobians["headline_derivative"] = forecast.headline_jacobian
    for number, row in enumerate(forecast.bins.to_dict("records")):
        given = [row.get(key) for key in ("source_1", "source_2", "source_3")]
        sources = [tracer(int(source)) for source in given if not pd.isna(source)]
        derivatives = {
            f"{kind}_{name}": float(value)
            for kind, jacobian in jacobians.items()
            for name, value in zip(forecast.names, jacobian[:, number], strict=True)
        }
        statistic = experiment.statistics[row["statistic"]]
        tags, value = {**_tags(row, statistic), **derivatives}, float(forecast.mean[number])
        if statistic.is_spectrum:
            tags["noise"] = noise[row["name"]]
            value -= tags["noise"]
        file.add_data_point(data_type(statistic), sources, value, **tags)
    file.add_covariance(forecast.survey_covariance)
    file.metadata.update(_metadata(forecast, experiment, box))
    with appearing(Path(path)) as temporary:
        file.save_fits(str(temporary), overwrite=True)


def tracer(source: int) -> str:
    """Name of the tracer of a source bin."""
    return f"source_{source}"


def data_type(statistic: Statistic) -> str:
    """Type of the data of a statistic: a standard one of SACC where there is one, or one of the same form."""
    words = (statistic.kind or statistic.name).split("_")
    own = words[0] + "".join(word.capitalize() for word in words[1:])
    return f"galaxy_convergence_{statistic.sacc_type or own}"


def number_density(sources: Sources, source: int) -> tuple[Float[np.ndarray, " z"], Float[np.ndarray, " z"]]:
    """Redshifts and normalised n(z) of a source bin; a single redshift is a narrow triangle.

    Parameters
    ----------
    sources
        Redshift distributions.
    source
        Number of the bin.
    """
    width, share = sources.high - sources.low, sources.share[source]
    if np.all(width == 0):
        (z,) = sources.low[share > 0]
        return z + HALF_WIDTH * np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1 / HALF_WIDTH, 0.0])
    return sources.z, share / width


def _tags(row: Mapping[Any, Any], statistic: Statistic) -> dict[str, Any]:
    """Tags of a datum that say what it is; those that do not apply are left out."""
    numbers = {key: row[key] for key in ("scale_arcmin", "low", "high", "centre") if not pd.isna(row[key])}
    multipole = {"ell": float(row["centre"])} if statistic.is_spectrum else {}
    return {"bin": row["name"], "unit": row["unit"]} | {key: float(value) for key, value in numbers.items()} | multipole


@lru_cache
def _noise(experiment: Experiment) -> dict[str, float]:
    """Mean of the shape noise in each datum of a spectrum, by its name."""
    observed, side = observation(experiment), experiment.lightcone.pixels
    blank = np.zeros((experiment.sources, side, side))
    spectra = [each for each in experiment.statistics.values() if each.is_spectrum]
    return {
        name: float(value)
        for each in spectra
        for name, value in zip(bins_of([each], observed)["name"], each.expected(blank, blank, observed), strict=True)
    }


def _metadata(forecast: ForecastFiles, experiment: Experiment, box: Int[np.ndarray, " map"]) -> dict[str, Any]:
    """What the numbers are of: survey, simulations, parameters and priors."""
    return {
        "creator": "lenscast",
        "area_deg2": experiment.survey.area_deg2,
        "sigma_e": experiment.survey.sigma_e,
        "field_area_deg2": experiment.survey.area_deg2 / float(forecast.constant("area_ratio")),
        "maps": len(box),
        "effective_maps": float(forecast.constant("n_effective")),
        "boxes_of_covariance": len(np.unique(box)),
        "boxes_of_derivatives": int(forecast.constant("boxes")),
        "hartlap": float(forecast.constant("hartlap")),
        "parameters": " ".join(forecast.names),
        **{f"fiducial_{name}": value for name, value in experiment.fiducial.items()},
        **{f"prior_{name}": width for name, width in forecast.prior_widths.items()},
    }
