"""Tables as files: CSV for programs, Markdown and a figure for readers."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from table import Options, Table

from lenscast.plotting import save, style

BAR_COLUMNS = {"claim": "claim", "bar": "bar", "cores": "cores", "measured": "measured", "met": "met"}


def machine() -> str:
    """CPU model and number of cores; reports hold nothing else that identifies the machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


def load() -> str:
    """Load average over the last minute; it includes the processes of this benchmark."""
    return f"{os.getloadavg()[0]:.1f}"


def write(
    folder: Path, name: str, table: Table, rows: Sequence[Mapping[str, Any]], notes: Sequence[str], options: Options
) -> str:
    """Write a table as Markdown, CSV and a figure.

    Parameters
    ----------
    folder
        Folder of the files.
    name
        Name of the files, without their endings.
    table
        Title, columns and bars.
    rows
        Rows of the table.
    notes
        Sentences above the table, without full stops.
    options
        Give the clock of the ratios and the codes that were not measured.

    Returns
    -------
    text
        The Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    versions = {package: number for row in rows for package, number in row["versions"].items()}
    values = [{key: value for key, value in row.items() if key != "versions"} for row in rows]
    pd.DataFrame(values).to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    about = [*notes, *[f"{code} was not measured: {reason}" for code, reason in options.missing.items()]]
    text = [f"# {table.title}", "", *[f"- {note}." for note in about]]
    text += [f"- Versions: {', '.join(f'{package} {number}' for package, number in versions.items())}."] * bool(
        versions
    )
    save(_figure(table, rows, options.clock), folder / f"{name}.png")
    text += ["", _markdown(table.columns, rows), "", f"![{table.title}]({name}.png)", ""]
    if claims := list(table.bars(rows)):
        text += ["Bars:", "", _markdown(BAR_COLUMNS, claims), ""]
    document = folder / f"{name}.md"
    document.write_text("\n".join(text))
    return document.read_text()


def _cells(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    """Cells of a row as text; ratios have their quartiles."""
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


@style.styled
def _figure(table: Table, rows: Sequence[Mapping[str, Any]], clock: str) -> Any:
    """The drawn column of each row with its quartiles, and the bars of the rows that have one."""
    figure, ((axes,),) = style.grid(1, 1, (7.0, 0.8 + 0.28 * len(rows)))
    values = np.array([row[table.drawn] for row in rows])
    for end in ("low", "high"):
        ends = [row.get(f"{table.drawn}_{end}", row[table.drawn]) for row in rows]
        axes.hlines(range(len(rows)), values, ends, color=style.COLOURS[0], linewidth=3, alpha=0.4)
    axes.plot(values, range(len(rows)), "o", color=style.COLOURS[0], label="measured")
    bars = [(n, claim["bar"]) for n, row in enumerate(rows) for claim in table.bars([row])]
    if bars:
        where, texts = zip(*bars, strict=True)
        wanted = [float(text.split()[1]) for text in texts]
        label = f"bar ({texts[0].split()[0]})"
        axes.plot(wanted, where, "|", color=style.COLOURS[1], markersize=12, markeredgewidth=2, label=label)
        figure.legend(loc="outside upper right", ncols=2)
        values = np.append(values, wanted)
    if values.max() > 3 * values.min():
        axes.set_xscale("log")
        style.plain_ticks(axes.xaxis)
    if table.drawn.endswith("ratio"):
        axes.axvline(1.0, color="0.4", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(rows)), _labels(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(table.columns[f"{clock}_ratio" if table.drawn == "ratio" else table.drawn])
    return figure


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Label of each row: the columns in which the rows differ."""
    names = [name for name in ("particles", "code", "program", "result", "run", "batches", "call") if name in rows[0]]
    telling = [name for name in names if len({row[name] for row in rows}) > 1] or names[-1:]
    words = {"particles": "${}^3$", "batches": "{} batches"}
    return ["  ".join(words.get(name, "{}").format(row[name]) for name in telling) for row in rows]
