"""Jobs of several processes on one machine."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
