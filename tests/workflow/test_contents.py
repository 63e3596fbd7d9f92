"""Files that a config names count by what they hold: neither by their dates nor by their paths."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from _workflow import arguments, snakemake
from lenscast import io
from lenscast.sections.input_file import content_hash

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TINY = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
BATCH = "fiducial/seeds_100000_100001.h5"
TARGETS = [f"results/tiny/{name}" for name in (f"summaries/{BATCH}", "planes/fiducial/seeds_0_1.h5")]
LONG_AGO = 1.5e9
FILES = {"sources": "nz.txt", "depth": "depth.npy", "weights": "mine.json"}


def words(directory: Path, **paths: str) -> list[str]:
    """Snakemake with a config that names three files."""
    files = FILES | paths
    config = yaml.safe_load(yaml.safe_dump(TINY))
    config["survey"]["sources"] = {"kind": "table", "file": files["sources"]}
    config["survey"]["depth"] = {"kind": "map", "file": files["depth"], "max_masked": 0.2}
    config["simulation"]["correction"] = {"kind": "hpn", "weights": files["weights"]}
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    return arguments(directory, *TARGETS, "--configfile", str(directory / "config.yaml"))


def planned(directory: Path, **paths: str) -> set[str]:
    """Rules of a dry run."""
    done = snakemake(*words(directory, **paths), "--dry-run", "-p")
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"^rule (\w+):", done.stdout + done.stderr, re.MULTILINE))


def write_sources(path: Path, z: float = 0.914) -> None:
    np.savetxt(path, [[z - 0.001, 0.0], [z, 1.0], [z + 0.001, 0.0]])


def write_depth(path: Path, masked: int = 100) -> None:
    depth = np.ones((64, 64))
    depth.flat[:masked] = 0.0
    np.save(path, depth)


def write_weights(path: Path, bias: float | None = None) -> None:
    content = json.loads((ROOT / "src/lenscast/trained/hpn.json").read_text())
    if bias is not None:
        content["weights"]["layers"][0]["biases"][0] = bias
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with planes, maps and summaries of a batch, and the files of its config."""
    directory = tmp_path_factory.mktemp("contents")
    for name, write in (("nz.txt", write_sources), ("depth.npy", write_depth), ("mine.json", write_weights)):
        write(directory / name)
    done = snakemake(*words(directory))
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture
def directory(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_provenance_has_the_hashes_of_files(finished: Path) -> None:
    settings = json.loads(io.load(finished / TARGETS[0], names=[]).provenance["settings"])
    hashes = {name: content_hash(str(finished / file)) for name, file in FILES.items()}
    assert settings["simulate"]["settings"]["sources"]["file"] == hashes["sources"]
    assert settings["simulate"]["settings"]["simulation"]["correction"]["weights"] == hashes["weights"]
    assert settings["measure"]["settings"]["depth"]["file"] == hashes["depth"]


@pytest.mark.parametrize("date", [LONG_AGO, None])
def test_the_same_contents_of_other_dates_and_paths_run_nothing_again(directory: Path, date: float | None) -> None:
    (directory / "elsewhere").mkdir()
    moved = {name: f"elsewhere/other_{file}" for name, file in FILES.items()}
    for name, path in moved.items():
        shutil.copyfile(directory / FILES[name], directory / path)
        for each in (path, FILES[name]):
            os.utime(directory / each, date and (date, date))
    assert planned(directory) == set()
    assert planned(directory, **moved) == set()


@pytest.mark.parametrize(
    ("file", "write", "rules"),
    [
        ("nz.txt", lambda path: write_sources(path, 0.5), {"simulate", "measure"}),
        ("depth.npy", lambda path: write_depth(path, 200), {"measure"}),
        ("mine.json", lambda path: write_weights(path, 0.125), {"simulate", "differentiate", "measure"}),
    ],
)
def test_other_contents_of_an_older_date_run_what_depends_on_them_again(
    directory: Path, file: str, write: Callable[[Path], Any], rules: set[str]
) -> None:
    before = (directory / file).stat()
    write(directory / file)
    os.utime(directory / file, (LONG_AGO, LONG_AGO))
    assert planned(directory) == rules
    os.utime(directory / file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert planned(directory) == rules


def test_a_file_of_the_same_size_and_date_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "nz.txt"
    path.write_text("0 1\n")
    before, first = path.stat(), content_hash(str(path))
    path.write_text("0 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_hash(str(path)) != first
