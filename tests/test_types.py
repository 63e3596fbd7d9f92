import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import jaxtyping

import lenscast
from lenscast.types import AXES

PACKAGE = Path(lenscast.__file__).parent


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
    assert not shared, f"explain these axis names in lenscast.types, or rename them in one part: {shared}"
