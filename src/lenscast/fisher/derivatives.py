"""Jacobians of summaries by forward-mode differentiation, and samples of them over boxes.

A Jacobian has axes [param bin], in units of the summary per unit of the parameter. Maps of one box are averaged before
any error is computed. Realisations of shape noise are left to the statistic, which may average over them itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lenscast.fisher.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.fisher.names import positions, require_unique
from lenscast.fisher.samples import Jacobians


class SummaryAndJacobian(NamedTuple):
    """A data vector and its derivatives with respect to the parameters."""

    summary: Float[Array, " bin"]
    jacobian: Float[Array, "param bin"]


def summary_and_jacobian(
    function: Callable[[Float[Array, "source y x"]], Float[Array, " bin"]],
    kappa: Float[Array, "source y x"],
    tangents: Float[Array, "param source y x"],
) -> SummaryAndJacobian:
    """Summary of a map and its derivatives, with one forward-mode product per tangent.

    The cost is that of P tangents, whatever the length of the summary; the summary itself is computed once. The
    function is pure: jit it with `function` static or closed over.

    Parameters
    ----------
    function
        Differentiable statistic.
    kappa
        Convergence.
    tangents
        dkappa/dtheta, of the same dtype as `kappa`.

    Raises
    ------
    ValueError
        If the tangents do not fit the map, or the summary is an integer or not one-dimensional.
    """
    if tangents.shape[1:] != kappa.shape or tangents.dtype != kappa.dtype:
        raise ValueError(
            f"tangents {tangents.dtype}{list(tangents.shape)} do not fit kappa "
            f"{kappa.dtype}{list(kappa.shape)}: they need one leading axis (param) and otherwise "
            "the map's shape and dtype"
        )
    # an integer count has a tangent of dtype float0, which would come back as a Jacobian without numbers
    summary = jax.eval_shape(function, kappa)
    if not jnp.issubdtype(summary.dtype, jnp.floating) or summary.ndim != 1:
        raise ValueError(
            f"the summary is {summary.dtype}{list(summary.shape)}, which has no Jacobian: return a vector "
            "of floats; for hard counts use their conditional expectation"
        )
    # out_axes None: the summary does not depend on the tangent, so that vmap computes it once
    values, jacobian = jax.vmap(lambda tangent: jax.jvp(function, (kappa,), (tangent,)), out_axes=(None, 0))(tangents)
    return SummaryAndJacobian(values, jacobian)


@dataclass(frozen=True)
class DerivativeSample:
    """Jacobians of independent boxes.

    Parameters
    ----------
    parameters
        Name of each parameter.
    data
        Name of each element of the data vector.
    box
        Seed of each box, ascending.
    jacobian
        Mean over the maps of each box [summary per parameter].
    outside
        Further noise of the mean over boxes, as rows q: its covariance is the sum of q q^T. It comes from boxes without
        derivatives, through a control (`control.with_control`), or from coarser ones (`two_levels.two_level_mean`).

    Raises
    ------
    ValueError
        If names repeat or do not fit the shape, or values are not finite; names the first of them.
    """

    parameters: tuple[str, ...]
    data: tuple[str, ...]
    box: Int[np.ndarray, " box"]
    jacobian: Float[np.ndarray, "box param bin"]
    outside: Float[np.ndarray, "row param bin"] = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def __post_init__(self) -> None:
        require_unique(self.parameters, "parameter")
        require_unique(self.data, "data element")
        if not len(self.outside):
            object.__setattr__(self, "outside", np.zeros((0, len(self.parameters), len(self.data))))
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

        Parameters
        ----------
        jacobian
            Jacobian of each map.
        box
            Seed of each map's box.
        parameters
            Name of each parameter.
        data
            Name of each element of the data vector.

        Raises
        ------
        ValueError
            If the boxes have different numbers of maps, or as the class does.
        """
        boxes = box_means(jacobian, box)
        return cls(tuple(parameters), tuple(data), boxes.box, boxes.mean)

    @classmethod
    def of(cls, jacobians: Jacobians, parameters: Sequence[str], data: Sequence[str]) -> "DerivativeSample":
        """Jacobians of the named data with respect to the named parameters.

        Parameters
        ----------
        jacobians
            Jacobians of all data with respect to all parameters.
        parameters, data
            Names to keep.

        Raises
        ------
        ValueError
            If a name is unknown, or as the class does.
        """
        names = tuple(jacobians.bins["name"])
        return cls(jacobians.parameters, names, jacobians.box, jacobians.jacobian).select(parameters, data)

    @classmethod
    def join(cls, samples: Sequence["DerivativeSample"]) -> "DerivativeSample":
        """Join data vectors that were measured in the same boxes into one.

        Parameters
        ----------
        samples
            Jacobians of the parts of the data vector, in its order.

        Raises
        ------
        ValueError
            If boxes or parameters differ, a data element stands in two samples, or a sample is controlled.
        """
        first = samples[0]
        for other in samples[1:]:
            if other.parameters != first.parameters or not np.array_equal(other.box, first.box):
                raise ValueError(
                    f"cannot join Jacobians of {first.data[0]} with respect to {first.parameters} in {len(first.box)} "
                    f"boxes and of {other.data[0]} with respect to {other.parameters} in {len(other.box)} boxes: "
                    "measure both with respect to the same parameters in the same boxes"
                )
        data = tuple(name for sample in samples for name in sample.data)
        if any(len(sample.outside) for sample in samples):
            raise ValueError("cannot join Jacobians that are controlled: join them first, and control them together")
        return cls(first.parameters, data, first.box, np.concatenate([s.jacobian for s in samples], axis=-1))

    def select(self, parameters: Sequence[str] | None = None, data: Sequence[str] | None = None) -> "DerivativeSample":
        """Jacobians of the named data with respect to the named parameters, in the order of the names.

        Parameters
        ----------
        parameters, data
            Names to keep; None keeps all.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        parameters = self.parameters if parameters is None else tuple(parameters)
        data = self.data if data is None else tuple(data)
        rows = positions(parameters, self.parameters, "parameter")
        columns = positions(data, self.data, "data element")
        jacobian, outside = (each[:, rows[:, None], columns] for each in (self.jacobian, self.outside))
        return DerivativeSample(parameters, data, self.box, jacobian, outside)

    def in_boxes(self, box: Int[np.ndarray, " box"]) -> "DerivativeSample":
        """Jacobians of the boxes with the given seeds, ascending.

        Parameters
        ----------
        box
            Seeds of boxes.

        Raises
        ------
        ValueError
            If one of them is not in the sample.
        """
        missing = np.setdiff1d(box, self.box)
        if len(missing):
            raise ValueError(f"no Jacobian of box {missing[0]}: there are boxes {self.box.min()} to {self.box.max()}")
        rows = np.isin(self.box, box)
        return DerivativeSample(self.parameters, self.data, self.box[rows], self.jacobian[rows], self.outside)

    @property
    def mean(self) -> Float[np.ndarray, "param bin"]:
        """Mean over boxes."""
        return self.jacobian.mean(axis=0)

    @property
    def standard_error(self) -> Float[np.ndarray, "param bin"]:
        """Jackknife error of the mean over boxes, with the noise of other boxes."""
        return np.hypot(jackknife_error(leave_one_out_means(self.jacobian)), np.sqrt((self.outside**2).sum(axis=0)))
