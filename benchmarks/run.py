"""Speed and memory of lenscast, compared with other codes and with what the machine can do.

    make benchmarks                              all tables, one core, 32^3 and 64^3 particles
    make benchmarks ARGS="--only nbody --sizes 64 128 --cores 2"
    make benchmarks ARGS="--device cuda --only nbody campaign --sizes 128 256 512"

Each table goes to three files of its name in docs/benchmarks. README.md says what is compared, and how.
"""

import argparse
import os
from pathlib import Path

import report
from measurement import HERE
from table import Options
from tables import TABLES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES), help="tables (all of them)")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[32, 64],
        help="particles per side (32 64)",
    )
    parser.add_argument("--cores", type=int, default=1, help="cores of a process (1)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each program (5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="least CPU time of one measurement (0.5)")
    parser.add_argument("--device", default="cpu", help="platform of JAX: cpu, or cuda, timed by wall time (cpu)")
    config = HERE.parent / "config.yaml"
    parser.add_argument(
        "--config", type=Path, default=config, help="experiment whose workflow is measured (config.yaml)"
    )
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "benchmarks", help="folder of the tables")
    given = parser.parse_args()
    options = Options(tuple(given.sizes), given.cores, given.rounds, given.seconds, given.config, given.device)
    wrong = []
    for name in given.only:
        table, load = TABLES[name], report.load()
        print(f"{name}: {table.title}", flush=True)
        rows = table.rows(options)
        notes = [
            f"{report.machine()}; load average before: {load}",
            f"Medians of {options.rounds} rounds; ratios within a round, with quartiles",
        ]
        print(report.write(given.output, name, table, rows, notes, options), flush=True)
        wrong += [
            f"{row['code']} ({row['program']}, {row['particles']}^3)" for row in rows if row.get("agrees") is False
        ]
    if wrong:
        raise SystemExit(f"not the same simulation as lenscast's: {', '.join(wrong)}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")  # huge pages for all codes, as in the workflow
    main()
