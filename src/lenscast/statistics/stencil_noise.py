"""Noise of nu on one stencil as a sum of independent unit normal variables: its contrast, two gradients, and the rest.

Convention: the noise n of nu at the 9 pixels of a stencil has the covariance C, and t = w n is the part that
`local_maxima` averages over, as `stencil` has them. Let s_x and s_y be differences along the axes (Sobel's) and L a
root of the covariance, C = L L^T. A QR decomposition of the three columns L^T w, L^T s_x and L^T s_y gives an
orthogonal matrix whose first columns span them. With it

    n = c t + a_x g_x + a_y g_y + e,

in which t, g_x, g_y and the 6 variables of e are unit normal and independent, and e has no gradient, s_x e = s_y e = 0.
A change S' of the signal on the stencil splits in the same way, S' = a_x gamma_x + a_y gamma_y + r, with gamma such
that r has no gradient. `independent_stencils` says what that is for.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.stencil import CONTRAST, OFFSETS, Stencil, even_covariance
from lenscast.statistics.uneven_stencil import uneven_rows

__all__ = ["StencilNoise", "noise_of_stencil"]

GRADIENTS = OFFSETS[:, ::-1] * np.where(OFFSETS == 0, 2, 1)
"""Columns s_x and s_y of Sobel's differences; neighbours on an axis have twice the weight of corners."""


class StencilNoise(NamedTuple):
    """Noise of a stencil without its contrast; symbols as in the docstring of the module.

    Arrays have axes (y, x) of the region in addition where depth is uneven.

    Attributes
    ----------
    rise
        Change of the rises of t with g_x, g_y and the 6 variables of e: first the rise that lifts the centre to nu = 0,
        then those that lift it above each neighbour.
    gradient
        Weights that give gamma_x and gamma_y from the 9 pixels of the signal.
    """

    rise: Float[Any, "9 8 *pixels"]
    gradient: Float[Any, "2 9 *pixels"]


def noise_of_stencil(level: int, stencil: Stencil, region: Region, noise: ShapeNoise) -> StencilNoise:
    """Noise of the stencils of a region.

    Parameters
    ----------
    level
        Starlet level j of nu.
    stencil
        Stencil of this level, of even depth or of the depth of the survey.
    region
        Region in which peaks are counted.
    noise
        Shape noise of the maps.
    """
    if stencil.local is None:
        covariance = even_covariance(level, stencil.spacing)
        return _split(covariance, CONTRAST / stencil.contrast, np.ones(()), stencil)
    rows = [_split(*row, stencil) for row in uneven_rows(level, stencil, region, noise)]
    return StencilNoise(*(np.moveaxis(np.stack(each), (0, 1), (-2, -1)).copy() for each in zip(*rows, strict=True)))


def _split(
    covariance: Float64[np.ndarray, "*x 9 9"],
    weights: Float64[np.ndarray, "*x 9"],
    response: Float64[np.ndarray, "*x"],
    stencil: Stencil,
) -> StencilNoise:
    """Noise of one stencil, or of the stencils of a row with their axis first."""
    # smooth noise has eigenvalues that vanish to rounding, for which Cholesky's root does not exist
    eigenvalues, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0))[..., None, :]
    directions = np.concatenate([weights[..., None], np.broadcast_to(GRADIENTS, (*weights.shape, 2))], axis=-1)
    orthogonal, triangle = np.linalg.qr(np.swapaxes(root, -1, -2) @ directions, mode="complete")
    factor = (root @ orthogonal)[..., 1:]
    rise = np.concatenate([-factor[..., :1, :], factor[..., 1:, :] - factor[..., :1, :]], axis=-2)
    per_rise = np.array([stencil.centre] + 4 * [stencil.edge] + 4 * [stencil.corner]) * response[..., None]
    # s_x S' = s_x a_x gamma_x, and s_y S' = s_y a_x gamma_x + s_y a_y gamma_y
    along_x = GRADIENTS[:, 0] / triangle[..., 1, 1, None]
    along_y = (GRADIENTS[:, 1] - triangle[..., 1, 2, None] * along_x) / triangle[..., 2, 2, None]
    arrays = rise / per_rise[..., None], np.stack([along_x, along_y], axis=-2)
    return StencilNoise(*(each.astype(np.float32) for each in arrays))
