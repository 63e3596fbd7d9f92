"""What goes wrong in a campaign: what the user is told, and that a rerun gives the tables of an undisturbed run."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml

from _workflow import arguments, command, snakemake
from lenscast import io

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
RESULTS = Path("results/tiny")
MAPS, OTHER_MAPS = (RESULTS / f"maps/fiducial/seeds_{name}.h5" for name in ("100000_100001", "100002_100003"))
PLANES, OTHER_PLANES = (RESULTS / f"planes/fiducial/seeds_{name}.h5" for name in ("0_1", "2_3"))
SUMMARIES = RESULTS / "summaries/fiducial/seeds_100000_100001.h5"
DERIVATIVES = RESULTS / "derivatives/fiducial/seeds_2_3.h5"

# happens to a process when it opens the file that becomes the one named in FAULTS
SITE = """
import json, os, resource, signal, sys, threading

faults = json.loads(os.environ["FAULTS"])

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def meet(fault):
    if fault == "kill":
        threading.Timer(0.5, die).start()
    if fault == "kill while writing":
        signal.signal(signal.SIGXFSZ, die)
    if fault in ("kill while writing", "disk full"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    if fault == "out of memory":
        sys.modules["jax"].numpy.ones((10**6, 10**6))
    if isinstance(fault, int):
        writer = sys.modules["lenscast.io.writing"].Writer
        append = writer.append
        def spoilt(self, variables, coordinates):
            if coordinates["map"]["seed"][0] == fault:
                variables = {name: type(each)(float("nan") * each.values, each.axes, each.unit, each.description)
                             for name, each in variables.items()}
            append(self, variables, coordinates)
        writer.append = spoilt

def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        name = os.path.basename(os.fspath(arguments[0]))
        for path, fault in list(faults.items()):
            if name.startswith("." + path) and name.endswith(".tmp"):
                del faults[path]
                meet(fault)

sys.addaudithook(hook)
"""


class Run(NamedTuple):
    """How a run of the workflow ended."""

    code: int
    text: str


def words(directory: Path, *targets: str, **changes: Any) -> list[str]:
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, **changes}))
    alone = {"--unlock", "--cleanup-metadata", "all"} & {*targets}
    tables = [] if alone else [str(RESULTS / "fisher/combined_parameters.csv")]
    return [*arguments(directory, *tables, *targets), "--configfile", str(config)]


def run(directory: Path, *targets: str, faults: dict[Path, Any] | None = None, **changes: Any) -> Run:
    environment = dict(os.environ)
    if faults:
        (directory / "site").mkdir(exist_ok=True)
        (directory / "site/sitecustomize.py").write_text(SITE)
        paths = [str(directory / "site"), *filter(None, [environment.get("PYTHONPATH")])]
        named = json.dumps({path.name: fault for path, fault in faults.items()})
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "FAULTS": named}
    done = snakemake(*words(directory, *targets, **changes), env=environment)
    return Run(done.returncode, done.stdout + done.stderr)


def rerun(directory: Path, *targets: str, **changes: Any) -> Run:
    """A run that ends well."""
    done = run(directory, *targets, **changes)
    assert done.code == 0, done.text
    return done


def tables(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / RESULTS / "fisher").glob("*.csv"))}


def said(directory: Path, rule: str, path: Path) -> str:
    """The log of a job, without line breaks."""
    return (directory / RESULTS / "logs" / rule / "fiducial" / f"{path.stem}.log").read_text()


def temporary(directory: Path) -> list[Path]:
    return list((directory / RESULTS).rglob("*.tmp"))


def obey(directory: Path, text: str) -> None:
    """Do what a message says in brackets: (rm ...). Lines of a job are whole, those of a printed log wrapped."""
    advice = re.findall(r"\((rm [^)\n]*)\)", text)
    assert advice, text
    for line in set(advice):
        subprocess.run(line, shell=True, cwd=directory, check=True)


@pytest.fixture(scope="module")
def finished(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run, of which one table is looked at."""
    directory = Path(shutil.copytree(shared_run, tmp_path_factory.mktemp("failures") / "finished"))
    for path in (directory / RESULTS / "fisher").iterdir():
        if not path.name.startswith("combined"):
            path.unlink()
    return directory


def unfinished(directory: Path, *lost: Path) -> None:
    """Remove files and what was made of them."""
    for path in lost:
        (directory / path).unlink()
        for folder in ("summaries", "derivatives"):
            (directory / RESULTS / folder / "fiducial" / path.name).unlink(missing_ok=True)
    for folder in ("covariance", "fisher"):
        shutil.rmtree(directory / RESULTS / folder)
    (directory / RESULTS / "derivatives/jacobians.h5").unlink()


@pytest.fixture
def campaign(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be disturbed."""
    return Path(shutil.copytree(finished, tmp_path / "campaign"))


class Night(NamedTuple):
    """A campaign in which every simulation met something else, and what was there in the morning and at noon."""

    directory: Path
    morning: Run
    files: set[str]
    logs: dict[str, str]
    noon: Run


@pytest.fixture(scope="module")
def night(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Night:
    directory = Path(shutil.copytree(finished, tmp_path_factory.mktemp("night") / "campaign"))
    faults = {MAPS: "kill", OTHER_MAPS: "kill while writing", PLANES: "disk full", OTHER_PLANES: "out of memory"}
    unfinished(directory, *faults)
    morning = run(directory, faults=faults)
    files = {path.name for folder in ("maps", "planes") for path in (directory / RESULTS / folder).rglob("*.[ht]*")}
    rules = {MAPS: "simulate", OTHER_MAPS: "simulate", PLANES: "differentiate", OTHER_PLANES: "differentiate"}
    logs = {path.stem: said(directory, rule, path) for path, rule in rules.items()}
    return Night(directory, morning, files, logs, run(directory))


def test_a_night_of_failures_leaves_the_tables_of_an_undisturbed_run(finished: Path, night: Night) -> None:
    assert night.morning.code == 1
    assert night.noon.code == 0, night.noon.text
    assert tables(night.directory) == tables(finished)
    assert temporary(night.directory) == []


def test_a_worker_killed_while_it_simulates_leaves_no_file(night: Night) -> None:
    assert "failed" not in night.logs[MAPS.stem]
    assert night.morning.text.count("died with <Signals.SIGKILL: 9>") == 2  # the other one wrote
    assert MAPS.name not in night.files


def test_a_worker_killed_while_it_writes_leaves_half_a_file_under_another_name(night: Night) -> None:
    assert OTHER_MAPS.name not in night.files
    assert [name for name in night.files if name.startswith(f".{OTHER_MAPS.name}.")]


def test_a_full_disk_is_named_with_the_file_and_leaves_nothing(night: Night) -> None:
    log = night.logs[PLANES.stem]
    assert f"File too large while {PLANES} was written: nothing is left of it; make room there and run" in log
    assert not [name for name in night.files if PLANES.name in name and "100" not in name]


def test_too_little_memory_names_the_keys_to_lower(night: Night) -> None:
    log = night.logs[OTHER_PLANES.stem]
    assert "Out of memory allocating" in log
    assert "out of memory: lower lightcone.plane_mesh, simulation.particles or the number of forecast.parameters" in log


def test_a_second_snakemake_is_refused_and_after_a_kill_the_folder_is_unlocked(finished: Path, campaign: Path) -> None:
    unfinished(campaign, MAPS)
    first = subprocess.Popen(command(*words(campaign)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not temporary(campaign):
        assert first.poll() is None, "finished before a second one could start"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = run(campaign)
    assert first.poll() is None, "finished before it could be killed"
    first.send_signal(signal.SIGKILL)  # its job goes on
    first.wait()
    third = run(campaign)
    for refused in (second, third):
        assert refused.code == 1
        assert "Directory cannot be locked" in refused.text
        assert "--unlock" in refused.text
    rerun(campaign, "--unlock")
    rerun(campaign)
    assert tables(campaign) == tables(finished)


def test_truncated_and_foreign_files_are_named_with_what_makes_them_again(finished: Path, campaign: Path) -> None:
    unfinished(campaign)
    for path, damage in ((SUMMARIES, b""), (DERIVATIVES, b"not HDF5")):
        content = (campaign / path).read_bytes()
        (campaign / path).write_bytes(damage or content[: len(content) // 2])
    done = run(campaign)
    assert done.code == 1
    assert "1 of 4 files cannot be used" in done.text
    assert f"{SUMMARIES} is truncated, damaged or not HDF5" in done.text
    obey(campaign, done.text)
    done = run(campaign)
    assert f"{DERIVATIVES} is truncated, damaged or not HDF5" in done.text
    obey(campaign, done.text)
    rerun(campaign)
    assert tables(campaign) == tables(finished)


def test_a_damaged_compilation_cache_costs_time_only(
    finished: Path, campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    measure = [*arguments(campaign, str(SUMMARIES)), "--configfile", str(campaign / "config.yaml")]
    words(campaign)
    for damaged in (False, True):
        programs = sorted((tmp_path / "cache").glob("*-cache"))
        assert bool(programs) == damaged
        for number, path in enumerate(programs):
            content = path.read_bytes()
            path.write_bytes((b"", content[: len(content) // 2], bytes(len(content)), b"damage")[number % 4])
        (campaign / SUMMARIES).unlink()
        assert snakemake(*measure).returncode == 0
    assert "Error reading persistent compilation cache entry" in said(campaign, "measure", SUMMARIES)
    assert (campaign / SUMMARIES).read_bytes() == (finished / SUMMARIES).read_bytes()


def test_a_failure_after_a_change_of_config_does_not_leave_old_results_in_the_middle(campaign: Path) -> None:
    # as a failed simulation leaves them
    rerun(campaign, "--cleanup-metadata", str(MAPS))
    (campaign / MAPS).unlink()
    assert "Nothing to be done" in rerun(campaign, "--dry-run").text
    planned = rerun(campaign, "--dry-run", "-p", cosmology=CONFIG["cosmology"] | {"sigma8": 0.83}).text
    for path in (MAPS, SUMMARIES):
        assert f"output: {path}" in planned
    (campaign / SUMMARIES).unlink()
    planned = rerun(campaign, "all", "--dry-run", "-p").text
    for path in (MAPS, SUMMARIES, RESULTS / "covariance/summaries.h5"):
        assert f"output: {path}" in planned


def test_results_of_two_configs_are_not_mixed(finished: Path, campaign: Path) -> None:
    unfinished(campaign, MAPS)
    other = CONFIG["cosmology"] | {"sigma8": 0.83}
    done = run(campaign, "--rerun-triggers", "mtime", cosmology=other)
    assert done.code == 1
    assert "made by simulate with cosmology.sigma8 = 0.8159, but the config asks for 0.83" in done.text
    assert f"{SUMMARIES}: " not in done.text  # the new one
    done = run(campaign, "--rerun-triggers", "mtime")
    assert f"{SUMMARIES}: made by simulate with cosmology.sigma8 = 0.83, but the config asks for 0.8159" in done.text
    obey(campaign, done.text)
    rerun(campaign)
    assert tables(campaign) == tables(finished)


def test_a_seed_that_is_not_finite_is_named_and_the_others_are_kept(finished: Path, campaign: Path) -> None:
    unfinished(campaign, MAPS)
    done = run(campaign, faults={MAPS: 100001})
    assert done.code == 1
    assert "seed 100001 is left out of the file: 'kappa' is nan at map 0, source 0" in said(campaign, "simulate", MAPS)
    assert f"{SUMMARIES}: seed 100001 is missing, since it was not finite" in done.text
    assert list(io.load(campaign / MAPS).coordinates["map"]["seed"].unique()) == [100000]
    kept = (campaign / MAPS).stat().st_mtime_ns
    rerun(campaign, left_out_seeds=[100001])
    assert (campaign / MAPS).stat().st_mtime_ns == kept
    without = tables(campaign)
    assert without != tables(finished)
    obey(campaign, done.text)
    rerun(campaign)
    assert tables(campaign) == tables(finished)
    rerun(campaign, left_out_seeds=[100001])
    assert tables(campaign) == without


SETTINGS = {"simulate": {"settings": {"cosmology": {"h": 0.7}}}}


def box(seed: int, value: float = 1.0) -> dict[str, io.Variable]:
    """Two maps and a number of each, by which they are known."""
    return {"measured": io.Variable(np.array([seed, seed + 0.5]) * value, ("map",), "1", "")}


def written(path: Path, seeds: range, settings: dict[str, Any] = SETTINGS, **values: float) -> str:
    origin = {"seeds": json.dumps([*seeds]), "settings": json.dumps(settings)}
    with io.batch_writer(path, {}, origin) as batch:
        for seed in seeds:
            batch.append(seed, box(seed, values.get(f"times_{seed}", 1.0)))
    return str(path)


def test_batches_are_joined_of_the_wanted_seeds(tmp_path: Path) -> None:
    folder = tmp_path / "tiny/summaries/fiducial"
    paths = [written(folder / f"seeds_{a}_{a + 1}.h5", range(a, a + 2), times_3=np.nan) for a in (0, 2)]
    contents = list(io.gathered(paths, {"seeds_0_1": [1], "seeds_2_3": [2]}, SETTINGS))
    assert [list(each.coordinates["map"]["seed"]) for each in contents] == [[1, 1], [2, 2]]
    assert [list(each.variables["measured"].values) for each in contents] == [[1, 1.5], [2, 2.5]]
    with pytest.raises(
        ValueError, match=r"1 of 2 files cannot be used\n.*seeds_2_3.h5: seed 3 is missing, since it was not"
    ):
        io.gathered(paths, {"seeds_0_1": [0, 1], "seeds_2_3": [2, 3]}, SETTINGS)


def test_all_files_of_other_seeds_settings_and_makers_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "tiny/summaries/fiducial"
    first, copied, old, damaged = (folder / f"seeds_{seed}_{seed}.h5" for seed in range(4))
    written(first, range(1))
    shutil.copy(first, copied)
    written(old, range(2, 3), {"simulate": {"settings": {"cosmology": {"h": 0.6}}}})
    damaged.write_text("")
    seeds = {path.stem: [number] for number, path in enumerate((first, copied, old, damaged))}
    with pytest.raises(ValueError, match="3 of 4 files cannot be used") as caught:
        io.gathered([str(folder / f"{name}.h5") for name in seeds], seeds, SETTINGS)
    text = str(caught.value)
    remove = f"remove the files of this batch (rm {tmp_path}/tiny/*/fiducial/"
    assert f"{copied}: made for seeds [0], not [1]; {remove}{copied.name})" in text
    assert f"{old}: made by simulate with cosmology.h = 0.6, but the config asks for 0.7; {remove}{old.name})" in text
    assert f"{damaged} is truncated" in text
    assert f"{first}:" not in text


def test_a_batch_without_a_finite_box_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no box of seeds \[5\] is finite .*left_out_seeds"):
        written(tmp_path / "seeds_5_5.h5", range(5, 6), times_5=np.inf)
    assert list(tmp_path.iterdir()) == []
