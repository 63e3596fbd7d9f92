"""Finite differences, and their comparison with Jacobians from the same seeds.

Both sides see the same boxes, so deviations are taken box by box, where their sample variance cancels.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.forecast.boxes import jackknife_error, leave_one_out_means
from lenscast.forecast.derivatives import DerivativeSample


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
