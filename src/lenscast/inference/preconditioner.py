"""Coordinates that are stretched along directions in which a posterior is narrow, from its curvature at some places.

A map measures some modes of the initial field well: along them the posterior is ten times narrower than its prior, and
the step of a sampler is as short. Lanczos' method (Golub & Van Loan, Matrix Computations, section 10.1) finds them, the
largest eigenvalues of minus the Hessian of the log density, from products with the Hessian alone, and a product is a
difference of two gradients.

The directions turn from place to place. So the Hessian is the mean of several places, and coordinates are stretched
less than by its root: at each place the posterior is as narrow as that, but over all places about as wide as the prior.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lenscast.inference.chain import LogDensity

__all__ = ["Preconditioner", "curvature"]

# Of a difference of gradients, in units of the prior: long enough to average over the kinks of clouds of particles.
_STEP = 0.3
# Products with the Hessian, each of two gradients; and the smallest curvature that is worth a stretch.
_PRODUCTS, _LEAST = 60, 1.5
# Stretch as a power of the curvature: 1/2 makes unit width of one place, and 0 of all places together.
_POWER = 3 / 8


class Preconditioner(NamedTuple):
    """A linear map from stretched coordinates to those of a posterior, symmetric and close to 1.

    Attributes
    ----------
    vectors
        Orthonormal directions that are stretched; none at first.
    curvature
        Second derivative of minus the log density along them; across them it is about 1, that of the prior.
    """

    vectors: Float64[np.ndarray, "dim stretched"]
    curvature: Float64[np.ndarray, " stretched"]

    @classmethod
    def none(cls, dimensions: int) -> "Preconditioner":
        """The coordinates of the posterior themselves."""
        return cls(np.zeros((dimensions, 0)), np.zeros(0))

    def mixed(self, other: "Preconditioner", share: float) -> "Preconditioner":
        """That of a mean of both Hessians, in which the other one has this share."""
        pairs = ((self, 1 - share), (other, share))
        beyond = [each.vectors * (weight * (each.curvature - 1)) ** 0.5 for each, weight in pairs]
        vectors, root, _ = np.linalg.svd(np.hstack(beyond), full_matrices=False)
        values = 1 + root**2
        chosen = values > _LEAST
        return Preconditioner(vectors[:, chosen], values[chosen])

    @property
    def width(self) -> Float64[np.ndarray, " stretched"]:
        """Length along the directions that is 1 in stretched coordinates."""
        return self.curvature**-_POWER

    def position(self, z: Float64[np.ndarray, " dim"]) -> Float64[np.ndarray, " dim"]:
        """Coordinates of the posterior."""
        return z + self.vectors @ ((self.width - 1) * (self.vectors.T @ z))

    def coordinates(self, position: Float64[np.ndarray, " dim"]) -> Float64[np.ndarray, " dim"]:
        """Stretched coordinates: the inverse of `position`."""
        return position + self.vectors @ ((1 / self.width - 1) * (self.vectors.T @ position))

    def target(self, target: LogDensity) -> LogDensity:
        """Logarithm of the density of these coordinates, up to a constant, with its gradient."""
        if not self.curvature.size:
            return target

        def of_coordinates(z: Float64[np.ndarray, " dim"]) -> tuple[float, Float64[np.ndarray, " dim"]]:
            value, gradient = target(self.position(z))
            return value, self.position(gradient)

        return of_coordinates


def curvature(
    target: LogDensity, position: Float64[np.ndarray, " dim"], rng: np.random.Generator
) -> tuple[Preconditioner, int]:
    """Directions in which a density is narrower than its prior at a position.

    Parameters
    ----------
    target
        Logarithm of the density and its gradient, in coordinates whose prior has unit width.
    position
        Where the curvature is measured.
    rng
        Random numbers of the first direction.

    Returns
    -------
    preconditioner
        Up to 60 directions, those of the largest curvature among them.
    gradients
        Number of gradients that it took.
    """
    dimensions = len(position)
    products = min(_PRODUCTS, dimensions)
    basis, matrix = np.zeros((products, dimensions)), np.zeros((products, products))
    vector = rng.standard_normal(dimensions)
    for number in range(products):
        basis[number] = vector / np.linalg.norm(vector)
        ends = [target(position + sign * _STEP * basis[number])[1] for sign in (1, -1)]
        vector = (ends[1] - ends[0]) / (2 * _STEP)
        if not np.isfinite(vector).all():  # the model breaks down nearby: what was found before is good
            products = number
            break
        matrix[number, : number + 1] = matrix[: number + 1, number] = basis[: number + 1] @ vector
        # twice: the first time leaves what rounding and kinks make of the difference
        for _ in range(2):
            vector = vector - basis[: number + 1].T @ (basis[: number + 1] @ vector)
    values, rotation = np.linalg.eigh(matrix[:products, :products])
    chosen = values > _LEAST
    return Preconditioner(basis[:products].T @ rotation[:, chosen], values[chosen]), 2 * products
