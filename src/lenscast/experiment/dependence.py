"""What each kind of file depends on, as plain values that snakemake compares and files carry as their provenance.

A file is made again where these values change, and by nothing else in a config. Whoever adds a key that decides a
result adds it here; a whole section is better than a list of its keys, since a forgotten key leaves old files in place.
"""

from collections.abc import Collection, Mapping
from typing import Any

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.parameters import COSMOLOGICAL, PARAMETERS, stem

Values = Mapping[str, float]


def enters_map(parameter: str) -> bool:
    """Whether a parameter enters in the map itself, so that maps do not depend on it."""
    return PARAMETERS[stem(parameter)].enters == "map"


def sections(experiment: Experiment, *names: str, made_here: Collection[str] = ()) -> dict[str, Any]:
    """Sections of an experiment, with hashes of files in place of their paths.

    Parameters
    ----------
    experiment
        The experiment.
    names
        Names of its sections.
    made_here
        Files of weights that the workflow makes: they keep their paths, since they are inputs of rules.
    """
    found = experiment.settings(*names)
    weights = getattr(experiment.simulation.correction, "weights", "")
    if "simulation" in names and str(weights) in made_here:
        found["simulation"]["correction"]["weights"] = str(weights)
    return found


def planes(experiment: Experiment, values: Values, made_here: Collection[str] = ()) -> dict[str, Any]:
    """What lens planes without baryons depend on.

    Parameters
    ----------
    experiment
        The experiment.
    values
        Value of every parameter of the simulation by name.
    made_here
        As in `sections`.
    """
    found = sections(experiment, "simulation", "lightcone", made_here=made_here)
    return {
        "cosmology": {name: values[name] for name in COSMOLOGICAL},
        "simulation": found["simulation"],
        "lightcone": {key: found["lightcone"][key] for key in ("slabs_per_box", "planes", "plane_mesh")},
    }


def maps(experiment: Experiment, values: Values, made_here: Collection[str] = ()) -> dict[str, Any]:
    """What maps depend on; the parameters are those of `planes`."""
    found = sections(experiment, "lightcone", "survey", "systematics")
    at_planes = {name: values[name] for name in values if name not in COSMOLOGICAL and not enters_map(name)}
    return {
        **planes(experiment, values, made_here),
        "systematics": at_planes,
        "lightcone": found["lightcone"],
        "sources": found["survey"]["sources"],
        "alignment": {key: found["systematics"][key] for key in ("z_pivot", "C1_rho_crit")},
    }


def views(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What views of planes depend on: what `maps` do, but for their number in files."""
    lightcone = {key: value for key, value in settings["lightcone"].items() if key != "realisations_per_box"}
    return {**settings, "lightcone": lightcone}


def summaries(experiment: Experiment, values: Values, names: Collection[str] | None = None) -> dict[str, Any]:
    """What the summaries of given maps depend on.

    Parameters
    ----------
    experiment
        The experiment.
    values
        Value of every parameter of the maps by name.
    names
        Statistics that are measured; by default all of the experiment.
    """
    found = sections(experiment, "survey", "statistics")
    return {
        "in_map": {name: value for name, value in values.items() if enters_map(name)},
        # the code of a statistic has a hash of its own, which comments do not change
        "statistics": {
            name: {**found["statistics"][name], "file": None}
            for name in (experiment.statistics if names is None else names)
        },
        "border": observation(experiment).region.border,
        "pixels": experiment.lightcone.pixels,
        "field_deg": experiment.lightcone.field_deg,
        "sigma_e": experiment.survey.sigma_e,
        "n_gal": list(experiment.survey.n_gal),
        "depth": found["survey"]["depth"],
    }


def field_posterior(experiment: Experiment, made_here: Collection[str] = ()) -> dict[str, Any]:
    """What a chain of the field level depends on besides the forecast; the parameters are those of `planes`."""
    return {
        **maps(experiment, experiment.fiducial, made_here),
        "in_map": {name: value for name, value in experiment.fiducial.items() if enters_map(name)},
        "survey": sections(experiment, "survey")["survey"],
        "priors": experiment.priors,
        "chains": {name: getattr(experiment.field_level, name) for name in ("seed", "sampler", "warmup", "draws")},
    }


def prior_boxes(experiment: Experiment) -> dict[str, Any]:
    """Which parameters the boxes of simulation-based inference have, and how often their maps are measured."""
    section = sections(experiment, "simulation_based")["simulation_based"]
    kept = ("first_seed", "boxes", "noise_realisations", "ranges", "seed")
    return {
        **{name: section[name] for name in kept},
        "parameters": list(experiment.parameters),
        "priors": experiment.priors,
    }


def learnt_posterior(experiment: Experiment) -> dict[str, Any]:
    """What a learnt posterior depends on besides the data of its boxes and the forecast."""
    section = sections(experiment, "simulation_based")["simulation_based"]
    return {name: section[name] for name in ("held_out", "compression", "flow", "seed")}
