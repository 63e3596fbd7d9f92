"""Chains of the field level from the settings that rules pass to their scripts: posterior, samplers, checkpoints."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lenscast import io
from lenscast.experiment import Experiment
from lenscast.fisher.estimators import HEADLINE
from lenscast.fisher.matrices import FisherMatrix
from lenscast.inference import HMC, MCLMC, Bands, FieldChain, FieldPosterior, Sampler


def posterior(path: str, made_by: Mapping[str, Any], described: Experiment) -> FieldPosterior:
    """Posterior whose coordinates follow from the file of a forecast."""
    contents = io.load(path, [HEADLINE])
    io.require_made_by(made_by, path, contents)
    parameters = contents.coordinates["param"]
    names, fiducial = tuple(parameters["name"]), parameters["fiducial"].to_numpy()
    forecast = FisherMatrix(names, fiducial, contents.variables[HEADLINE].values)
    return FieldPosterior.of_forecast(forecast, described, io.correction_of(described.simulation))


def bands(described: Experiment) -> Bands:
    """Bands of wavenumber of the initial field."""
    return Bands(described.simulation.particles, described.simulation.box_size)


def sampler(described: Experiment) -> Sampler:
    """What makes transitions."""
    return {"mclmc": MCLMC, "hmc": HMC}[described.field_level.sampler](described.field_level.warmup)


def axes(given: FieldPosterior, of_modes: Bands) -> dict[str, dict[str, list[Any]]]:
    """Coordinates of the file of a chain."""
    names, fiducial = list(given.coordinates.names), given.coordinates.centre.tolist()
    band = {"low": of_modes.edges[:-1].tolist(), "high": of_modes.edges[1:].tolist()}
    return {"param": {"name": names, "fiducial": fiducial}, "band": band}


def fingerprint(settings: Mapping[str, Any], forecast: str) -> str:
    """Hash of all that the draws of a chain depend on."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(Path(forecast).read_bytes())
    return digest.hexdigest()


def resumed(path: Path, identity: str) -> FieldChain | None:
    """The chain that was kept with this identity; None without one."""
    if not path.exists() or io.load(path, []).provenance.get("identity") != identity:
        return None
    return io.load_field_chain(path)
