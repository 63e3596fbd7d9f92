"""From the files of a campaign to its figures: one function for each figure.

All functions are called as ``name(files, experiment, **settings)`` and return a matplotlib figure. ``files`` are paths
by name, such as the input of a rule of snakemake; docstrings name the files that a function reads, and optional files
may be missing or empty. ``experiment`` is the experiment of the campaign, and ``settings`` are the other arguments. How
a figure looks is left to `lenscast.plotting`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lenscast import plotting
from lenscast.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.fisher.derived import Omega_m, derived_parameters
from lenscast.fisher.matrices import ParameterCovariance
from lenscast.geometry import comoving_distance
from lenscast.io.products import load_forecast, load_jacobians, load_summaries
from lenscast.io.reading import load
from lenscast.lensing import redshift_distributions
from lenscast.measurement import noise_alone, noise_maps
from lenscast.parameters import stem
from lenscast.statistics import Region
from lenscast.validation.one_point import smoothed

Files = Mapping[str, Any]
VARIANTS = ("pm", "hpn", "pgd", "reference")
"""Variables of the file of slices, in the order of the columns of the figure."""


def maps(files: Files, experiment: Experiment) -> Figure:
    """First map, seen through its first shape noise, and its derivatives. Files: tangents (one)."""
    (path,) = np.atleast_1d(files["tangents"])
    first = load(path, ["kappa", "tangents"], {"map": slice(0, 1)})
    kappa, tangents = (first.variables[name].values[0] for name in ("kappa", "tangents"))
    index, noise = first.coordinates["map"].iloc[0], observation(experiment).noise
    drawn = noise_maps(int(index["seed"]), int(index["realisation"]), 0, kappa.shape, noise.rms_maps())
    source = len(kappa) // 2
    return plotting.maps_and_tangents(
        kappa[source],
        kappa[source] + np.asarray(drawn[source]),
        tangents[:, source],
        list(first.coordinates["param"]["name"]),
        experiment.lightcone.field_deg,
        noise.depth,
    )


def spectrum(files: Files, experiment: Experiment, statistic: str) -> Figure:
    """Power spectra with their errors and theory. Files: summaries, jacobians, and optionally theory.

    Parameters
    ----------
    statistic
        Name of a statistic that is a spectrum. Theory is drawn with the spectrum of the maps as they are.
    """
    drawn, simulation = experiment.statistics[statistic], experiment.simulation
    z_mean = redshift_distributions(experiment.survey.sources).mean
    chi = np.array([comoving_distance(z, experiment.cosmology) for z in z_mean])
    return plotting.power_spectra(
        drawn,
        load_summaries(files["summaries"]),
        load_jacobians(files["jacobians"]),
        noise_alone(experiment),
        plotting.Nyquist(np.pi * simulation.particles / simulation.box_size, chi),
        _theory(files) if drawn.is_plain_spectrum else None,
    )


def counts(files: Files, experiment: Experiment, statistic: str) -> Figure:
    """Statistic that is not a spectrum: measured, and expected over the shape noise. Files: summaries, jacobians."""
    summaries, jacobians = load_summaries(files["summaries"]), load_jacobians(files["jacobians"])
    return plotting.counts(experiment.statistics[statistic], summaries, jacobians)


def derivatives(files: Files, experiment: Experiment) -> Figure:
    """Derivatives of all statistics with respect to all parameters. Files: jacobians, and optionally theory."""
    jacobians = load_jacobians(files["jacobians"])
    return plotting.derivatives(experiment.statistics, jacobians, noise_alone(experiment), _theory(files))


def correlation(files: Files, experiment: Experiment) -> Figure:
    """Correlation matrix of a data vector. Files: forecast."""
    forecast = load(files["forecast"], ["correlation"])
    matrix, bins = forecast.variables["correlation"].values, forecast.coordinates["bin"]
    return plotting.correlation(matrix, bins, experiment.statistics)


def triangle(files: Files, experiment: Experiment, data_vectors: Sequence[str]) -> Figure:
    """Contours of the parameters that source bins share, of Omega_m and S8. Files: forecasts, estimators.

    Omega_m stands in place of Omega_c where the baryon density is fixed.

    Parameters
    ----------
    data_vectors
        Names of the data vectors, in the order of the files.
    """
    tables = dict(zip(data_vectors, map(pd.read_csv, files["estimators"]), strict=True))
    posteriors = {
        name: with_matter(load_forecast(path), experiment)
        for name, path in zip(data_vectors, files["forecasts"], strict=True)
    }
    notes = [note for name, table in tables.items() for note in plotting.verdict_note(name, table)]
    return plotting.triangle(posteriors, notes, {name: plotting.priors_own(table) for name, table in tables.items()})


def systematics(files: Files, experiment: Experiment, data_vectors: Sequence[str], nuisance: Sequence[str]) -> Figure:
    """Contours of cosmology with nuisance parameters marginalised and fixed. Files: forecasts, estimators.

    Parameters
    ----------
    data_vectors
        Names of the data vectors, in the order of the files.
    nuisance
        Nuisance parameters.
    """
    posteriors: dict[str, ParameterCovariance] = {}
    notes, own = [], {}
    for name, path, table in zip(data_vectors, files["forecasts"], map(pd.read_csv, files["estimators"]), strict=True):
        known = load_forecast(path, nuisance)
        cases = {
            (name, "marginalised"): load_forecast(path).select(known.names),
            (f"{name}, systematics known", "fixed"): known,
        }
        for (title, case), posterior in cases.items():
            rows = table[table["systematics"] == case].assign(systematics="marginalised")
            rows = rows[~rows["parameter"].isin(nuisance)]
            posteriors[title] = with_matter(posterior, experiment)
            notes += plotting.verdict_note(title, rows)
            own[title] = plotting.priors_own(rows)
    return plotting.triangle(posteriors, notes, own)


def reliability(files: Files, experiment: Experiment, data_vectors: Sequence[str]) -> Figure:
    """Errors of the parameters against the number of boxes. Files: curves.

    Parameters
    ----------
    data_vectors
        Names of the data vectors, in the order of the files.
    """
    return plotting.reliability(dict(zip(data_vectors, map(pd.read_csv, files["curves"]), strict=True)))


def check_derivatives(files: Files, experiment: Experiment) -> Figure:
    """Automatic derivatives compared with central differences. Files: tables, with the names of their statistics."""
    tables = {Path(path).stem: pd.read_csv(path) for path in files["tables"]}
    return plotting.derivatives_check(experiment.statistics, tables)


def validation_spectra(files: Files, experiment: Experiment) -> Figure:
    """Spectra compared with those of a finer simulation of the same boxes, and with theory. Files: table."""
    return plotting.validation_spectra(pd.read_csv(files["table"]), experiment.statistics)


def validation_counts(files: Files, experiment: Experiment) -> Figure:
    """Other statistics compared with those of a finer simulation of the same boxes. Files: table."""
    return plotting.validation_counts(pd.read_csv(files["table"]), experiment.statistics)


def validation_projection(files: Files, experiment: Experiment) -> Figure:
    """What the Born approximation leaves out. Files: table, maps (of Born, then ray-traced)."""
    table, lightcone = pd.read_csv(files["table"]), experiment.lightcone
    sigma_arcmin = table.loc[table["statistic"] == "density", "scale_arcmin"].iloc[0]
    whole = Region(lightcone.pixels, lightcone.field_deg, border=0)
    farthest = {"map": slice(0, 1), "source": slice(-1, None)}
    kappas = (load(path, ["kappa"], farthest).variables["kappa"].values[0, 0] for path in files["maps"])
    born, traced = (smoothed(kappa, whole, sigma_arcmin) for kappa in kappas)
    projected = plotting.ProjectedMaps(born, traced, whole.pixel_arcmin)
    return plotting.validation_projection(table, projected, experiment.statistics)


def tomography(files: Files, experiment: Experiment) -> Figure:
    """Tomographic spectra of lensing and alignments compared with theory. Files: components."""
    return plotting.tomography(pd.read_csv(files["components"]))


def tomography_derivatives(files: Files, experiment: Experiment) -> Figure:
    """Derivatives of tomographic spectra with respect to nuisance parameters. Files: derivatives."""
    return plotting.tomography_derivatives(pd.read_csv(files["derivatives"]))


def loss(files: Files, experiment: Experiment) -> Figure:
    """Loss of a training of corrections against the epoch. Files: history."""
    return plotting.loss_curves(pd.read_csv(files["history"]))


def matter(files: Files, experiment: Experiment, title: str, a: Sequence[float]) -> Figure:
    """Power and cross-correlation of corrected simulations compared with their reference. Files: table, slices.

    Parameters
    ----------
    title
        Name of the reference; fields in braces are columns of the file of slices.
    a
        Scale factors; the nearest ones of the table are drawn.
    """
    table, simulation = pd.read_csv(files["table"]), load(files["slices"], []).coordinates["simulation"].iloc[0]
    nearest = {table["a"].iloc[(table["a"] - wanted).abs().argmin()] for wanted in a}
    return plotting.matter_comparison(table[table["a"].isin(nearest)], title.format(**simulation))


def slices(files: Files, experiment: Experiment, title: str) -> Figure:
    """Slices of density of corrected simulations and their reference. Files: slices.

    Parameters
    ----------
    title
        As for `matter`.
    """
    contents = load(files["slices"])
    simulation = contents.coordinates["simulation"].iloc[0]
    density = {name: contents.variables[name].values for name in VARIANTS}
    size, text = simulation["box_size"], (title + ", a = {a:.3g}").format(**simulation)
    return plotting.density_slices(density, size, simulation["thickness"], size / 4, text)


def matter_power(files: Files, experiment: Experiment, seeds: int) -> Figure:
    """Matter power of simulations today compared with theory. Files: table.

    Parameters
    ----------
    seeds
        Number of boxes behind the table.
    """
    return plotting.matter_power(pd.read_csv(files["table"]), np.pi / experiment.simulation.cell_size, seeds)


def with_matter(posterior: ParameterCovariance, experiment: Experiment) -> ParameterCovariance:
    """Posterior of the parameters that source bins share, with Omega_m and S8 where they vary.

    A density that varies alone is left out: Omega_m is the same but for a constant.
    """
    shared = posterior.select([name for name in posterior.names if stem(name) == name])
    matter, names = Omega_m(experiment.fiducial), list(shared.names)
    densities = [name for name in names if name in matter.gradient]
    found = shared.with_derived([matter, *derived_parameters(names, experiment.fiducial)])
    kept = [name for name in found.names if name != matter.name and not (len(densities) == 1 and name in densities)]
    return found.select([matter.name, *kept] if densities else kept)


def _theory(files: Files) -> pd.DataFrame | None:
    """Table of theory, if there is one."""
    return pd.read_csv(files["theory"]) if files.get("theory") else None
