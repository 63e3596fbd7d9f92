"""Tables as files: CSV for programs, Markdown for people."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tables import Options, Table

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
    folder: Path, name: str, table: Table, rows: Sequence[Mapping[str, Any]], notes: Sequence[str], options: Options
) -> str:
    """Write a table as Markdown, with notes and the bars that it bears on, and as CSV; return the text."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = {package: number for row in rows for package, number in row["versions"].items()}
    values = [{key: value for key, value in row.items() if key != "versions"} for row in rows]
    pd.DataFrame(values).to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    about = [*notes, *[f"{code} was not measured: {reason}" for code, reason in options.missing.items()]]
    text = [f"# {table.title}", "", *[f"- {note}." for note in about]]
    text += [f"- Versions: {', '.join(f'{package} {number}' for package, number in versions.items())}."] * bool(
        versions
    )
    text += ["", _markdown(table.columns, rows), ""]
    if claims := list(table.bars(rows)):
        text += ["Bars:", "", _markdown(BAR_COLUMNS, claims), ""]
    document = folder / f"{name}.md"
    document.write_text("\n".join(text))
    return document.read_text()


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


def _markdown(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [list(columns.values()), ["---"] * len(columns), *[_cells(row, columns) for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
