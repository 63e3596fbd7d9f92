"""Cholesky factors of covariance and Fisher matrices, and texts for the directions that make them singular.

Matrices are scaled to unit diagonal before they are judged, since parameters and data differ by many orders of
magnitude. There is no pseudo-inverse: a singular matrix is an error that names its null direction.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import linalg


def cholesky_factor(
    matrix: Float[np.ndarray, "n n"], names: Sequence[str], subject: str, remedy: str
) -> Float[np.ndarray, "n n"]:
    """Lower-triangular L with L L^T = `matrix`.

    Parameters
    ----------
    matrix
        Symmetric matrix.
    names
        Name of each row.
    subject
        What the matrix is, for the text of an error.
    remedy
        What to change if it is singular, for the text of an error.

    Raises
    ------
    ValueError
        If the matrix is not positive definite to rounding; names the direction.
    """
    scale = np.sqrt(np.abs(np.diag(matrix)))
    empty = [name for name, value in zip(names, np.diag(matrix), strict=True) if not value > 0]
    if empty:
        raise ValueError(f"{subject} has a diagonal that is not positive for {', '.join(empty)}: {remedy}")
    eigenvalues, vectors = linalg.eigh(matrix / np.outer(scale, scale))
    # eigenvalues are good to eps times the largest one: below that, zero and negative look alike
    if eigenvalues[0] <= len(names) * np.finfo(float).eps * eigenvalues[-1]:
        raise ValueError(
            f"{subject} is not positive definite: its smallest eigenvalue, with the diagonal scaled to 1, is "
            f"{eigenvalues[0]:.1e}, along {combination(vectors[:, 0], names)} (each in its own scale): "
            f"{remedy}"
        )
    return scale[:, None] * linalg.cholesky(matrix / np.outer(scale, scale), lower=True)


def is_positive_definite(matrix: Float[np.ndarray, "n n"]) -> bool:
    """Whether `cholesky_factor` accepts the matrix."""
    try:
        cholesky_factor(matrix, [str(i) for i in range(len(matrix))], "", "")
    except ValueError:
        return False
    return True


def combination(vector: Float[np.ndarray, " n"], names: Sequence[str]) -> str:
    """Write a direction in words, largest component first, such as ``0.80 Omega_c - 0.60 sigma8``.

    The vector is normalised to length 1 with its largest component positive. Components below a tenth of the largest
    are left out.

    Parameters
    ----------
    vector
        Components of the direction.
    names
        Name of each component.
    """
    order = np.argsort(-np.abs(vector), kind="stable")
    unit = vector / np.linalg.norm(vector) * np.sign(vector[order[0]])
    large = [index for index in order if abs(unit[index]) >= 0.1 * unit[order[0]]]
    terms = [f"{'-' if unit[i] < 0 else '+'} {abs(unit[i]):.2f} {names[i]}" for i in large]
    return " ".join(terms).removeprefix("+ ")
