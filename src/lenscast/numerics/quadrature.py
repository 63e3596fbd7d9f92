"""Fixed-order Gauss-Legendre quadrature.

Nodes and weights are numpy constants, so that an integral is one weighted sum, whose derivatives with respect to
anything in the integrand are exact in both modes. There is no adaptive quadrature: its nodes would depend on the
integrand, and so on the parameters.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Quadrature(NamedTuple):
    """Nodes and weights of an integral over consecutive panels.

    Attributes
    ----------
    nodes
        Abscissae.
    weights
        Weights, with the width of the panel included.
    """

    nodes: Float[np.ndarray, "panel order"]
    weights: Float[np.ndarray, "panel order"]


def gauss_legendre(edges: Float[np.ndarray, " edge"], order: int) -> Quadrature:
    """Gauss-Legendre rule of the given order on each panel between consecutive edges.

    Exact for polynomials of degree 2 order - 1 on a panel. ``(f(nodes) * weights).sum(axis=1)`` integrates f panel by
    panel.

    Parameters
    ----------
    edges
        Increasing panel edges, two or more.
    order
        Nodes per panel.

    Raises
    ------
    ValueError
        If there are fewer than two edges, they do not increase, or the order is below 1.
    """
    if edges.size < 2 or np.any(np.diff(edges) <= 0):
        raise ValueError(f"edges = {edges}: give two or more increasing panel edges")
    if order < 1:
        raise ValueError(f"order = {order}: give at least 1 node per panel")
    # numpy's rule is on [-1, 1]
    unit_nodes, unit_weights = np.polynomial.legendre.leggauss(order)
    half_widths = np.diff(edges)[:, None] / 2
    centres = (edges[1:, None] + edges[:-1, None]) / 2
    return Quadrature(centres + half_widths * unit_nodes, half_widths * unit_weights)
