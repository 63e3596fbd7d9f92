"""The tables: CSV for programs, Markdown for people."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

NBODY_COLUMNS = {
    "particles": "particles",
    "cores": "cores",
    "code": "code",
    "program": "program",
    "forces": "forces",
    "cpu": "CPU [s]",
    "cpu_ratio": "CPU / lenscast",
    "wall_ratio": "wall / lenscast",
    "compilation": "compilation [s]",
    "peak_memory": "peak memory [MB]",
    "power": "P / P(lenscast) - 1",
    "correlation": "correlation",
}
TANGENT_COLUMNS = {
    "cores": "cores",
    "program": "program",
    "cpu": "CPU [s]",
    "cpu_ratio": "CPU / without tangents",
    "wall_ratio": "wall / without tangents",
    "compilation": "compilation [s]",
    "compilation_cpu": "its CPU [s]",
    "cached": "from the cache [s]",
    "cached_cpu": "its CPU [s]",
    "peak_memory": "peak memory [MB]",
}
PAIR_COLUMNS = {
    "particles": "particles",
    "cores": "cores",
    "program": "program",
    "cpu": "CPU [s]",
    "cpu_ratio": "CPU / plain",
    "wall_ratio": "wall / plain",
    "compilation": "compilation [s]",
    "peak_memory": "peak memory [MB]",
    "plain_peak_memory": "peak memory, plain [MB]",
}
OVERHEAD_COLUMNS = {
    "run": "run",
    "cores": "cores",
    "jobs": "jobs",
    "wall": "wall [s]",
    "loop_wall": "wall, bare loop [s]",
    "wall_ratio": "wall / bare loop",
    "cpu_ratio": "CPU / bare loop",
}
SCALE_COLUMNS = {
    "batches": "batches",
    "call": "call of Snakemake",
    "cores": "cores",
    "wall": "wall [s]",
    "cpu": "CPU [s]",
    "peak_memory": "peak memory [MB]",
}
BAR_COLUMNS = {"claim": "claim", "bar": "bar", "cores": "cores", "measured": "measured", "met": "met"}


def machine() -> str:
    """CPU model and number of cores; what else identifies a machine does not matter."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


def load() -> str:
    """Load average over the last minute, this benchmark's own processes included."""
    return f"{os.getloadavg()[0]:.1f}"


def write(
    document: Path,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    versions: Mapping[str, str],
    notes: Sequence[str],
) -> str:
    """Write all tables that have rows as Markdown and each but the bars as CSV beside it; return the text."""
    document.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "nbody": NBODY_COLUMNS,
        "tangents": TANGENT_COLUMNS,
        "corrections": PAIR_COLUMNS,
        "adjoints": PAIR_COLUMNS,
        "systematics": PAIR_COLUMNS,
        "bars": BAR_COLUMNS,
        "workflow_overhead": OVERHEAD_COLUMNS,
        "workflow_scale": SCALE_COLUMNS,
    }
    titles = {
        "nbody": "N-body: 2LPT and 10 steps from a = 0.1, one particle per mesh cell, to the density today",
        "tangents": "Derivatives with respect to 6 parameters, 64^3 particles",
        "corrections": "Corrections of small scales: the same N-body with and without (plain)",
        "adjoints": "Gradient of the training loss by the weights, beside the loss (plain), 64^3 particles",
        "systematics": "Maps of five tomographic bins with tangents, beside those with fewer (plain), 64^3 particles",
        "bars": "Bars",
        "workflow_overhead": "A campaign by the workflow, beside a bare loop over its batches",
        "workflow_scale": "Campaigns of many batches, two jobs each, on scripts that only touch their outputs",
    }
    text = ["# Speed", "", *[f"- {note}" for note in notes], f"- Versions: {_listed(versions)}.", ""]
    for name, rows in tables.items():
        if not rows:
            continue
        if name != "bars":
            pd.DataFrame(rows).to_csv(document.with_name(f"{name}.csv"), index=False, float_format="%.6g")
        shown = columns[name]
        text += [f"## {titles[name]}", "", _markdown([list(shown.values())] + [_cells(row, shown) for row in rows]), ""]
    document.write_text("\n".join(text))
    return document.read_text()


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _cells(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    """A row as text, ratios with their quartiles."""
    cells = []
    for key in columns:
        value = row.get(key)
        if f"{key}_low" in row:
            cells.append(f"{value:.2f} ({row[f'{key}_low']:.2f} to {row[f'{key}_high']:.2f})")
        elif value is None:
            cells.append("")
        elif isinstance(value, float):
            cells.append({"correlation": f"{value:.5f}", "power": f"{value:+.4f}"}.get(key, f"{value:.3g}"))
        else:
            cells.append(str(value))
    return cells


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
