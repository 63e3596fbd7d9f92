"""Check that two checkouts of lenscast give the same numbers, bit for bit.

    python benchmarks/compare_checkouts.py OLD NEW [--experiments tiny default ...] [--folder FOLDER]

Each checkout runs the same experiments with its own code, on this machine, since programs compiled for different
processors round differently. The script compares the bytes of all variables and coordinates of the HDF5 files, and of
all tables; it does not compare axes, units, descriptions and provenance. It lists every difference with its size in
units of the largest value, and exits with 1 if there is one, or nothing to compare.
"""

import argparse
import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import yaml

BATCH = "fiducial/seeds_{first}_{last}.h5"
RENAMED = {"_convergence.csv": "_reliability.csv"}
"""Ends of file names that checkouts know by an older name."""


class Case(NamedTuple):
    """An experiment to compare: a complete config of the old checkout, changes, and whether it is run to the tables."""

    config: str
    changes: dict[str, Any]
    to_tables: bool = False


REDUCED = {"simulation.particles": 32, "lightcone.plane_mesh": 256, "lightcone.pixels": 256}
CASES = {
    "tiny": Case("tests/workflow/config.yaml", {}, to_tables=True),
    "default": Case("config.yaml", {"boxes_per_batch": 2}),
    "dll": Case("configs/dll.yaml", {**REDUCED, "boxes_per_batch": 2}),
    "methods": Case(
        "tests/workflow/config.yaml",
        {
            "lightcone.projection": "ray_tracing",
            "simulation.integrator": {"kind": "fastpm", "steps": 5},
            "simulation.correction": {"kind": "pgd", "weights": "pgd"},
            "simulation.gradient": "finite_difference",
            "statistics.peaks.stencil": "scale",
        },
    ),
    "lsst_y1_small": Case("configs/lsst_y1_small.yaml", {"boxes_per_batch": 2}),
}


def complete(checkout: Path, path: str) -> dict[str, Any]:
    """The complete config behind a file of a checkout, with its base if it has one."""
    config = yaml.safe_load((checkout / path).read_text())
    if "base" not in config:
        return config
    words = [sys.executable, "-m", "lenscast", "config", "show", str(checkout / path)]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    return yaml.safe_load(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)


def changed(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The config with other values at dotted keys."""
    config = copy.deepcopy(config)
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = config
        for name in sections:
            section = section[name]
        section[key] = value
    return config


def run(checkout: Path, config: dict[str, Any], folder: Path, to_tables: bool) -> None:
    """Run an experiment with the code of a checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    results, size = f"results/{config['run']}", config["boxes_per_batch"]
    first = {name: config[name]["first_seed"] for name in ("covariance", "derivatives")}
    files = {name: BATCH.format(first=seed, last=seed + size - 1) for name, seed in first.items()}
    targets = [f"{results}/summaries/{files['covariance']}", f"{results}/derivatives/{files['derivatives']}"]
    if to_tables:
        targets += [f"{results}/fisher/{name}_directions.csv" for name in config["forecast"]["data_vectors"]]
        targets += [f"{results}/theory/c_ell.csv", f"{results}/validation/lensing.csv"]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile"), "--directory", str(folder)]
    words += ["--cores", "1", *targets, "--configfile", str(folder / "config.yaml")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{checkout}: {done.stdout[-2000:]}{done.stderr[-4000:]}")


def differences(old: Path, new: Path) -> Iterator[str]:
    """Differences between the files of two folders of results, those that only one of them has included."""
    files = {which: {_name(path, which): path for path in _files(which)} for which in (old, new)}
    for name in sorted(files[old].keys() ^ files[new].keys()):
        yield f"{name}: only in {old if name in files[old] else new}"
    for name in sorted(files[old].keys() & files[new].keys()):
        first, second = files[old][name], files[new][name]
        if name.endswith(".h5"):
            yield from (f"{name}: {text}" for text in _differences_of_arrays(first, second))
        elif first.read_bytes() != second.read_bytes():
            yield f"{name}: tables differ"


def _files(folder: Path) -> list[Path]:
    """Files of results that are compared."""
    return [*folder.rglob("*.h5"), *folder.rglob("*.csv")]


def _name(path: Path, folder: Path) -> str:
    """Name of a file in the folder, in the spelling of the newer checkout."""
    name = str(path.relative_to(folder))
    for end, other in RENAMED.items():
        name = name.replace(end, other)
    return name


def _differences_of_arrays(old: Path, new: Path) -> Iterator[str]:
    """Differences between the variables and coordinates of two HDF5 files."""
    with h5py.File(old, locking=False) as first, h5py.File(new, locking=False) as second:
        for group in ("variables", "coordinates"):
            for name in sorted(first[group].keys() ^ second[group].keys()):
                yield f"{group} {name}: only in one file"
            for name in sorted(first[group].keys() & second[group].keys()):
                here, there = first[group][name][()], second[group][name][()]
                if (here.shape, here.dtype) != (there.shape, there.dtype):
                    yield f"{name} is {there.dtype}{list(there.shape)}, not {here.dtype}{list(here.shape)}"
                elif here.tobytes() != there.tobytes():
                    size = ""
                    if here.dtype.kind == "f":
                        size = f" by {np.abs(here - there).max() / max(np.abs(here).max(), 1e-300):.1e} of the largest"
                    yield f"{name} differs{size}"


def require_own_code(checkout: Path) -> None:
    """Stop if a checkout would run with the code of another one."""
    words = [sys.executable, "-c", "import lenscast; print(lenscast.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    if not Path(done.stdout.strip()).is_relative_to(checkout):
        raise SystemExit(f"{checkout} would run with the code of {done.stdout.strip()}")


def main() -> int:
    """Run both checkouts and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--experiments", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--folder", type=Path, default=Path("results/compare_checkouts"))
    arguments, failed = parser.parse_args(), False
    checkouts = {which: getattr(arguments, which).resolve() for which in ("old", "new")}
    if checkouts["old"] == checkouts["new"]:
        raise SystemExit("OLD and NEW are the same checkout")
    for checkout in checkouts.values():
        require_own_code(checkout)
    shutil.rmtree(arguments.folder, ignore_errors=True)
    for name in arguments.experiments:
        case = CASES[name]
        config = changed(complete(checkouts["old"], case.config), case.changes)
        results = []
        for which, checkout in checkouts.items():
            folder = (arguments.folder / which / name).absolute()
            run(checkout, config, folder, case.to_tables)
            results.append(folder / "results")
        found, files = list(differences(*results)), len(_files(results[0]))
        print(f"{name}: {files} files, {len(found)} differences")
        for text in found:
            print(f"  {text}")
        failed |= bool(found) or not files
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
