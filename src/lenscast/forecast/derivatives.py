"""Jacobians of summaries: forward-mode derivatives, samples over boxes, check against finite differences.

A Jacobian has axes [param bin], in units of the summary per unit of the parameter. Maps of one box are
averaged before any error is taken. Noise realisations are the business of the statistic, which may average
over them itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int

from lenscast.forecast.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.forecast.names import positions, require_unique


class SummaryAndJacobian(NamedTuple):
    """A data vector and its derivatives along the parameters."""

    summary: Float[Array, " bin"]
    jacobian: Float[Array, "param bin"]


def summary_and_jacobian(
    function: Callable[[Float[Array, "source y x"]], Float[Array, " bin"]],
    kappa: Float[Array, "source y x"],
    tangents: Float[Array, "param source y x"],
) -> SummaryAndJacobian:
    """Summary of a map and its derivatives, by one forward-mode product per tangent.

    The cost is that of P tangents, however long the summary is; the summary itself is computed once. Pure:
    jit it with `function` static or closed over.

    Parameters
    ----------
    function : differentiable statistic.
    kappa : convergence.
    tangents : dkappa/dtheta, of the same dtype as `kappa`.

    Raises
    ------
    ValueError : if the tangents do not fit the map, or the summary is an integer or not one-dimensional.
    """
    if tangents.shape[1:] != kappa.shape or tangents.dtype != kappa.dtype:
        raise ValueError(
            f"tangents {tangents.dtype}{list(tangents.shape)} do not fit kappa "
            f"{kappa.dtype}{list(kappa.shape)}: they need one leading axis (param) and otherwise "
            "the map's shape and dtype"
        )
    summary = jax.eval_shape(function, kappa)
    if not jnp.issubdtype(summary.dtype, jnp.floating) or summary.ndim != 1:
        raise ValueError(
            f"the summary is {summary.dtype}{list(summary.shape)}, which has no Jacobian: return a vector "
            "of floats; for hard counts use their conditional expectation"
        )
    values, jacobian = jax.vmap(lambda tangent: jax.jvp(function, (kappa,), (tangent,)), out_axes=(None, 0))(tangents)
    return SummaryAndJacobian(values, jacobian)


@dataclass(frozen=True)
class DerivativeSample:
    """Jacobians of independent boxes.

    Parameters
    ----------
    parameters : name of each parameter.
    data : name of each element of the data vector.
    box : seed of each box, ascending.
    jacobian : mean over the maps of each box [summary per parameter].

    Raises
    ------
    ValueError : for names that repeat or do not fit the shape, and for non-finite values, naming them.
    """

    parameters: tuple[str, ...]
    data: tuple[str, ...]
    box: Int[np.ndarray, " box"]
    jacobian: Float[np.ndarray, "box param bin"]

    def __post_init__(self) -> None:
        require_unique(self.parameters, "parameter")
        require_unique(self.data, "data element")
        expected = (len(self.box), len(self.parameters), len(self.data))
        if self.jacobian.shape != expected:
            raise ValueError(f"Jacobian of shape {self.jacobian.shape}, but {expected} [box param bin] are named")
        bad = np.argwhere(~np.isfinite(self.jacobian))
        if len(bad):
            box, parameter, element = bad[0]
            raise ValueError(
                f"d {self.data[element]} / d {self.parameters[parameter]} is {self.jacobian[tuple(bad[0])]} "
                f"in box {self.box[box]}: run its batch again"
            )

    @classmethod
    def from_maps(
        cls,
        jacobian: Float[np.ndarray, "map param bin"],
        box: Int[np.ndarray, " map"],
        parameters: Sequence[str],
        data: Sequence[str],
    ) -> "DerivativeSample":
        """Average the Jacobians of maps over the maps of each box.

        Raises
        ------
        ValueError : if the boxes have different numbers of maps, or as the class does.
        """
        boxes = box_means(jacobian, box)
        return cls(tuple(parameters), tuple(data), boxes.box, boxes.mean)

    @classmethod
    def join(cls, samples: Sequence["DerivativeSample"]) -> "DerivativeSample":
        """One sample whose data vector is that of all `samples`, which were measured in the same boxes.

        Raises
        ------
        ValueError : if boxes or parameters differ, or a data element stands in two samples.
        """
        first = samples[0]
        for other in samples[1:]:
            if other.parameters != first.parameters or not np.array_equal(other.box, first.box):
                raise ValueError(
                    f"cannot join Jacobians of {first.data[0]} by {first.parameters} in {len(first.box)} "
                    f"boxes and of {other.data[0]} by {other.parameters} in {len(other.box)} boxes: "
                    "measure both by the same parameters in the same boxes"
                )
        data = tuple(name for sample in samples for name in sample.data)
        return cls(first.parameters, data, first.box, np.concatenate([s.jacobian for s in samples], axis=-1))

    def select(self, parameters: Sequence[str] | None = None, data: Sequence[str] | None = None) -> "DerivativeSample":
        """The named parameters and data, in the order given; None keeps all.

        Raises
        ------
        ValueError : for an unknown name.
        """
        parameters = self.parameters if parameters is None else tuple(parameters)
        data = self.data if data is None else tuple(data)
        rows = positions(parameters, self.parameters, "parameter")
        columns = positions(data, self.data, "data element")
        return DerivativeSample(parameters, data, self.box, self.jacobian[:, rows[:, None], columns])

    def in_boxes(self, box: Int[np.ndarray, " box"]) -> "DerivativeSample":
        """The boxes with the given seeds, ascending.

        Raises
        ------
        ValueError : if one of them is not in the sample.
        """
        missing = np.setdiff1d(box, self.box)
        if len(missing):
            raise ValueError(f"no Jacobian of box {missing[0]}: there are boxes {self.box.min()} to {self.box.max()}")
        kept = np.isin(self.box, box)
        return DerivativeSample(self.parameters, self.data, self.box[kept], self.jacobian[kept])

    @property
    def mean(self) -> Float[np.ndarray, "param bin"]:
        """Mean over boxes."""
        return self.jacobian.mean(axis=0)

    @property
    def standard_error(self) -> Float[np.ndarray, "param bin"]:
        """Jackknife error of the mean over boxes."""
        return jackknife_error(leave_one_out_means(self.jacobian))


def central_difference(
    plus: Float[np.ndarray, "map bin"], minus: Float[np.ndarray, "map bin"], step: float
) -> Float[np.ndarray, "map bin"]:
    """(plus - minus) / (2 step): derivative of each map's summary by one parameter.

    Parameters
    ----------
    plus, minus : summaries at theta + step and theta - step, of the same seeds in the same order.
    step : in units of the parameter.

    Raises
    ------
    ValueError : for different shapes or a step that is not positive.
    """
    if plus.shape != minus.shape or not step > 0:
        raise ValueError(
            f"central difference of {plus.shape} and {minus.shape} maps with step {step}: "
            "both sides need the same maps and bins, and the step must be positive"
        )
    return (plus.astype(np.float64) - minus) / (2 * step)


def comparison_table(autodiff: DerivativeSample, difference: DerivativeSample) -> pd.DataFrame:
    """Compare Jacobians with finite differences, box by box.

    Both come from the same seeds, so that the deviation is taken within each box and its error from the
    scatter of the deviations; this removes the sample variance that both share.

    Parameters
    ----------
    autodiff : Jacobians; may hold more parameters, data and boxes than `difference`.
    difference : finite differences.

    Returns
    -------
    table : a row per parameter and data element, and a row ``total`` for the sum over the data vector: means,
        jackknife errors, ``deviation`` = autodiff - difference with its error, ``relative`` = deviation over
        difference, and z. Where no box deviates at all z is 0; where all deviate by one amount it is
        infinite.

    Raises
    ------
    ValueError : if `difference` has names or boxes that `autodiff` lacks, or fewer than 2 boxes.
    """
    paired = autodiff.select(difference.parameters, difference.data).in_boxes(difference.box)
    columns: dict[str, np.ndarray] = {}
    for name, jacobian in (
        ("autodiff", paired.jacobian),
        ("difference", difference.jacobian),
        ("deviation", paired.jacobian - difference.jacobian),
    ):
        with_total = np.concatenate([jacobian, jacobian.sum(axis=-1, keepdims=True)], axis=-1)
        columns[name] = with_total.mean(axis=0)
        columns[f"{name}_error"] = jackknife_error(leave_one_out_means(with_total))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns["relative"] = columns["deviation"] / columns["difference"]
        z = columns["deviation"] / columns["deviation_error"]
    columns["z"] = np.where(columns["deviation"] == 0, 0.0, z)
    labels = pd.MultiIndex.from_product([paired.parameters, (*paired.data, "total")], names=["parameter", "data"])
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=labels).reset_index()
    return table.assign(boxes=len(difference.box))


def comparison_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Agreement of autodiff with differences, one row per parameter of a `comparison_table`.

    ``chi2_per_bin`` is the mean of z^2 over the data vector. z follows Student's t with N - 1 degrees of
    freedom for N boxes, so that agreement means ``expected`` = (N - 1)/(N - 3), which exists for N > 3.
    """
    rows = []
    for parameter, group in table.groupby("parameter", sort=False):
        bins, total = group[group["data"] != "total"], group[group["data"] == "total"].iloc[0]
        boxes = int(total["boxes"])
        rows.append(
            {
                "parameter": parameter,
                "boxes": boxes,
                "bins": len(bins),
                "chi2_per_bin": float((bins["z"] ** 2).mean()),
                "expected": (boxes - 1) / (boxes - 3) if boxes > 3 else float("nan"),
                "largest_z": float(bins["z"].abs().max()),
                "largest_relative": float(bins["relative"].abs().max()),
                "total_autodiff": total["autodiff"],
                "total_difference": total["difference"],
                "total_z": total["z"],
            }
        )
    return pd.DataFrame(rows)
