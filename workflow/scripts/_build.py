"""Objects of the package from the settings that rules pass to their scripts; imported after `_job.start`."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from pydantic import TypeAdapter

from lenscast import io
from lenscast.config.simulation import PARAMETERS, LightconeConfig, SimulationConfig
from lenscast.config.survey import SourcesConfig
from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity import Correction, ParticleMesh, Particles
from lenscast.gravity.reference import Reference
from lenscast.lensing import AlignmentModel, Sources, Systematics, shape_noise_rms
from lenscast.simulate import Simulation
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.statistic import Statistic


class Observed(NamedTuple):
    """Data vector of each map, the seed of its box, and the bins."""

    values: Float[np.ndarray, "map bin"]
    box: Int[np.ndarray, " map"]
    bins: pd.DataFrame


def sources(settings: Mapping[str, Any]) -> Sources:
    """Redshifts of the sources."""
    return Sources.from_config(TypeAdapter(SourcesConfig).validate_python(settings))


def simulation(settings: Mapping[str, Any]) -> Simulation:
    """What `simulate` and `differentiate` run; a `noise_size` in the settings makes different resolutions one box."""
    sections = SimulationConfig(**settings["simulation"]), LightconeConfig(**settings["lightcone"])
    made = Simulation.from_config(*sections, sources(settings["sources"]), AlignmentModel(**settings["alignment"]))
    return replace(made, noise_size=settings.get("noise_size"))


def parameters(settings: Mapping[str, Any]) -> tuple[Parameters, Systematics]:
    """Cosmological and nuisance parameters of a simulation."""
    number = len(simulation(settings).sources)
    return Parameters.from_config(settings["cosmology"]), Systematics.from_values(settings["systematics"], number)


def correction(settings: Mapping[str, Any]) -> Correction | None:
    """The correction of small scales that `simulation` runs with; the log warns where it was not trained."""
    section = settings["simulation"]["correction"]
    if section["kind"] == "none":
        return None
    trained = io.load_correction(section["weights"], section["kind"])
    io.warn_of_mismatch(trained.card, simulation(settings).mesh, section["weights"])
    return trained.correction


def reference(path: str | Path, weight: float = 1.0) -> Reference:
    """A simulation to be reproduced, from the file that the rule `reference` made, and its weight in a training."""
    contents = io.load(path)
    arrays = {name: jnp.asarray(variable.values) for name, variable in contents.variables.items()}
    row = contents.coordinates["simulation"].iloc[0]
    return Reference(
        start=Particles(arrays["displacement"], arrays["momentum"]),
        position=arrays["position"],
        a=arrays["a"],
        cosmology=jax.jit(cosmology)(Parameters.from_config({name: row[name] for name in PARAMETERS})),
        mesh=ParticleMesh(float(row["box_size"]), int(row["particles"]), int(row["mesh_factor"]), row["gradient"]),
        weight=weight,
    )


class Batch:
    """Appends boxes to a file that `batch` opened."""

    def __init__(self, file: io.Writer) -> None:
        self._file, self.boxes = file, 0

    def append(self, seed: int, variables: Mapping[str, io.Variable]) -> None:
        """Add the maps of a box; a box that is not finite is left out, and the log says why."""
        number = len(next(iter(variables.values())).values)
        try:
            self._file.append(variables, {"map": {"seed": number * [seed], "realisation": range(number)}})
            self.boxes += 1
        except io.NotFiniteError as error:
            logging.getLogger("lenscast").error("seed %d is left out of the file: %s", seed, error)


@contextmanager
def batch(path: str | Path, coordinates: Mapping[str, io.Columns], provenance: Mapping[str, str]) -> Iterator[Batch]:
    """Write the file of a batch box by box.

    Raises
    ------
    ValueError : if none of the boxes is finite.
    """
    with io.writer(path, coordinates, provenance) as file:
        boxes = Batch(file)
        yield boxes
        if not boxes.boxes:
            raise ValueError(
                f"{path}: no box of seeds {provenance['seeds']} is finite (see above); if other batches are, go on "
                "without these by naming them in left_out_seeds; if not, look at cosmology and simulation.integrator"
            )


def asked(provenance: Mapping[str, str]) -> list[int]:
    """Seeds that a file was made for, with those that it left out."""
    return json.loads(provenance["seeds"])


def gathered(
    paths: Sequence[str],
    seeds: Mapping[str, Sequence[int]],
    settings: Mapping[str, Mapping[str, Any]],
    names: Sequence[str] | None = None,
) -> Iterator[io.Contents]:
    """What the files of some batches hold of these seeds, one after another; all files are checked first.

    Parameters
    ----------
    paths : one for each batch.
    seeds : by the name of the batch.
    settings : with which the files were made, by the name of the rule.
    names : variables to read; None for all.

    Raises
    ------
    ValueError : for files that are damaged, were made for other seeds or with other settings, or lack a seed; it
        names all of them, and what to do.
    """
    problems = []
    for path in map(Path, paths):
        try:
            _require_batch(path, seeds[path.stem], settings)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join([f"{len(problems)} of {len(paths)} files cannot be used", *problems]))
    return (_chosen(io.load(path, names), seeds[Path(path).stem]) for path in paths)


def require_made_by(
    settings: Mapping[str, Mapping[str, Any]], path: str | Path, contents: io.Contents, again: str = ""
) -> None:
    """Refuse a file that was made with other settings; `again` says what to remove, if not the file."""
    if difference := io.disagreement(contents.provenance, settings):
        again = again or f"remove it (rm {path})"
        raise ValueError(f"{path}: {difference}; {again} and run the same command again")


def _require_batch(path: Path, seeds: Sequence[int], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a file that was made for other seeds or with other settings, or lacks a seed."""
    contents = io.load(path, names=[])
    again = f"remove the files of this batch (rm {path.parents[2]}/*/{path.parent.name}/{path.name})"
    require_made_by(settings, path, contents, again)
    made_for = asked(contents.provenance)
    if not {*seeds} <= {*made_for}:
        raise ValueError(f"{path}: made for seeds {made_for}, not {[*seeds]}; {again} and run the same command again")
    if lost := sorted({*seeds} - {*contents.coordinates["map"]["seed"]}):
        raise ValueError(
            f"{path}: seed {', '.join(map(str, lost))} is missing, since it was not finite (the logs of this batch say "
            f"where); to go on without it, add it to left_out_seeds; to try again, {again} and run the same command"
        )


def _chosen(contents: io.Contents, seeds: Sequence[int]) -> io.Contents:
    """The maps of these seeds."""
    index = contents.coordinates["map"]
    rows = np.flatnonzero(index["seed"].isin(seeds))
    variables = {
        name: replace(each, values=each.values[rows]) if each.axes[0] == "map" else each
        for name, each in contents.variables.items()
    }
    coordinates = {**contents.coordinates, "map": index.iloc[rows]}
    return io.Contents(variables, coordinates, contents.provenance)


def shape_noise(settings: Mapping[str, Any]) -> ShapeNoise:
    """Through which the maps are measured."""
    pixel_arcmin, depth = 60 * settings["field_deg"] / settings["pixels"], settings["depth"]
    rms = tuple(shape_noise_rms(settings["sigma_e"], n_gal, pixel_arcmin) for n_gal in settings["n_gal"])
    if depth["kind"] == "uniform":
        return ShapeNoise(rms)
    return ShapeNoise(rms, np.load(depth["file"]).astype(float), depth["max_masked"])


def measurement(settings: Mapping[str, Any]) -> tuple[Statistic, ...]:
    """What is measured on the maps."""
    noise = shape_noise(settings)
    return statistics_from_config(settings["statistics"], settings["pixels"], settings["field_deg"], noise)


def noise_alone(settings: Mapping[str, Any]) -> np.ndarray:
    """Mean data vector of shape noise without signal, to be subtracted from spectra."""
    blank = np.zeros((len(settings["n_gal"]), settings["pixels"], settings["pixels"]))
    return np.concatenate([each.expected(blank, blank) for each in measurement(settings)])


def spectra_and_counts(paths: Sequence[str], settings: Mapping[str, Any]) -> Observed:
    """What is compared of some summaries: spectra of each source without noise, and hard counts of the noisy maps."""
    contents = [io.load(path) for path in paths]
    bins = contents[0].coordinates["bin"]
    hard, mean = (
        np.concatenate([each.variables[name].values for each in contents]) for name in ("measured", "expected")
    )
    is_peak = (bins["statistic"] == "peaks").to_numpy()
    chosen = (is_peak | (bins["source_1"] == bins["source_2"])).to_numpy()
    values = np.where(is_peak, hard, mean - noise_alone(settings))
    box = np.concatenate([each.coordinates["map"]["seed"] for each in contents])
    return Observed(values[:, chosen], box, bins[chosen])
