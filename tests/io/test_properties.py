"""Files of any variables, coordinates and texts come back as they were written."""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lenscast import io

hypothesis = pytest.importorskip("hypothesis", reason="the extra `dev` is not installed")
arrays = pytest.importorskip("hypothesis.extra.numpy")
st = hypothesis.strategies

SETTINGS = hypothesis.settings(deadline=None, max_examples=40, derandomize=True)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
# HDF5 ends texts at their first zero
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
DTYPES = st.sampled_from(["f2", "f4", "f8", "i4", "i8", "u2", "?"])


@st.composite
def contents(draw: Any) -> tuple[dict[str, tuple[Any, ...]], dict[str, dict[str, list[Any]]]]:
    """Arguments of variables with axes that they share, and coordinates along some of these."""
    lengths = draw(st.dictionaries(NAMES, st.integers(1, 4), min_size=1, max_size=3))
    variables = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        axes = draw(st.permutations(sorted(lengths)))[: draw(st.integers(0, len(lengths)))]
        dtype = np.dtype(draw(DTYPES))
        finite = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else None
        shape = tuple(lengths[axis] for axis in axes)
        elements = arrays.from_dtype(dtype, **finite) if finite else None
        values = draw(arrays.arrays(dtype, shape, elements=elements))
        variables[name] = (values, tuple(axes), draw(TEXTS), draw(TEXTS))
    coordinates = {}
    for axis in draw(st.lists(st.sampled_from(sorted(lengths)), unique=True)):
        count = lengths[axis]
        column = st.lists(st.integers(-(2**40), 2**40), min_size=count, max_size=count)
        column |= st.lists(st.floats(allow_infinity=False), min_size=count, max_size=count)
        column |= st.lists(TEXTS.map(str.strip), min_size=count, max_size=count)
        coordinates[axis] = draw(st.dictionaries(NAMES, column, min_size=1, max_size=2))
    return variables, coordinates


@pytest.mark.slow
@SETTINGS
@hypothesis.given(contents(), st.dictionaries(NAMES, TEXTS, max_size=3))
def test_files_come_back(made: Any, provenance: dict[str, str]) -> None:
    # made here, since the type checker draws random numbers
    variables, coordinates = {name: io.Variable(*each) for name, each in made[0].items()}, made[1]
    with tempfile.TemporaryDirectory() as folder:
        io.save(Path(folder, "file.h5"), variables, coordinates, provenance)
        found = io.load(Path(folder, "file.h5"))
    assert found.provenance == provenance
    assert found.variables.keys() == variables.keys()
    for name, variable in variables.items():
        read = found.variables[name]
        assert (read.axes, read.unit, read.description) == (variable.axes, variable.unit, variable.description)
        assert read.values.dtype == variable.values.dtype
        np.testing.assert_array_equal(read.values, variable.values)
    for axis, columns in coordinates.items():
        pd.testing.assert_frame_equal(found.coordinates[axis], pd.DataFrame(columns), check_dtype=False)


@SETTINGS
@hypothesis.given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4), min_size=1, max_size=4), st.integers(0, 2**31)
)
def test_pieces_of_a_file_are_one_after_another(pieces: list[list[float]], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.h5")
        with io.writer(path, {}, {}) as file:
            for piece in pieces:
                rows = {"map": {"seed": [seed] * len(piece)}}
                file.append({"x": io.Variable(np.array(piece), ("map",), "1", "")}, rows)
        found = io.load(path)
    np.testing.assert_array_equal(found.variables["x"].values, np.concatenate(pieces))
    assert len(found.coordinates["map"]) == math.fsum(map(len, pieces))
