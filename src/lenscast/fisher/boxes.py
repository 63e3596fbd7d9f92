"""Independent boxes and their errors.

Maps that share an N-body box are not independent: they are averaged over the maps of a box before anything is averaged
or resampled over boxes. A box is labelled by its seed, and every box has the same number of maps.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class BoxMeans(NamedTuple):
    """Means over the maps of each box.

    Attributes
    ----------
    box
        Seed of each box, ascending.
    mean
        Mean over its maps.
    """

    box: Int[np.ndarray, " box"]
    mean: Float[np.ndarray, "box ..."]


def box_means(values: Float[np.ndarray, "map ..."], box: Int[np.ndarray, " map"]) -> BoxMeans:
    """Average maps that share a box, in float64.

    Parameters
    ----------
    values
        Values of each map.
    box
        Seed of each map's box.

    Raises
    ------
    ValueError
        If the boxes have different numbers of maps.
    """
    labels, counts = np.unique(box, return_counts=True)
    fewest, most = int(np.argmin(counts)), int(counts.max())
    if counts[fewest] != most:
        raise ValueError(
            f"box {labels[fewest]} has {counts[fewest]} maps where others have {most}: "
            "every box must have all its realisations; run the batch that holds it again"
        )
    # the stable sort keeps the maps of a box in their order, so that sums round in the same way in every run
    ordered = values[np.argsort(box, kind="stable")].astype(np.float64)
    grouped = ordered.reshape(len(labels), most, *values.shape[1:])
    return BoxMeans(labels, grouped.mean(axis=1))


def leave_one_out_means(values: Float[np.ndarray, "box ..."]) -> Float[np.ndarray, "box ..."]:
    """Mean over all boxes but one, for each box left out.

    Parameters
    ----------
    values
        Values of each box.

    Raises
    ------
    ValueError
        If there are fewer than two boxes.
    """
    if len(values) < 2:
        raise ValueError(
            "errors from the scatter between boxes need at least 2 boxes, got 1: raise the number of boxes"
        )
    return (values.sum(axis=0) - values) / (len(values) - 1)


def jackknife_error(replicates: Float[np.ndarray, "box ..."]) -> Float[np.ndarray, "..."]:
    """Jackknife standard error of an estimate, Efron (1982, The Jackknife, the Bootstrap and Other Resampling Plans).

    Parameters
    ----------
    replicates
        The estimate with one box left out, for each box.

    Notes
    -----
    sigma^2 = (N - 1)/N sum_r (x_r - <x>)^2 (eq. 3.4), which for a mean is the scatter between boxes over sqrt(N).
    """
    count = len(replicates)
    # var() divides by N, which leaves the factor N - 1
    return np.asarray(np.sqrt((count - 1) * replicates.var(axis=0)))
