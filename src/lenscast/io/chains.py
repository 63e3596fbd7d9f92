"""Files of chains: draws of parameters, and of what follows from them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lenscast.experiment import Experiment
from lenscast.inference.chain import ChainState
from lenscast.inference.field_chain import FieldChain, FieldRun
from lenscast.inference.field_posterior import FieldPosterior
from lenscast.inference.mock_posteriors import MockPosterior
from lenscast.inference.preconditioner import Preconditioner
from lenscast.inference.summary_chains import SummaryChains
from lenscast.io.batch_files import require_made_by
from lenscast.io.corrections import correction_of
from lenscast.io.products import load_information
from lenscast.io.reading import load
from lenscast.io.variables import Variable
from lenscast.io.writing import save


def save_summary_chains(
    path: str | Path, chains: SummaryChains, fiducial: Mapping[str, float], provenance: Mapping[str, str]
) -> None:
    """Write the chains of the posterior of a data vector.

    Parameters
    ----------
    path
        File to make.
    chains
        Chains.
    fiducial
        Value of each parameter.
    provenance
        Provenance of the file.
    """
    variables = {
        "draws": Variable(chains.draws, ("chain", "draw", "param"), "see param", "draws of the parameters"),
        "log_density": Variable(
            chains.log_density, ("chain", "draw"), "1", "logarithm of the posterior density, up to a constant"
        ),
        "divergent": Variable(np.array(chains.divergent), (), "1", "trajectories that broke down"),
    }
    parameters = {"name": list(chains.names), "fiducial": [float(fiducial[name]) for name in chains.names]}
    save(path, variables, {"param": parameters}, provenance)


def load_summary_chains(path: str | Path) -> SummaryChains:
    """Chains of the posterior of a data vector.

    Parameters
    ----------
    path
        File that `save_summary_chains` wrote.

    Raises
    ------
    ValueError
        If the file is damaged or of another kind.
    """
    contents = load(path, ["draws", "log_density", "divergent"])
    arrays = {name: each.values for name, each in contents.variables.items()}
    names = tuple(contents.coordinates["param"]["name"])
    return SummaryChains(names, arrays["draws"], arrays["log_density"], int(arrays["divergent"]))


_OF_DRAWS = {
    "draws": (("draw", "param"), "draws of the parameters"),
    "band_power": (("draw", "band"), "power of the white noise over its mean"),
    "log_density": (("draw",), "logarithm of the posterior density of the coordinates, up to a constant"),
    "energy_error": (("draw",), "energy error of the transition; 0 where it broke down"),
    "broke_down": (("draw",), "whether the model broke down on the transition"),
}
_OF_STATE = {
    "position": ("dim", "white noise, then coordinates of the parameters, both stretched"),
    "gradient": ("dim", "gradient of the logarithm of the density"),
    "direction": ("velocity", "unit velocity"),
    "adaptation": ("sum", "sums that the step size is chosen from"),
}
_OF_STRETCH = {
    "vectors": (("dim", "stretched"), "directions that are stretched"),
    "curvature": (("stretched",), "second derivative of minus the log density along them"),
}
_NUMBERS = ("log_density", "step", "number", "gradients")


def load_field_posterior(path: str | Path, made_by: Mapping[str, Any], experiment: Experiment) -> FieldPosterior:
    """The posterior of the field level whose coordinates follow from the file of a forecast.

    Parameters
    ----------
    path
        File of a forecast.
    made_by
        Settings that must have made it.
    experiment
        What is simulated.

    Raises
    ------
    ValueError
        If the file was made with other settings, or as `FieldPosterior.of_forecast`.
    """
    require_made_by(made_by, path, load(path, []))
    return FieldPosterior.of_forecast(load_information(path), experiment, correction_of(experiment.simulation))


def save_field_chain(path: str | Path, chain: FieldChain, run: FieldRun, provenance: Mapping[str, str]) -> None:
    """Write a chain of the field level with its state, from which it can go on.

    Parameters
    ----------
    path
        File to make.
    chain
        Chain, which may have no draws yet.
    run
        What its draws follow from: names and fiducial values of the parameters, and bands.
    provenance
        Provenance of the file.
    """
    broke_down = ~np.isfinite(chain.energy_error)
    values = chain._asdict() | {
        "energy_error": np.where(broke_down, 0, chain.energy_error),
        "broke_down": broke_down,
    }
    state = chain.state
    variables = {
        **{
            name: Variable(values[name], names, "see axes", text)
            for name, (names, text) in _OF_DRAWS.items()
            if len(chain.draws)
        },
        "halves": Variable(
            chain.halves, ("half", "x", "y", "z"), "1", "means of the white noise over halves of the draws"
        ),
        **{
            f"state_{name}": Variable(getattr(state, name), (axis,), "1", text)
            for name, (axis, text) in _OF_STATE.items()
            if len(getattr(state, name))  # no sampler but the microcanonical one has a direction
        },
        **{
            f"state_{name}": Variable(np.array(getattr(state, name)), (), "1", f"{name} of the state")
            for name in _NUMBERS
        },
        **{
            f"stretched_{name}": Variable(getattr(chain.preconditioner, name), axes, "1", text)
            for name, (axes, text) in _OF_STRETCH.items()
            if chain.preconditioner.width.size
        },
    }
    coordinates, edges = run.posterior.coordinates, run.bands.edges
    axes: dict[str, dict[str, list[Any]]] = {
        "param": {"name": list(coordinates.names), "fiducial": coordinates.centre.tolist()},
        "band": {"low": edges[:-1].tolist(), "high": edges[1:].tolist()},
    }
    save(path, variables, axes if len(chain.draws) else {}, provenance)


def load_field_chain(path: str | Path) -> FieldChain:
    """Chain of the field level from a file of `save_field_chain`.

    Parameters
    ----------
    path
        File.

    Raises
    ------
    ValueError
        If the file is damaged or of another kind.
    """
    contents = load(path)
    found = {name: each.values for name, each in contents.variables.items()}
    if "state_position" not in found:
        raise ValueError(f"{path} is no chain of the field level: give a file of the rule sample_chain")
    arrays = {name: found.get(f"state_{name}", np.zeros(0)) for name in _OF_STATE}
    numbers = {name: found[f"state_{name}"].item() for name in _NUMBERS}
    state = ChainState(**arrays, **numbers, energy_error=0.0)
    stretch = Preconditioner.none(len(state.position))
    if "stretched_curvature" in found:
        stretch = Preconditioner(*(found[f"stretched_{name}"] for name in _OF_STRETCH))
    empty = {name: np.zeros((0,) * len(axes)) for name, (axes, _) in _OF_DRAWS.items()}
    draws = {name: found.get(name, each) for name, each in empty.items()}
    draws["energy_error"] = np.where(draws.pop("broke_down").astype(bool), np.inf, draws["energy_error"])
    return FieldChain(state, stretch, **draws, halves=found["halves"])


_OF_MOCKS = {
    "truth": ("param", "see param", "true parameters"),
    "mean": ("param", "see param", "mean of the draws"),
    "sigma": ("param", "see param", "standard deviation of the draws"),
    "rank": ("param", "1", "share of the draws below the truth"),
    "known": ("band", "1", "1 minus the variance of the white noise over the draws"),
    "cross_power": ("band", "1", "power of the mean white noise with the true one"),
}


def save_mock_posteriors(
    path: str | Path, mocks: Sequence[MockPosterior], names: Sequence[str], provenance: Mapping[str, str]
) -> None:
    """Write posteriors of maps whose truth is known.

    Parameters
    ----------
    path
        File to make.
    mocks
        Posteriors, one or more.
    names
        Parameters.
    provenance
        Provenance of the file.
    """
    variables = {
        name: Variable(np.array([getattr(each, name) for each in mocks]), ("mock", axis), unit, text)
        for name, (axis, unit, text) in _OF_MOCKS.items()
    }
    save(path, variables, {"param": {"name": list(names)}}, provenance)


def load_mock_posteriors(path: str | Path) -> list[MockPosterior]:
    """Posteriors of maps whose truth is known, from a file of `save_mock_posteriors`.

    Parameters
    ----------
    path
        File.

    Raises
    ------
    ValueError
        If the file is damaged or of another kind.
    """
    variables = load(path, list(_OF_MOCKS)).variables
    return [MockPosterior(*rows) for rows in zip(*(variables[name].values for name in _OF_MOCKS), strict=True)]
