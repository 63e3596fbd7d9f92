"""Jacobians from automatic differentiation compared with finite differences of the same seeds.

Both sides have the same boxes: deviations are computed box by box, where the sample variance of the boxes cancels.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.fisher.boxes import jackknife_error, leave_one_out_means
from lenscast.fisher.derivatives import DerivativeSample


def central_difference(
    plus: Float[np.ndarray, "map bin"], minus: Float[np.ndarray, "map bin"], step: float
) -> Float[np.ndarray, "map bin"]:
    """Derivative of each map's summary with respect to one parameter, (plus - minus) / (2 step).

    Parameters
    ----------
    plus, minus
        Summaries at theta + step and theta - step, of the same seeds in the same order.
    step
        Step of the parameter, in its unit.

    Raises
    ------
    ValueError
        If the shapes differ or the step is not positive.
    """
    if plus.shape != minus.shape or not step > 0:
        raise ValueError(
            f"central difference of {plus.shape} and {minus.shape} maps with step {step}: "
            "both sides need the same maps and bins, and the step must be positive"
        )
    return (plus.astype(np.float64) - minus) / (2 * step)


def derivative_comparison(autodiff: DerivativeSample, difference: DerivativeSample) -> pd.DataFrame:
    """Compare Jacobians with finite differences, box by box.

    Parameters
    ----------
    autodiff
        Jacobians; may hold more parameters, data and boxes than `difference`.
    difference
        Finite differences of the same seeds.

    Returns
    -------
    table
        One row per parameter and data element, and a row ``total`` for the sum over the data vector: means, jackknife
        errors, ``deviation`` = autodiff - difference with its error from the scatter of the deviations, ``relative`` =
        deviation over difference, and ``z`` = deviation over its error. Where no box deviates at all z is 0; where all
        deviate by the same amount it is infinite.

    Raises
    ------
    ValueError
        If `difference` has names or boxes that `autodiff` lacks, or fewer than 2 boxes.
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
    # 0 / 0 in z is agreement, not an unknown: it is set to 0 below
    with np.errstate(divide="ignore", invalid="ignore"):
        columns["relative"] = columns["deviation"] / columns["difference"]
        z = columns["deviation"] / columns["deviation_error"]
    columns["z"] = np.where(columns["deviation"] == 0, 0.0, z)
    labels = pd.MultiIndex.from_product([paired.parameters, (*paired.data, "total")], names=["parameter", "data"])
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=labels).reset_index()
    return table.assign(boxes=len(difference.box))


def derivative_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise the agreement of autodiff with finite differences, one row per parameter.

    Returns
    -------
    summary
        ``chi2_per_bin`` is the mean of z^2 over the data vector. z follows Student's t with N - 1 degrees of freedom
        for N boxes, so that agreement means ``expected`` = (N - 1)/(N - 3), which exists for N > 3. ``largest_z`` and
        ``largest_relative`` are over the data vector, the ``total`` columns of its sum.
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
