"""Arrays of other codes from all formats."""

import h5py
import numpy as np
import pandas as pd
import pytest

from lenscast import io

PARAMETERS, BINS = ["Omega_m", "sigma8"], ["C_1", "C_2", "n_1"]


@pytest.fixture
def arrays():
    """Arrays by name."""
    rng = np.random.default_rng(0)
    return {
        "summaries": rng.normal(size=(50, 3)),
        "jacobians": rng.normal(size=(6, 2, 3)),
        "parameter": np.array(PARAMETERS),
        "fiducial": np.array([0.3, 0.8]),
        "prior": np.array([np.nan, 0.1]),
        "fixed": np.array(["h"]),
        "fixed_value": np.array([0.7]),
        "area_ratio": np.array(12.5),
        "bin": np.array(BINS),
        "statistic": np.array(["C_ell", "C_ell", "peaks"]),
        "summary_box": np.repeat(np.arange(25), 2),
        "box": np.arange(6),
    }


def write(path, arrays):
    """Write arrays in the format of a path."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values.astype(object) if values.dtype.kind == "U" else values
    elif path.name == "npy":
        path.mkdir()
        for name, values in arrays.items():
            np.save(path / f"{name}.npy", values)
    else:
        path.mkdir()
        data = pd.DataFrame(arrays["summaries"], columns=BINS)
        data.assign(box=arrays["summary_box"]).to_csv(path / "summaries.csv", index=False)
        rows = [
            {"box": box, "parameter": name, **dict(zip(BINS, arrays["jacobians"][box, p], strict=True))}
            for box in range(6)
            for p, name in enumerate(PARAMETERS)
        ]
        pd.DataFrame(rows[::-1])[["parameter", *BINS[::-1], "box"]].to_csv(path / "jacobians.csv", index=False)
        table = pd.DataFrame({name: arrays[name] for name in ("parameter", "fiducial", "prior")})
        table.to_csv(path / "parameters.csv", index=False)
        pd.DataFrame({"bin": BINS[::-1], "statistic": arrays["statistic"][::-1]}).to_csv(path / "data.csv", index=False)


@pytest.mark.parametrize("name", ["mine.npz", "mine.h5", "npy", "csv"])
def test_all_formats_have_the_same_arrays(arrays, tmp_path, name):
    write(tmp_path / name, arrays)
    found = io.load_arrays(tmp_path / name, area_ratio=12.5 if name == "csv" else None)
    order = np.argsort(np.asarray(found.setting.box))
    np.testing.assert_allclose(found.summaries, arrays["summaries"], rtol=1e-12)
    np.testing.assert_allclose(found.jacobians[order], arrays["jacobians"], rtol=1e-12)
    setting = found.setting
    assert list(setting.parameters) == PARAMETERS
    assert setting.fiducial == {"Omega_m": 0.3, "sigma8": 0.8} | ({} if name == "csv" else {"h": 0.7})
    assert setting.priors == {"sigma8": 0.1}
    assert setting.area_ratio == 12.5
    assert list(setting.data) == BINS
    assert list(setting.statistics) == ["C_ell", "C_ell", "peaks"]
    np.testing.assert_array_equal(setting.summary_box, arrays["summary_box"])


def test_differences_take_the_place_of_jacobians(arrays, tmp_path):
    jacobians, step = arrays.pop("jacobians"), np.array([0.01, 0.02])
    shifted = jacobians * step[:, None]
    np.savez(tmp_path / "mine.npz", **arrays, plus=7 + shifted, minus=7 - shifted, step=step)
    np.testing.assert_allclose(io.load_arrays(tmp_path / "mine.npz").jacobians, jacobians, rtol=1e-9)


def test_other_area_takes_the_place_of_that_of_the_file(arrays, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays)
    assert io.load_arrays(tmp_path / "mine.npz", area_ratio=3.0).setting.area_ratio == 3.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"summaries": None}, r"mine.npz has no summaries \(realisations x data\); it has the arrays jacobians, param"),
        ({"jacobians": None}, "has no jacobians"),
        ({"fiducial": np.ones(3)}, "fiducial has 3 values for 2 parameters"),
    ],
)
def test_what_is_missing_is_named(arrays, tmp_path, change, message):
    kept = {name: values for name, values in {**arrays, **change}.items() if values is not None}
    np.savez(tmp_path / "mine.npz", **kept)
    with pytest.raises(ValueError, match=message):
        io.load_arrays(tmp_path / "mine.npz")


def test_other_files_are_refused(arrays, tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text.npz is neither .npz nor HDF5"):
        io.load_arrays(tmp_path / "text.npz")
    with pytest.raises(ValueError, match=r"absent.npz does not exist; give"):
        io.load_arrays(tmp_path / "absent.npz")
    np.savez(tmp_path / "pickled.npz", **{**arrays, "parameter": np.array(PARAMETERS, dtype=object)})
    with pytest.raises(ValueError, match="save arrays of numbers or of text, not of objects"):
        io.load_arrays(tmp_path / "pickled.npz")
    write(tmp_path / "csv", arrays)
    table = pd.read_csv(tmp_path / "csv/jacobians.csv")
    table.rename(columns={"C_1": "C_one"}).to_csv(tmp_path / "csv/jacobians.csv", index=False)
    with pytest.raises(ValueError, match=r"other columns than summaries.csv and parameters.csv \(C_1, C_one\)"):
        io.load_arrays(tmp_path / "csv")
    table.iloc[1:].to_csv(tmp_path / "csv/jacobians.csv", index=False)
    with pytest.raises(ValueError, match="11 rows for 6 boxes and 2 parameters; give one for each pair"):
        io.load_arrays(tmp_path / "csv")
