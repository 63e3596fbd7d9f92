"""A job of two processes, each with a part of one box, writes the file of one process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from _workflow import arguments, snakemake
from lenscast import io

ROOT = Path(__file__).resolve().parents[2]
MAPS = "results/tiny/maps/fiducial/seeds_100000_100001.h5"


@pytest.mark.slow
def test_two_processes_write_the_file_of_one(shared_run: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(shared_run, tmp_path / "run"))
    config = yaml.safe_load((directory / "config.yaml").read_text())
    (directory / "config.yaml").write_text(yaml.safe_dump(config | {"distribution": {"devices": 2}}))
    planned = snakemake(*arguments(directory, MAPS, "--dry-run"))
    assert "Nothing to be done" in planned.stdout + planned.stderr
    expected = io.load(directory / MAPS)
    (directory / MAPS).unlink()

    done = snakemake(*arguments(directory, MAPS, "--set-resources", "simulate:tasks=2"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = io.load(directory / MAPS)
    assert found.variables.keys() == expected.variables.keys()
    for axis, rows in expected.coordinates.items():
        assert found.coordinates[axis].equals(rows)
    for name, variable in expected.variables.items():
        difference = found.variables[name].values - variable.values
        assert np.std(difference) < 1e-5 * np.std(variable.values)
    assert yaml.safe_load(found.provenance["config"])["distribution"]["devices"] == 2
    assert found.provenance["settings"] == expected.provenance["settings"]
    # one log, of the first process
    log = (directory / "results/tiny/logs/simulate/fiducial/seeds_100000_100001.log").read_text()
    assert log.count("box 1 of 2") == 1


def test_a_process_that_fails_ends_the_others(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        "import os, sys, time\n"
        "from _processes import PROCESS, join\n"
        "if PROCESS not in os.environ:\n"
        "    join(2, None)\n"
        "if os.environ[PROCESS].startswith('1'):\n"
        "    sys.exit(3)\n"
        "time.sleep(600)\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    assert subprocess.run([sys.executable, script], env=env, timeout=60, check=False).returncode == 3
