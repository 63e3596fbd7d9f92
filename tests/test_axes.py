"""Names of the axes of arrays that pass between the package's parts.

One name means one thing in annotations (`Float[Array, "param source y x"]`), in the files that `io` writes and on the
axes of figures; the docstrings state the units. An axis name that two parts share is in `AXES`; a name that one part
alone uses is explained where it is used.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import jaxtyping

import lenscast

PACKAGE = Path(lenscast.__file__).parent
AXES = {
    "param": "varied parameter, in the order of the names that go with the array",
    "box": "simulated box, one seed each",
    "map": "realisation of the sky; those of one box are neighbours",
    "k": "wavenumber",
    "lag": "distance of two points of a map or region along y or x, in pixels",
    "row": "further rows of noise, or rows of a map",
    "pair": "pair of sources, the first one not after the second",
    "source": "source plane or redshift bin, nearest first",
    "plane": "lens plane, nearest first",
    "axis": "axis of the box along the line of sight, all three or the one of a view",
    "slab": "slice of the box along the line of sight; one makes one plane",
    "particle": "particle of the simulation",
    "z": "mesh points of the box, slowest index",
    "mesh": "mesh points along a side of a plane",
    "y": "rows of a map, or mesh points of the box",
    "x": "columns of a map, or mesh points of the box",
    "y2": "rows of a map that is cut or filtered, fewer than before",
    "x2": "columns of a map that is cut or filtered, fewer than before",
    "pixel": "pixels along one side of a map",
    "half": "last axis of a real Fourier transform, mesh / 2 + 1 wavenumbers",
    "time": "output of a simulation, earliest first",
    "snapshot": "output of a simulation whose particles are kept, earliest first",
    "radius": "scale over which a density is smoothed",
    "interval": "stretch between neighbouring knots, edges or rows of a table",
    "edge": "end of intervals that follow each other, one more than intervals",
    "knot": "abscissa of an interpolation table",
    "scale": "starlet scale, finest first",
    "ell": "multipole bin",
    "bin": "element of a data vector",
    "nx": "points of the mesh of the white noise along x, at least those of the particles; likewise ny and nz",
    "ny": "as nx",
    "nz": "as nx",
    "chain": "chain of a posterior",
    "draw": "draw of a chain after its warm-up",
    "epoch": "pass through all that a training learns from",
}


def _axes(source: str) -> Iterator[str]:
    """Axis names in the array annotations of a module."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(value=ast.Name(id=dtype), slice=ast.Tuple(elts=[_, ast.Constant(value=str(axes))])):
                if hasattr(jaxtyping, dtype):
                    yield from (axis for axis in axes.split() if axis.isidentifier() and axis != "_")  # _ is any


def test_axis_names_shared_between_parts_are_in_the_glossary():
    parts = defaultdict(set)
    for module in PACKAGE.rglob("*.py"):
        for axis in _axes(module.read_text()):
            parts[axis].add(module.relative_to(PACKAGE).parts[0])
    shared = {axis: sorted(where) for axis, where in parts.items() if len(where) > 1 and axis not in AXES}
    assert not shared, f"explain these axis names in AXES, or rename them in one part: {shared}"
