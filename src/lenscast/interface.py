"""The five steps for a notebook, without the workflow: from an experiment to maps, data vectors and forecasts.

Arrays that go in and come out are NumPy's, with a leading axis of boxes. The functions compute in double precision
where the pipeline needs it, whatever JAX is set to, and leave JAX's settings alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float32, Int

from lenscast import pipeline
from lenscast.batches import each_box
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.experiment import Experiment, read
from lenscast.fisher.arrays import Arrays, Setting, forecast_arrays
from lenscast.fisher.boxes import box_means
from lenscast.fisher.data_vector import Forecast
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.halo import beyond_halo
from lenscast.io import correction_of, load_arrays, load_forecast
from lenscast.measurement import MapAndTangents, calibrated, expected_and_jacobian, joined, mean_over_views
from lenscast.numerics.precision import in_double_precision

__all__ = [
    "Arrays",
    "Maps",
    "Setting",
    "Tangents",
    "forecast",
    "jacobians",
    "load_arrays",
    "load_forecast",
    "maps",
    "measure",
    "measure_tangents",
    "read",
    "summaries",
    "tangents",
]


class Maps(NamedTuple):
    """Noise-free convergence maps of boxes.

    Attributes
    ----------
    kappa
        Convergence of each source.
    seeds
        Seed of each box.
    """

    kappa: Float32[np.ndarray, "box map source y x"]
    seeds: Int[np.ndarray, " box"]


class Tangents(NamedTuple):
    """Maps with their derivatives.

    Attributes
    ----------
    kappa, seeds
        As for `Maps`.
    tangents
        Derivatives with respect to the parameters of the experiment that all sources share, in their order.
    shifts
        Derivative of each source's map with respect to its own ``delta_z``; None where that is not a parameter.
    """

    kappa: Float32[np.ndarray, "box map source y x"]
    seeds: Int[np.ndarray, " box"]
    tangents: Float32[np.ndarray, "box map param source y x"]
    shifts: Float32[np.ndarray, "box map source y x"] | None


def _boxes(step: Callable[..., Any], experiment: Experiment, seeds: Sequence[int]) -> list[Any]:
    """What a step of the pipeline makes of each seed at the fiducial parameters."""
    correction, theta = correction_of(experiment.simulation), pipeline.fiducial(experiment)
    devices = experiment.distribution.devices
    boxes = each_box(lambda *box: step(*box, experiment, correction), [*map(int, seeds)], theta, devices=devices)
    made = []
    for seed, box in zip(seeds, boxes, strict=True):
        made.append(jax.device_get(box))
        if devices > 1 and not all(np.isfinite(array).all() for array in jax.tree.leaves(made[-1])):
            raise ValueError(f"seed {seed}: {beyond_halo(int(seed), theta.cosmology, experiment)}")
    return made


@in_double_precision
def maps(experiment: Experiment, seeds: Sequence[int]) -> Maps:
    """Convergence maps of some boxes at the fiducial parameters: steps 1 and 2 of the pipeline.

    Parameters
    ----------
    experiment
        From `read`.
    seeds
        Seed of each box.
    """
    return Maps(np.stack(_boxes(pipeline.maps, experiment, seeds)), np.array(seeds))


@in_double_precision
def tangents(experiment: Experiment, seeds: Sequence[int]) -> Tangents:
    """Maps of some boxes with their derivatives with respect to the parameters of the experiment: step 3.

    Parameters
    ----------
    experiment
        From `read`.
    seeds
        Seed of each box.
    """
    made = _boxes(pipeline.tangents, experiment, seeds)
    shifts = None if made[0].shifts is None else np.stack([each.shifts for each in made])
    kappa, dots = (np.stack([getattr(each, name) for each in made]) for name in ("kappa", "tangents"))
    return Tangents(kappa, np.array(seeds), dots, shifts)


@in_double_precision
def measure(given: Maps | Tangents, experiment: Experiment) -> SummarySample:
    """Data vectors of noisy maps, for the covariance: step 4 without tangents.

    Parameters
    ----------
    given
        From `maps`.
    experiment
        Its statistics are measured through its shape noise.
    """
    m = pipeline.fiducial(experiment).systematics.m
    of_map = jax.jit(lambda kappa, seed, number: pipeline.summarise(calibrated(kappa, m), seed, number, experiment))
    measured = [
        np.asarray(of_map(kappa, int(seed), number).measured)
        for seed, box in zip(given.seeds, given.kappa, strict=True)
        for number, kappa in enumerate(box)
    ]
    return SummarySample(np.stack(measured), np.repeat(given.seeds, given.kappa.shape[1]), bin_table(experiment))


@in_double_precision
def measure_tangents(given: Tangents, experiment: Experiment) -> Jacobians:
    """Expected data vectors of boxes and their Jacobians: step 4.

    Parameters
    ----------
    given
        From `tangents`.
    experiment
        Its statistics are measured, averaged over ``derivatives.noise_realisations`` draws of the shape noise.
    """
    draws = experiment.derivatives.noise_realisations
    of_map: Any = jax.jit(
        lambda each: joined(expected_and_jacobian(each, experiment, draws=draws), experiment.statistics)
    )
    derived = []
    for box, seed in enumerate(given.seeds):
        for number, kappa in enumerate(given.kappa[box]):
            shifts = None if given.shifts is None else given.shifts[box, number]
            derived.append(of_map(MapAndTangents(kappa, given.tangents[box, number], shifts, int(seed), number)))
    labels = np.repeat(given.seeds, given.kappa.shape[1])
    expected, jacobian = (box_means(np.stack(column), labels) for column in zip(*derived, strict=True))
    names = jacobian_parameters(experiment)
    return Jacobians(jacobian.mean, expected.mean, jacobian.box, names, bin_table(experiment))


@in_double_precision
def summaries(experiment: Experiment, seeds: Sequence[int]) -> SummarySample:
    """Data vectors of noisy maps of some boxes, and their means over views and noise: steps 1, 2 and 4.

    The means control the Jacobians of a forecast (`fisher.control`), which those of `measure` cannot.

    Parameters
    ----------
    experiment
        From `read`.
    seeds
        Seed of each box.
    """
    seeds, m = sorted(map(int, seeds)), pipeline.fiducial(experiment).systematics.m
    of_map = jax.jit(lambda kappa, seed, number: pipeline.summarise(calibrated(kappa, m), seed, number, experiment))
    averaged = jax.jit(lambda of_maps, correlation: mean_over_views(of_maps, correlation, m, experiment))
    measured, means = [], []
    for seed, (kappa, correlation) in zip(
        seeds, _boxes(pipeline.maps_and_correlations, experiment, seeds), strict=True
    ):
        of_maps = [of_map(each, seed, number) for number, each in enumerate(kappa)]
        measured += [np.asarray(each.measured) for each in of_maps]
        means.append(np.asarray(averaged(np.stack([each.expected for each in of_maps]), correlation)))
    box = np.repeat(seeds, experiment.lightcone.realisations_per_box)
    return SummarySample(np.stack(measured), box, bin_table(experiment), np.stack(means))


@in_double_precision
def jacobians(experiment: Experiment, seeds: Sequence[int]) -> Jacobians:
    """Mean data vectors of boxes and their Jacobians, averaged over views and shape noise: steps 1, 3 and 4.

    Spectra are averaged over all views of a box exactly, other statistics over ``derivatives.views`` of them, so that
    the result has less noise than that of `measure_tangents`.

    Parameters
    ----------
    experiment
        From `read`.
    seeds
        Seed of each box.
    """

    def step(seed: Any, theta: pipeline.Theta, experiment: Experiment, correction: Any) -> Any:
        planes = pipeline.planes_and_tangents(seed, theta.cosmology, experiment, correction)
        return pipeline.measure(planes, seed, theta, experiment)

    seeds = sorted(seeds)
    expected, jacobian = (np.stack(column) for column in zip(*_boxes(step, experiment, seeds), strict=True))
    return Jacobians(jacobian, expected, np.array(seeds), jacobian_parameters(experiment), bin_table(experiment))


@in_double_precision
def forecast(
    summaries: SummarySample | np.ndarray, jacobians: Jacobians | np.ndarray, experiment: Experiment | Setting
) -> dict[str, Forecast]:
    """Fisher forecasts of all data vectors by name: step 5, of an experiment, or of arrays that any code made.

    Parameters
    ----------
    summaries
        From `summaries` or `measure`, of enough boxes for the covariance; or realisations x data.
    jacobians
        From `jacobians` or `measure_tangents`; or boxes x parameters x data.
    experiment
        Data vectors, parameters, priors and survey area; for arrays a `Setting`.

    Raises
    ------
    TypeError
        For arrays with an experiment, which does not say what is in them.
    ValueError
        As `fisher.data_vector.data_vector_forecast` and `fisher.arrays.forecast_arrays`.
    """
    if isinstance(experiment, Setting):
        return forecast_arrays(np.asarray(summaries), np.asarray(jacobians), experiment)
    if isinstance(summaries, np.ndarray) or isinstance(jacobians, np.ndarray):
        raise TypeError(
            "arrays are given with an experiment; give lenscast.Setting(parameters=..., fiducial=...) with them"
        )
    return pipeline.forecast(summaries, jacobians, experiment)
