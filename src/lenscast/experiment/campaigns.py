"""Runs that can be merged: the same in all that their summaries and Jacobians depend on, of seeds of their own."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from lenscast.experiment.experiment import Experiment
from lenscast.sections.errors import Problem

SECTIONS = ("cosmology", "simulation", "lightcone", "survey", "systematics", "statistics")
AREA = "survey.area_deg2"  # which scales the forecast, and changes no summary


class Run(NamedTuple):
    """A finished run, as its files tell: what it was made with, and its seeds by section of the config."""

    made_with: Mapping[str, Any]
    seeds: Mapping[str, Sequence[int]]


def made_with(experiment: Experiment, code: Mapping[str, str]) -> dict[str, Any]:
    """What summaries and Jacobians depend on but for their seeds: values by dotted key, and hashes of code and files.

    Parameters
    ----------
    experiment
        Experiment of the run.
    code
        Hash of the code by what it makes.
    """
    found = dict(_dotted(experiment.settings(*SECTIONS)))
    found |= {f"code.{name}": value for name, value in code.items()}
    for key in ("views", "noise_realisations"):
        found[f"derivatives.{key}"] = getattr(experiment.derivatives, key)
    found["forecast.parameters"] = list(experiment.forecast.parameters)
    del found[AREA]
    return found


def check_merge(here: Mapping[str, Any], runs: Mapping[str, Run]) -> Iterator[Problem]:
    """Runs are made with what the config here says, and no seed comes twice.

    Parameters
    ----------
    here
        What a run of this config and this code is made with.
    runs
        Runs that are to be merged, by name.
    """
    for name, run in runs.items():
        if not run.made_with:
            yield Problem("merge", f"run {name} does not say what it was made with; finish it with this code")
            continue
        for key in dict.fromkeys([*here, *run.made_with]):
            there, given = (values.get(key, "missing") for values in (run.made_with, here))
            if there != given:
                what = "finish it with this code" if key.startswith("code.") else "only runs of one experiment merge"
                yield Problem(key, f"{there} in run {name}, but {given} here; {what}")
    for (one, first), (other, second) in combinations(runs.items(), 2):
        for section, seeds in first.seeds.items():
            for elsewhere, others in second.seeds.items():
                if common := sorted(set(seeds) & set(others)):
                    yield Problem(
                        f"{elsewhere}.first_seed",
                        f"{len(common)} seeds ({common[0]} to {common[-1]}) are of the {section} in run {one} and of "
                        f"the {elsewhere} in run {other}; give one of them other seeds",
                    )


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested sections."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
