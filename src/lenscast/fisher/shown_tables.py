"""What is shown of the table of errors: a table to read, the last screen of a run, and comparisons of runs.

All of them are made from the table of `tables.fisher_table`.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd

from lenscast.fisher.estimators import HEADLINE

SHORT_DIGITS = 4
"""Significant digits of `short_table`."""


def runs_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Errors of one data vector in several runs, in one row per parameter.

    From the headline estimator, with systematics marginalised.

    Parameters
    ----------
    tables
        Tables of `fisher_table`, by run. A parameter that a run does not have is empty there.

    Returns
    -------
    table
        Columns ``parameter`` and ``with_priors``; for each run sigma, its limits, conditional error and verdict, named
        <column>_<run>; for each run but the first, sigma and conditional error divided by those of the first, named
        <column>_ratio_<run>.
    """
    keys, (first, *others) = ["parameter", "with_priors"], tables
    columns = ["sigma", "sigma_low", "sigma_high", "conditional", "verdict"]
    joined = pd.concat(
        {run: headline_rows(table).set_index(keys)[columns] for run, table in tables.items()},
        axis=1,
        sort=False,
    )
    joined.columns = [f"{column}_{run}" for run, column in joined.columns]
    for run, column in product(others, ["sigma", "conditional"]):
        joined[f"{column}_ratio_{run}"] = joined[f"{column}_{run}"] / joined[f"{column}_{first}"]
    return joined.reset_index()


def vectors_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Errors with priors of several data vectors of one run, in one row per data vector.

    From the headline estimator, with systematics marginalised.

    Parameters
    ----------
    tables
        Tables of `fisher_table`, by data vector.

    Returns
    -------
    table
        Columns ``data_vector`` and ``data``, its length; for each parameter the marginal error, the conditional one
        and the verdict, named sigma_<parameter>, conditional_<parameter> and verdict_<parameter>.
    """
    rows = []
    for vector, table in tables.items():
        headline = headline_rows(table)
        own: dict[str, object] = {"data_vector": vector, "data": int(table["data_length"].iloc[0])}
        for row in headline[headline["with_priors"]].to_dict("records"):
            own |= {f"{column}_{row['parameter']}": row[column] for column in ("sigma", "conditional", "verdict")}
        rows.append(own)
    return pd.DataFrame(rows)


def short_table(table: pd.DataFrame) -> pd.DataFrame:
    """Errors of a data vector in one row per parameter: the headline with priors, systematics marginalised.

    Parameters
    ----------
    table
        Table of `fisher_table`.

    Returns
    -------
    table
        Columns ``parameter, fiducial, sigma, sigma_low, sigma_high, verdict, reason, prior``, with numbers to
        `SHORT_DIGITS` significant digits; ``reason`` and ``prior`` are empty where there is none.
    """
    short = posterior_rows(table)[
        ["parameter", "fiducial", "sigma", "sigma_low", "sigma_high", "verdict", "reason", "prior"]
    ]
    numbers = short.select_dtypes("number").map(lambda value: float(f"{value:.{SHORT_DIGITS}g}"))
    return short.assign(**numbers).reset_index(drop=True)


def screen_table(tables: Mapping[str, pd.DataFrame]) -> str:
    """Errors of all data vectors as lines of text for a terminal.

    Parameters
    ----------
    tables
        Tables of `short_table`, by data vector.
    """
    rows = []
    for name, table in tables.items():
        for row in table.to_dict("records"):
            reason = "" if pd.isna(row["reason"]) or not row["reason"] else f" ({row['reason']})"
            numbers = {key: "" if pd.isna(row[key]) else f"{row[key]:g}" for key in ("fiducial", "sigma", "prior")}
            limits = "" if pd.isna(row["sigma_low"]) else f"{row['sigma_low']:.3g}..{row['sigma_high']:.3g}"
            verdict = {"68 %": limits, "prior": numbers.pop("prior"), "verdict": row["verdict"] + reason}
            rows.append({"data vector": name, "parameter": row["parameter"], **numbers, **verdict})
    # to_string aligns text to the right, but for the last column it is easier to read from the left
    last = max(len(row["verdict"]) for row in rows)
    lined = pd.DataFrame([{**row, "verdict": row["verdict"].ljust(last)} for row in rows])
    lined = lined.rename(columns={"verdict": "verdict".ljust(last)})
    return "\n".join(line.rstrip() for line in lined.to_string(index=False).splitlines())


def screen_bins(tables: Mapping[str, pd.DataFrame]) -> str:
    """Bins of a run that are not Gaussian enough as lines of text for a terminal; empty where all are.

    Parameters
    ----------
    tables
        Tables of bins with the columns ``name``, ``verdict`` and ``used``, by data vector.
    """
    bins = pd.concat(tables.values()).drop_duplicates("name")
    kinds = {"few": "few counts", "skewed": "skewed data"}
    found = {what: bins[bins["verdict"] == verdict] for verdict, what in kinds.items()}
    lines = [f"Bins with {what}: {_first_names([*rows['name']])}" for what, rows in found.items() if len(rows)]
    if lines:
        in_use = pd.concat(found.values())["used"].all()
        lines.append("forecast.drop_bins: auto would leave them out" if in_use else "forecast.drop_bins left them out")
    return "\n".join(lines)


def _first_names(names: Sequence[str], shown: int = 3) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def headline_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the headline estimator for all parameters, with systematics marginalised.

    Parameters
    ----------
    table
        Table of `fisher_table`.
    """
    return table[(table["estimator"] == HEADLINE) & (table["systematics"] != "fixed")]


def posterior_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of `headline_rows` with priors, or without where the forecast has none: those that contours show.

    Parameters
    ----------
    table
        Table of `fisher_table`.
    """
    rows = headline_rows(table)
    return rows[rows["with_priors"] == rows["with_priors"].any()]
