"""Files: round trips, wholeness, equal bytes, refusals."""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lenscast import io
from lenscast.io.coordinates import records
from lenscast.io.origin import git_commit
from lenscast.io.variables import Contents

COORDINATES = {
    "map": {"seed": [5, 5, 6], "box": np.array([0, 0, 1])},
    "bin": pd.DataFrame(
        {"statistic": ["C_ell", "Δpeaks"], "scale_arcmin": [None, 9.4], "open": [True, False], "none": [None, None]}
    ),
}
ORIGIN = {"config": '{"box_size": 205.0}', "command": "snakemake x.h5"}


def variables(maps: int = 3) -> dict[str, io.Variable]:
    """Arrays of several dtypes and ranks."""
    rng = np.random.default_rng(0)
    return {
        "summary": io.Variable(rng.normal(size=(maps, 2)), ("map", "bin"), "1", "data vector"),
        "kappa": io.Variable(rng.normal(size=(maps, 4, 4)).astype("f4"), ("map", "y", "x"), "1", "convergence"),
        "counts": io.Variable(np.arange(maps), ("map",), "1", "number of peaks"),
        "inside": io.Variable(np.eye(2) > 0, ("bin", "bin"), "1", "pairs in use"),
        "area": io.Variable(np.float64(25.0), (), "deg^2", "area of a map"),
    }


def test_round_trip_keeps_values_dtypes_axes_units_and_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.h5"
    io.save(path, variables(), COORDINATES, ORIGIN)
    contents = io.load(path)
    assert set(contents.variables) == set(variables())
    for name, variable in variables().items():
        read = contents.variables[name]
        np.testing.assert_array_equal(read.values, variable.values)
        assert read.values.dtype == variable.values.dtype
        assert (read.axes, read.unit, read.description) == (variable.axes, variable.unit, variable.description)
    assert contents.provenance == ORIGIN
    assert contents.coordinates["map"].to_dict("list") == {"seed": [5, 5, 6], "box": [0, 0, 1]}
    table = contents.coordinates["bin"]
    assert table["statistic"].tolist() == ["C_ell", "Δpeaks"]
    assert table["open"].tolist() == [True, False]
    np.testing.assert_array_equal(table["scale_arcmin"], [np.nan, 9.4])
    assert table["none"].isna().all()
    assert list(table) == ["statistic", "scale_arcmin", "open", "none"]


def test_jax_arrays_are_stored_in_their_dtype(tmp_path: Path) -> None:
    values = jnp.arange(3, dtype=jnp.float32)
    io.save(tmp_path / "file.h5", {"a": io.Variable(values, ("map",), "1", "")}, {}, {})
    assert io.load(tmp_path / "file.h5").variables["a"].values.dtype == np.float32


def test_pieces_make_the_same_contents_as_one(tmp_path: Path) -> None:
    whole = {name: variable for name, variable in variables().items() if variable.axes[:1] == ("map",)}
    with io.writer(tmp_path / "pieces.h5", COORDINATES, ORIGIN) as pieces:
        for part in (slice(0, 1), slice(1, 3)):
            pieces.append({n: io.Variable(v.values[part], v.axes, v.unit, v.description) for n, v in whole.items()})
            assert not (tmp_path / "pieces.h5").exists()
    contents = io.load(tmp_path / "pieces.h5")
    for name, variable in whole.items():
        np.testing.assert_array_equal(contents.variables[name].values, variable.values)


def test_part_of_a_file_is_read_by_names_and_axes(tmp_path: Path) -> None:
    io.save(tmp_path / "file.h5", variables(), COORDINATES, ORIGIN)
    contents = io.load(tmp_path / "file.h5", names=["kappa", "area"], select={"map": slice(1, 2)})
    assert set(contents.variables) == {"kappa", "area"}
    np.testing.assert_array_equal(contents.variables["kappa"].values, variables()["kappa"].values[1:2])
    assert contents.coordinates["map"]["seed"].tolist() == [5]
    assert len(contents.coordinates["bin"]) == 2
    with pytest.raises(ValueError, match=r"has no variable \['gamma'\]: it has \['area', 'counts'"):
        io.load(tmp_path / "file.h5", names=["gamma"])
    with pytest.raises(ValueError, match=r"has no axis \['seed'\]"):
        io.load(tmp_path / "file.h5", select={"seed": slice(0, 1)})


def test_chunks_hold_one_large_map_or_several_small_ones(tmp_path: Path) -> None:
    large = np.zeros((2, 3, 512, 1024), dtype=np.float32)
    small = np.zeros((16, 3, 64, 64), dtype=np.float32)
    for name, values in (("large", large), ("small", small)):
        axes = ("map", "param", "y", "x")
        io.save(tmp_path / f"{name}.h5", {"tangents": io.Variable(values, axes, "1", "")}, {}, {})
    with h5py.File(tmp_path / "large.h5") as file:
        assert file["variables/tangents"].chunks == (1, 1, 512, 1024)
    with h5py.File(tmp_path / "small.h5") as file:
        assert file["variables/tangents"].chunks == (16, 3, 64, 64)


def test_equal_contents_give_equal_bytes_at_another_time_and_place(tmp_path: Path) -> None:
    first, second = tmp_path / "a.h5", tmp_path / "elsewhere" / "another_name.h5"
    io.save(first, variables(), COORDINATES, ORIGIN)
    time.sleep(1.1)  # HDF5 counts time in seconds
    io.save(second, variables(), COORDINATES, ORIGIN)
    assert first.read_bytes() == second.read_bytes()


def test_error_inside_leaves_nothing_new_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"

    def fail_while_writing() -> None:
        with io.writer(path, COORDINATES, ORIGIN) as pieces:
            pieces.append(variables())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_while_writing()
    assert list(tmp_path.iterdir()) == []
    io.save(path, variables(), COORDINATES, ORIGIN)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_non_finite_numbers_are_refused_by_name_and_index(tmp_path: Path) -> None:
    broken = variables()
    broken["kappa"].values[2, 1, 3] = np.nan
    with pytest.raises(ValueError, match=r"'kappa' is nan at map 2, y 1, x 3 \(1 of 48 entries"):
        io.save(tmp_path / "file.h5", broken, COORDINATES, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_axes_of_two_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="axis 'map' has 4 entries in 'counts', but 3 in coordinates of 'map'"):
        io.save(tmp_path / "file.h5", variables(maps=4), COORDINATES, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_pieces_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    kappa = variables()["kappa"]
    wider = io.Variable(np.zeros((1, 4, 5), dtype="f4"), kappa.axes, kappa.unit, kappa.description)
    double = io.Variable(np.zeros((1, 4, 4)), kappa.axes, kappa.unit, kappa.description)
    for other in (wider, double):
        with io.writer(tmp_path / "file.h5", {}, {}) as pieces:
            pieces.append({"kappa": kappa})
            with pytest.raises(ValueError, match=r"cannot append float.* to 'kappa', which holds float32\[3, 4, 4\]"):
                pieces.append({"kappa": other})
    with pytest.raises(ValueError, match="name 'a/b' must be an identifier"):
        io.save(tmp_path / "file.h5", {"a/b": kappa}, {}, {})


def test_variables_and_coordinates_refuse_what_has_no_meaning(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every axis needs a name"):
        io.Variable(np.zeros((2, 2)), ("map",), "1", "")
    with pytest.raises(ValueError, match="only numbers are stored"):
        io.Variable(np.array(["a"]), ("map",), "1", "")
    with pytest.raises(ValueError, match="'name' of axis 'map' mixes text with other values"):
        io.save(tmp_path / "file.h5", {}, {"map": {"name": ["a", 1]}}, {})


def test_truncated_damaged_and_foreign_files_are_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    values = np.arange(10000.0)
    io.save(path, {"a": io.Variable(values, ("map",), "1", "")}, {}, {})
    good = path.read_bytes()
    advice = rf"remove it \(rm {path}\) and run the same command, which makes it again"
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=rf"file\.h5 is truncated.*{advice}"):
        io.load(path)
    place = good.index(values[5000:5002].tobytes())
    path.write_bytes(good[:place] + b"\x01" + good[place + 1 :])
    with pytest.raises(ValueError, match=rf"damaged.*filter returned failure.*{advice}"):
        io.load(path)
    path.write_text("not HDF5 at all")
    with pytest.raises(ValueError, match=rf"not HDF5.*{advice}"):
        io.load(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match="made by other software"):
        io.load(path)
    with pytest.raises(FileNotFoundError, match="absent"):
        io.load(tmp_path / "absent.h5")


def test_files_cut_at_any_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    io.save(path, variables(), COORDINATES, ORIGIN)
    good = path.read_bytes()
    for length in np.linspace(0, len(good) - 1, 40, dtype=int):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match="truncated"):
            io.load(path)


def same(first: Contents, second: Contents) -> bool:
    """Whether all of two files is equal."""

    def plain(contents: Contents) -> list[object]:
        return [
            contents.provenance,
            {axis: (list(table), table.to_csv()) for axis, table in contents.coordinates.items()},
            {
                name: (each.axes, each.unit, each.description, str(each.values.dtype), each.values.tolist())
                for name, each in contents.variables.items()
            },
        ]

    return plain(first) == plain(second)


def in_pieces(path: Path) -> None:
    """A file that grew, box by box."""
    with io.batch_writer(path, {"bin": COORDINATES["bin"]}, ORIGIN | {"seeds": "[0, 1, 2]"}) as boxes:
        for seed in range(3):
            summary = io.Variable(np.full((2, 2), seed + 0.5), ("map", "bin"), "1", "data vector")
            mean = io.Variable(np.full((1, 2), seed + 0.5), ("box", "bin"), "1", "mean data vector")
            boxes.append(seed, {"measured": summary, "mean": mean})


@pytest.mark.slow
@pytest.mark.parametrize("write", [lambda path: io.save(path, variables(), COORDINATES, ORIGIN), in_pieces])
def test_a_damaged_byte_is_noticed_or_harmless(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path, rng = tmp_path / "file.h5", np.random.default_rng(15)
    write(path)
    good, whole = path.read_bytes(), io.load(path)
    noticed = harmless = 0
    for place in rng.choice(len(good), 300, replace=False):
        path.write_bytes(good[:place] + bytes([good[place] ^ rng.integers(1, 256)]) + good[place + 1 :])
        try:
            found = io.load(path)
        except ValueError as error:
            noticed += str(error).startswith(str(path))
        else:
            harmless += same(found, whole)
    assert noticed + harmless == 300
    assert noticed > 100  # the others are in texts for other readers, and in gaps


def test_lengths_along_an_axis_agree_in_every_file_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    earlier_format(path, maps=4)
    with pytest.raises(ValueError, match=rf"{path} is .*axis 'map' has 4 entries in 'counts', but 3 in coordinates"):
        io.load(path, ["counts"])


def earlier_format(path: Path, maps: int = 3) -> None:
    """A file as it was written before files had digests."""
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "lenscast 1"
        for axis, columns in COORDINATES.items():
            file.create_dataset(f"coordinates/{axis}", data=records(axis, columns))
        file.create_dataset("provenance/config", data=b"{}", dtype=h5py.string_dtype("utf-8", 2))
        for name, variable in variables(maps).items():
            dataset = file.create_dataset(f"variables/{name}", data=variable.values)
            dataset.attrs["unit"], dataset.attrs["description"] = variable.unit, variable.description
            for dimension, axis in zip(dataset.dims, variable.axes, strict=True):
                dimension.label = axis


def test_files_without_a_digest_are_read(tmp_path: Path) -> None:
    earlier_format(tmp_path / "earlier.h5")
    io.save(tmp_path / "now.h5", variables(), COORDINATES, {"config": "{}"})
    assert same(io.load(tmp_path / "earlier.h5"), io.load(tmp_path / "now.h5"))


def test_labels_of_dimensions_are_there_for_other_readers(tmp_path: Path) -> None:
    io.save(tmp_path / "file.h5", variables(), COORDINATES, ORIGIN)
    with h5py.File(tmp_path / "file.h5") as file:
        assert [dimension.label for dimension in file["variables/kappa"].dims] == ["map", "y", "x"]


def test_batches_that_lack_maps_are_not_joined(tmp_path: Path) -> None:
    path = tmp_path / "tiny/summaries/fiducial/seeds_0_1.h5"
    with io.batch_writer(path, {}, {"seeds": "[0, 1]", "settings": "{}"}) as boxes:
        for seed in (0, 1):
            boxes.append(seed, {"measured": io.Variable(np.ones(2 - seed), ("map",), "1", "")})
    with pytest.raises(ValueError, match=r"seeds_0_1\.h5: seed 1 has 1 entries along 'map', and seed 0 2; remove"):
        io.gathered([str(path)], {"seeds_0_1": [0, 1]}, {})


def test_only_the_first_of_several_processes_writes_and_all_refuse_the_same_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def written(path: Path) -> int:
        with io.batch_writer(path, {}, {"seeds": "[0, 1]"}) as boxes:
            for seed, value in enumerate((1.0, np.nan)):
                boxes.append(seed, {"kappa": io.Variable(np.full(2, value), ("map",), "1", "")}, lambda: "widen it")
        return boxes.boxes

    assert written(tmp_path / "first.h5") == 1
    assert io.load(tmp_path / "first.h5").coordinates["map"]["seed"].tolist() == [0, 0]
    assert caplog.messages[-1].startswith("seed 1 is left out of the file: 'kappa' is nan")
    assert caplog.messages[-1].endswith("; widen it")
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    assert written(tmp_path / "second.h5") == 1
    assert not (tmp_path / "second.h5").exists()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file grows beyond 100 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("size", [13_000, 10**6])  # which HDF5 writes in the end, and at once
def test_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file.h5"
    io.save(path, variables(), COORDINATES, ORIGIN)
    before = path.read_bytes()
    large = io.Variable(np.random.default_rng(0).normal(size=size), ("map",), "1", "")
    with pytest.raises(OSError, match=rf"File too large while {path} was written: nothing is left of it; make room"):
        io.save(path, {"a": large}, {}, {})
    with pytest.raises(OSError, match=rf"File too large while {tmp_path}/table.csv was written"):
        io.save_table(tmp_path / "table.csv", pd.DataFrame({"a": np.arange(30_000)}))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
    io.save(path, variables(), {}, ORIGIN)


@pytest.mark.usefixtures("full_disk")
def test_full_disk_ends_a_long_job_at_its_next_piece(tmp_path: Path) -> None:
    wide = io.Variable(np.random.default_rng(0).normal(size=(1, 512, 512)), ("map", "y", "x"), "1", "")

    def go_on() -> None:
        with io.writer(tmp_path / "file.h5", {}, {}) as pieces:
            pieces.append({"kappa": wide})
            pytest.fail("went on")

    with pytest.raises(OSError, match="File too large"):
        go_on()


FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from lenscast import io
from lenscast.io.coordinates import records

folder = Path(sys.argv[1])
kept = io.Variable(np.arange(3.0), ("map",), "1", "")
io.save(folder / "kept.h5", {"a": kept}, {}, {})
for size in (10**5, 10**6):
    try:
        noise = np.random.default_rng(0).normal(size=size)
        io.save(folder / "large.h5", {"a": io.Variable(noise, ("map",), "1", "")}, {}, {})
    except OSError as error:
        print(error)
print(*[path.name for path in folder.iterdir()], io.load(folder / "kept.h5").variables["a"].values)
"""


@pytest.mark.slow
def test_full_disk_of_its_own(tmp_path: Path) -> None:
    # a file system of half a megabyte, which only this process sees
    mount = f"mount -t tmpfs -o size=512k none {tmp_path}"
    alone = [shutil.which("unshare") or "false", "-Urm", "sh", "-c"]
    if subprocess.run([*alone, mount], capture_output=True, check=False).returncode:
        pytest.skip("this system lets a user mount no file system")
    inside = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    done = subprocess.run([*alone, inside, sys.executable, FULL_DISK], capture_output=True, text=True, check=True)
    refused = f"[Errno 28] No space left on device while {tmp_path}/large.h5 was written: nothing is left of it"
    *messages, found = done.stdout.splitlines()
    assert [message.startswith(refused) for message in messages] == [True, True]
    assert found == "kept.h5 [0. 1. 2.]"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    for name in (".file.h5.0123abcd.tmp", ".other.h5.0123abcd.tmp"):
        (tmp_path / name).write_text("half")
    io.save(tmp_path / "file.h5", variables(), COORDINATES, ORIGIN)
    assert {path.name for path in tmp_path.iterdir()} == {"file.h5", ".other.h5.0123abcd.tmp"}


def test_piece_that_is_not_finite_is_refused_and_others_bring_their_coordinates(tmp_path: Path) -> None:
    good = {"a": io.Variable(np.arange(2.0), ("map",), "1", ""), "b": io.Variable(np.ones(2), ("map",), "1", "")}
    bad = good | {"b": io.Variable(np.array([1.0, np.inf]), ("map",), "1", "")}
    with io.writer(tmp_path / "file.h5", {}, {}) as pieces:
        for seed, piece in enumerate([good, bad, good]):
            index = {"map": {"seed": [seed, seed]}}
            if piece is bad:
                with pytest.raises(io.NotFiniteError, match=r"'b' is inf at map 1 \(1 of 2 entries"):
                    pieces.append(piece, index)
            else:
                pieces.append(piece, index)
    contents = io.load(tmp_path / "file.h5")
    assert list(contents.coordinates["map"]["seed"]) == [0, 0, 2, 2]
    assert len(contents.variables["a"].values) == len(contents.variables["b"].values) == 4


def test_table_is_written_whole_with_all_digits(tmp_path: Path) -> None:
    path = tmp_path / "tables" / "fisher.csv"
    table = pd.DataFrame({"parameter": ["sigma8", "w0"], "sigma": [0.1 + 0.2, np.nan]})
    io.save_table(path, table)
    before = path.read_bytes()
    assert before == b"parameter,sigma\nsigma8,0.30000000000000004\nw0,\n"
    io.save_table(path, table)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_provenance_is_plain_and_repeatable() -> None:
    config = {"survey": {"z_source": [0.914]}, "run": "default"}
    origin = io.provenance(config, range(8, 11), "snakemake results/default/maps/8.h5")
    assert json.loads(origin["config"]) == config
    assert json.loads(origin["seeds"]) == [8, 9, 10]
    assert {"lenscast", "jax", "jaxlib", "diffrax", "numpy", "h5py", "python"} == set(json.loads(origin["versions"]))
    reordered = {"run": "default", "survey": {"z_source": [0.914]}}
    assert io.provenance(reordered, [8, 9, 10], "snakemake results/default/maps/8.h5") == origin


def test_disagreement_names_the_first_setting_that_differs() -> None:
    settings = {"simulate": {"settings": {"cosmology": {"sigma8": 0.8}, "z": (0.5, 1.0)}}, "measure": {"draws": 1}}
    origin = {"settings": json.dumps(settings)}
    assert io.disagreement(origin, settings) == ""
    other = settings | {"measure": {"draws": 2}}
    assert io.disagreement(origin, other) == "made by measure with draws = 1, but the config asks for 2"
    other = settings | {"simulate": {"settings": {"cosmology": {"sigma8": 0.9}, "z": (0.5, 1.0)}}}
    assert "simulate with cosmology.sigma8 = 0.8, but the config asks for 0.9" in io.disagreement(origin, other)
    assert "draws = nothing" in io.disagreement({"settings": "{}"}, {"measure": {"draws": 1}})
    assert "asks for nothing" in io.disagreement(origin, {"simulate": settings["simulate"]})
    assert "simulate" in io.disagreement({}, settings)


def test_git_commit_says_dirty_and_unknown(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("x = 1\n")
    assert git_commit(source) == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=n@example.org"]
    for command in (["init", "-q"], ["add", "module.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    clean = git_commit(source)
    assert len(clean) == 40
    source.write_text("x = 2\n")
    assert git_commit(source) == f"{clean}-dirty"
    untracked = tmp_path / "installed.py"
    untracked.write_text("")
    assert git_commit(untracked) == "unknown"
