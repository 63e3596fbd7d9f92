"""Forecasts of arrays: realisations of data vectors and Jacobians that any code made.

Arrays say nothing of themselves. A `Setting` names what is in them, and everything is checked before it is used: axes,
finite numbers, names, and that there are more realisations than data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lenscast.fisher.data_vector import Forecast, ParameterSpace, data_vector_forecast
from lenscast.fisher.names import positions, require_unique
from lenscast.fisher.samples import Jacobians, SummarySample

ALL = "combined"
"""Name of the data vector of all statistics."""


@dataclass(frozen=True)
class Setting:
    """What arrays do not say.

    Attributes
    ----------
    parameters
        Names in the order of the Jacobian.
    fiducial
        Value of each parameter, and possibly of others (``Omega_b``, for S8).
    priors
        Standard deviation of the Gaussian prior of each parameter that has one.
    area_ratio
        Area of the survey over the area of a realisation.
    data
        Name of each datum; numbers by default.
    statistics
        Statistic of each datum, each of which is a data vector; one for all by default.
    summary_box
        Label of the box of each realisation, where several share one; each its own by default.
    box
        Label of the box of each Jacobian.
    """

    parameters: Sequence[str]
    fiducial: Mapping[str, float]
    priors: Mapping[str, float] = field(default_factory=dict)
    area_ratio: float = 1.0
    data: Sequence[str] | None = None
    statistics: Sequence[str] | None = None
    summary_box: Sequence[Any] | np.ndarray | None = None
    box: Sequence[Any] | np.ndarray | None = None


class Arrays(NamedTuple):
    """Arrays of a forecast, and what they are.

    Attributes
    ----------
    summaries
        Realisations of the data vector, realisations x data.
    jacobians
        Derivatives of its mean with respect to the parameters, boxes x parameters x data.
    setting
        What is in them.
    """

    summaries: np.ndarray
    jacobians: np.ndarray
    setting: Setting


def forecast_arrays(summaries: np.ndarray, jacobians: np.ndarray, setting: Setting) -> dict[str, Forecast]:
    """Fisher forecasts of arrays: of each statistic, and of all of them (`ALL`).

    Parameters
    ----------
    summaries
        Realisations of the data vector, realisations x data.
    jacobians
        Derivatives of its mean with respect to the parameters, boxes x parameters x data, from independent boxes.
    setting
        What is in them.

    Raises
    ------
    ValueError
        For wrong axes, numbers that are not finite, names that do not fit, or too few realisations or boxes.
    """
    summaries, jacobians = np.asarray(summaries, float), np.asarray(jacobians, float)
    parameters = tuple(map(str, setting.parameters))
    _require_axes(summaries, jacobians, parameters)
    count, length = summaries.shape
    names = [f"datum {number}" for number in range(length)] if setting.data is None else list(map(str, setting.data))
    statistics = ["data"] * length if setting.statistics is None else list(map(str, setting.statistics))
    summary_box = np.arange(count) if setting.summary_box is None else np.asarray(setting.summary_box)
    box = np.arange(len(jacobians)) if setting.box is None else np.asarray(setting.box)
    for given, labels, size, what in (
        ("data", names, length, "data"),
        ("statistics", statistics, length, "data"),
        ("summary_box", summary_box, count, "realisations"),
        ("box", box, len(jacobians), "Jacobians"),
    ):
        if len(labels) != size:
            raise ValueError(f"{given}: {len(labels)} given for {size} {what}; give one for each, in their order")
    require_unique(names, "datum")
    require_unique(list(map(str, box)), "box")
    _require_finite("summaries", summaries, ("realisation", "datum"), names)
    _require_finite("jacobians", jacobians, ("box", "parameter", "datum"), names)
    space = _space(setting, parameters)
    if count < length + 3:
        raise ValueError(
            f"summaries: {count} realisations of {length} data; a covariance needs {length + 3} or more (d + 3): give "
            "more realisations or fewer data"
        )
    if len(jacobians) < 2:
        raise ValueError(
            "jacobians: 1 box; the noise of the Jacobian comes from the scatter between boxes: give 2 or more, 8 for "
            "intervals"
        )
    bins = pd.DataFrame({"statistic": statistics, "name": names})
    order = np.argsort(box, kind="stable")
    unknown = np.full((len(box), length), np.nan)
    derived = Jacobians(jacobians[order], unknown, box[order], parameters, bins)
    sample = SummarySample(summaries, summary_box, bins)
    vectors = {name: [name] for name in dict.fromkeys(statistics)}
    if len(vectors) > 1:
        vectors[ALL] = list(vectors)
    ratio = setting.area_ratio
    return {name: data_vector_forecast(sample, derived, each, space, ratio) for name, each in vectors.items()}


def central_differences(plus: np.ndarray, minus: np.ndarray, step: Sequence[float] | np.ndarray) -> np.ndarray:
    """Jacobians of boxes from data vectors on both sides of the fiducial values, of the same seeds.

    Parameters
    ----------
    plus, minus
        Data vectors with one parameter at its fiducial value plus or minus its step, boxes x parameters x data.
    step
        Step of each parameter, half of the distance between the two.

    Returns
    -------
    Jacobians, boxes x parameters x data.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a step is not positive.
    """
    plus, minus, steps = np.asarray(plus, float), np.asarray(minus, float), np.asarray(step, float)
    if plus.ndim != 3 or plus.shape != minus.shape:
        raise ValueError(
            f"plus and minus: shapes {plus.shape} and {minus.shape}; give boxes x parameters x data, of the same seeds"
        )
    if steps.shape != plus.shape[1:2] or not np.all(steps > 0):
        raise ValueError(f"step: {steps.tolist()} for {plus.shape[1]} parameters; give one positive number for each")
    return (plus - minus) / (2 * steps[:, None])


def _require_axes(summaries: np.ndarray, jacobians: np.ndarray, parameters: tuple[str, ...]) -> None:
    """Refuse arrays whose axes are others, or in another order."""
    if summaries.ndim != 2:
        raise ValueError(f"summaries: shape {summaries.shape}; give two axes, realisations x data")
    length, wanted = summaries.shape[1], f"boxes x {len(parameters)} parameters x {summaries.shape[1]} data"
    if jacobians.ndim != 3 or jacobians.shape[1:] != (len(parameters), length):
        remedy = f"give {wanted}"
        if jacobians.ndim == 3 and jacobians.shape[1:] == (length, len(parameters)):
            remedy = f"its last two axes are exchanged: give {wanted}"
        elif jacobians.ndim == 3 and jacobians.shape[2] == summaries.shape[0]:
            remedy = "the axes of summaries are exchanged: give realisations x data"
        raise ValueError(f"jacobians: shape {jacobians.shape} with summaries of shape {summaries.shape}; {remedy}")


def _require_finite(name: str, values: np.ndarray, axes: tuple[str, ...], data: Sequence[str]) -> None:
    """Refuse NaN and infinity."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        *others, last = (int(index) for index in bad[0])
        where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, others, strict=False))
        raise ValueError(
            f"{name}: {values[tuple(bad[0])]} at {where}, datum '{data[last]}' ({len(bad)} of {values.size} numbers "
            f"are not finite); leave that {axes[0]} out"
        )


def _space(setting: Setting, parameters: tuple[str, ...]) -> ParameterSpace:
    """Parameters with their values and priors."""
    require_unique(parameters, "parameter")
    fiducial = {name: float(value) for name, value in setting.fiducial.items()}
    positions(parameters, list(fiducial), "parameter with a fiducial value")
    priors = {name: float(width) for name, width in setting.priors.items()}
    positions(list(priors), parameters, "parameter with a prior")
    if bad := {name: value for name, value in fiducial.items() if not np.isfinite(value)}:
        raise ValueError(f"fiducial: {bad}; give finite numbers")
    if bad := {name: width for name, width in priors.items() if not 0 < width < np.inf}:
        raise ValueError(f"priors: {bad}; give positive standard deviations, and leave out parameters without a prior")
    return ParameterSpace(parameters, (), fiducial, priors)
