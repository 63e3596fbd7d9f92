"""Axis names of the package's arrays, and the shapes that several modules exchange.

One name means one thing in every annotation (`Float[Array, "param source y x"]`), in the files that `io`
writes and on the axes of figures. Units are not part of a type: each docstring states them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from jaxtyping import Array, Float, Float32, Float64, Key

AXES: Mapping[str, str] = MappingProxyType(
    {
        "param": "cosmological or nuisance parameter, in the order of the names that go with the array",
        "source": "source plane or redshift bin, nearest first",
        "plane": "lens plane, nearest first",
        "map": "realisation of the sky",
        "y": "pixel rows of a map",
        "x": "pixel columns of a map",
        "ell": "multipole bin",
        "scale": "starlet scale, finest first",
        "bin": "signal-to-noise bin, outermost bins open",
        "particle": "particle of the simulation",
    }
)

Scalar = Float64[Array, ""]
RandomKey = Key[Array, ""]
Maps = Float[Array, "map source y x"]
Tangents = Float[Array, "map param source y x"]
Particles = Float32[Array, "particle 3"]
