"""A pixel and its 8 neighbours, and the noise of nu there.

Convention: nu is a starlet coefficient over the rms of its noise at that pixel. `local_maxima` averages over a part
t = w n of the noise n of the stencil. It needs weights w for which t is a unit normal variable, and the response
c = C w of the noise of each pixel to t, for the covariance C of the stencil. Where depth is even, w is a contrast: 1 at
the centre and -1/8 at the neighbours, over its rms. `uneven_stencil` has what changes where depth varies.
"""

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64

from lenscast.statistics.starlet import noise_correlation

__all__ = ["CONTRAST", "CORNERS", "EDGES", "OFFSETS", "LocalNoise", "Stencil", "even_covariance", "noise_stencil"]

EDGES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
OFFSETS = np.array([(0, 0), *EDGES, *CORNERS])
CONTRAST = np.array([1.0] + [-1 / 8] * 8)


class LocalNoise(NamedTuple):
    """Noise of nu where depth varies; symbols as in the docstring of `uneven_stencil`.

    Attributes
    ----------
    rms
        Rms of the normalised coefficients over their rms at nominal depth, on the region and the neighbours around it.
    counted
        Whether peaks count, at each pixel of the region.
    weights
        Weights w at each pixel of the region, the centre of the stencil first.
    response
        Factor r at each pixel of the region.
    """

    rms: Float[Any, "y2 x2"]
    counted: Bool[Any, "y x"]
    weights: Float[Any, "9 y x"]
    response: Float[Any, "y x"]


class Stencil(NamedTuple):
    """A pixel and its 8 neighbours, and the noise of nu there.

    Attributes
    ----------
    spacing
        Distance of the neighbours along the axes [pixels].
    contrast
        Rms of the contrast of the noise, for even depth.
    centre
        Response c_0 of the centre, for even depth.
    edge, corner
        Response of the centre less the response of a neighbour on an edge or on a corner, c_0 - c_j, for even depth.
    curvature
        Rms of half the second difference of the noise along an axis.
    local
        How the noise varies over the region; None where depth is even.
    """

    spacing: int
    contrast: float
    centre: float
    edge: float
    corner: float
    curvature: float
    local: LocalNoise | None = None

    @property
    def profile(self) -> Float64[np.ndarray, "9"]:
        """Response c to the part t of the noise at each pixel of the stencil, for even depth."""
        return self.centre - np.array([0.0] + 4 * [self.edge] + 4 * [self.corner])


def even_covariance(level: int, spacing: int) -> Float64[np.ndarray, "9 9"]:
    """Covariance of the noise of nu at a pixel and its 8 neighbours, for even depth.

    Parameters
    ----------
    level
        Starlet level j of nu.
    spacing
        Distance of the neighbours [pixels].
    """
    offsets = spacing * OFFSETS
    lag_y, lag_x = np.abs(offsets[:, None] - offsets[None]).transpose(2, 0, 1)
    return noise_correlation(level)[lag_y, lag_x]


def noise_stencil(level: int, spacing: int) -> Stencil:
    """Stencil for even depth.

    Parameters
    ----------
    level
        Starlet level j of nu.
    spacing
        Distance of the neighbours [pixels].
    """
    correlation, covariance = noise_correlation(level), even_covariance(level, spacing)
    contrast = sqrt(CONTRAST @ covariance @ CONTRAST)
    centre, edge, *_, corner = (covariance @ CONTRAST / contrast).tolist()
    assert centre > max(edge, corner, 0.0), "a pixel follows its contrast more than its neighbours do"
    curvature = sqrt(6 - 8 * correlation[0, spacing] + 2 * correlation[0, 2 * spacing]) / 2
    return Stencil(spacing, contrast, centre, centre - edge, centre - corner, curvature)
