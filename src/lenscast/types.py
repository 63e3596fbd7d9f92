"""Axis names of the arrays that pass between the package's parts.

One name means one thing in annotations (`Float[Array, "param source y x"]`), in the files that `io` writes and on the
axes of figures; the docstrings state the units. A test holds every axis name that two parts share against this
glossary; a name used within one part alone is explained where it is used.
"""

from collections.abc import Mapping
from types import MappingProxyType

AXES: Mapping[str, str] = MappingProxyType(
    {
        "param": "varied parameter, in the order of the names that go with the array",
        "box": "simulated box, one seed each",
        "map": "realisation of the sky; those of one box are neighbours",
        "k": "wavenumber",
        "pair": "pair of sources, the first one not after the second",
        "source": "source plane or redshift bin, nearest first",
        "plane": "lens plane, nearest first",
        "slab": "slice of the box along the line of sight; one makes one plane",
        "particle": "particle of the simulation",
        "z": "mesh points of the box, slowest index",
        "mesh": "mesh points along a side of a plane",
        "y": "rows of a map, or mesh points of the box",
        "x": "columns of a map, or mesh points of the box",
        "edge": "end of intervals that follow each other, one more than intervals",
        "knot": "abscissa of an interpolation table",
        "scale": "starlet scale, finest first",
        "ell": "multipole bin",
        "bin": "element of a data vector",
    }
)
