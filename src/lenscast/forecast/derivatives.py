"""Jacobians of summaries by forward-mode differentiation, and samples of them over boxes.

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
