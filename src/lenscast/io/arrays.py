"""Arrays of other codes for a forecast: .npz, HDF5, and folders of .npy or CSV.

The names of the arrays are those of `NAMES`. An HDF5 file that `exports.save_dataset` wrote is such a file.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from lenscast.fisher.arrays import Arrays, Setting, central_differences

REQUIRED = ("summaries", "parameter", "fiducial")
NAMES = {
    "summaries": "realisations x data",
    "jacobians": "boxes x parameters x data; or plus and minus",
    "plus": "data vectors of boxes with each parameter one step above its fiducial value, boxes x parameters x data",
    "minus": "the same one step below",
    "step": "step of each parameter",
    "parameter": "name of each parameter, in the order of the Jacobian",
    "fiducial": "value of each parameter",
    "fixed": "names of parameters that do not vary, such as Omega_b for S8",
    "fixed_value": "their values",
    "prior": "standard deviation of the Gaussian prior of each parameter, NaN or infinite for none",
    "area_ratio": "area of the survey over the area of a realisation",
    "bin": "name of each datum",
    "statistic": "statistic of each datum; each is a data vector, and all together",
    "summary_box": "label of the box of each realisation",
    "box": "label of the box of each Jacobian",
}
"""Arrays of a file; those of `REQUIRED`, and jacobians or differences, are needed."""


def load_arrays(path: str | os.PathLike[str], area_ratio: float | None = None) -> Arrays:
    """Realisations, Jacobians and what they are, from files.

    Parameters
    ----------
    path
        An .npz file, an HDF5 file, a folder of .npy files, or a folder of CSV files (docs/arrays.md).
    area_ratio
        In place of the one of the files.

    Raises
    ------
    ValueError
        If the path is none of these, or an array is missing; the message starts with the path.
    """
    given, found = Path(path), _read(Path(path))
    missing = [name for name in REQUIRED if name not in found]
    if "jacobians" not in found:
        missing += [name for name in ("plus", "minus", "step") if name not in found]
        if len(missing) == 3 and missing[0] == "plus":
            missing = ["jacobians"]
    if missing:
        there = ", ".join(found) or "none"
        raise ValueError(
            f"{given} has no {', '.join(missing)} ({NAMES[missing[0]]}); it has the arrays {there}: add what is missing"
        )
    if "jacobians" not in found:
        found["jacobians"] = central_differences(found["plus"], found["minus"], found["step"])
    parameters = [str(name) for name in np.atleast_1d(found["parameter"])]
    fiducial = np.atleast_1d(found["fiducial"])
    prior = np.atleast_1d(found.get("prior", np.full(len(parameters), np.nan)))
    for name, values in (("fiducial", fiducial), ("prior", prior)):
        if len(values) != len(parameters):
            raise ValueError(
                f"{given}: {name} has {len(values)} values for {len(parameters)} parameters; give one for each"
            )
    fixed, values = (np.atleast_1d(found.get(name, [])) for name in ("fixed", "fixed_value"))
    if len(fixed) != len(values):
        raise ValueError(
            f"{given}: fixed_value has {len(values)} values for {len(fixed)} fixed parameters; give one each"
        )
    ratio = found.get("area_ratio", 1.0) if area_ratio is None else area_ratio
    setting = Setting(
        parameters,
        dict(zip([*parameters, *map(str, fixed)], map(float, [*fiducial, *values]), strict=True)),
        {name: float(width) for name, width in zip(parameters, prior, strict=True) if np.isfinite(width)},
        float(ratio),
        _texts(found.get("bin")),
        _texts(found.get("statistic")),
        found.get("summary_box"),
        found.get("box"),
    )
    return Arrays(np.asarray(found["summaries"]), np.asarray(found["jacobians"]), setting)


def _texts(values: Any) -> list[str] | None:
    """Names, if they are given."""
    return None if values is None else [str(each) for each in values]


def _read(path: Path) -> dict[str, Any]:
    """Arrays of a path by name; those with other names are left alone."""
    if path.is_dir():
        if (path / "summaries.csv").exists():
            return _tables(path)
        return _known({each.stem: _numpy(each) for each in sorted(path.glob("*.npy")) if each.stem in NAMES})
    if not path.exists():
        raise ValueError(f"{path} does not exist; give an .npz or HDF5 file, or a folder of .npy or CSV files")
    if zipfile.is_zipfile(path):
        found = _numpy(path)
        return _known({name: found[name] for name in found})
    if h5py.is_hdf5(path):
        with h5py.File(path, "r", locking=False) as file:
            return _known({name: _decoded(file[name]) for name in NAMES if isinstance(file.get(name), h5py.Dataset)})
    raise ValueError(f"{path} is neither .npz nor HDF5; give one of them, or a folder of .npy or CSV files")


def _numpy(path: Path) -> Any:
    """Contents of a file of NumPy's, without pickles."""
    try:
        loaded = np.load(path, allow_pickle=False)
        return dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read ({' '.join(str(error).split())}); save arrays of numbers or of text, not of objects"
        ) from None


def _known(found: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays that a forecast knows, in the order of `NAMES`."""
    return {name: found[name] for name in NAMES if name in found}


def _decoded(dataset: h5py.Dataset) -> Any:
    """Numbers or text of a dataset."""
    return dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]


def _tables(folder: Path) -> dict[str, Any]:
    """Arrays of a folder of CSV files: data are columns, in the order of summaries.csv."""
    tables = {name: pd.read_csv(folder / f"{name}.csv") for name in ("summaries", "parameters") if _has(folder, name)}
    if "parameters" not in tables:
        raise ValueError(f"{folder} has no parameters.csv (columns parameter, fiducial, prior, step); add it")
    summaries, parameters = tables["summaries"], tables["parameters"]
    found: dict[str, Any] = {name: parameters[name].to_numpy() for name in parameters if name in NAMES}
    if "box" in summaries:
        found["summary_box"] = summaries.pop("box").to_numpy()
    found |= {"summaries": summaries.to_numpy(), "bin": list(summaries)}
    for name in ("jacobians", "plus", "minus"):
        if _has(folder, name):
            found[name], found["box"] = _by_box(folder / f"{name}.csv", list(summaries), list(parameters["parameter"]))
    if _has(folder, "data"):
        data = pd.read_csv(folder / "data.csv").set_index("bin")
        if {*data.index} != {*summaries}:
            raise ValueError(f"{folder}/data.csv has other data than summaries.csv has columns; give the same names")
        found["statistic"] = list(data.loc[list(summaries), "statistic"])
    return _known(found)


def _has(folder: Path, name: str) -> bool:
    return (folder / f"{name}.csv").exists()


def _by_box(path: Path, data: list[str], parameters: list[str]) -> tuple[np.ndarray, list[Any]]:
    """Rows of a box and a parameter as boxes x parameters x data, and the labels of the boxes."""
    table = pd.read_csv(path)
    for subject, names, wanted in (
        ("columns", {*table} - {"box", "parameter"}, {*data}),
        ("parameters", {*table.get("parameter", [])}, {*parameters}),
    ):
        if names != wanted:
            odd = ", ".join(sorted(map(str, names ^ wanted)))
            raise ValueError(
                f"{path} has other {subject} than summaries.csv and parameters.csv ({odd}); use the same names"
            )
    if "box" not in table:
        raise ValueError(f"{path} has no column box; label the box of each row")
    boxes = list(dict.fromkeys(table["box"]))
    if len(table) != len(boxes) * len(parameters) or table.duplicated(["box", "parameter"]).any():
        raise ValueError(
            f"{path} has {len(table)} rows for {len(boxes)} boxes and {len(parameters)} parameters; give one for each "
            "pair"
        )
    ordered = table.set_index(["box", "parameter"]).loc[[(box, name) for box in boxes for name in parameters], data]
    return ordered.to_numpy(float).reshape(len(boxes), len(parameters), len(data)), boxes
