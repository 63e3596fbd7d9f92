"""The page of a report: what a run found, in the order in which a reader asks.

Verdicts come first, then contours, errors, convergence, data, and what it takes to make the run again. Images are part
of the page, which has no scripts and asks the network for nothing.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
import yaml
from markupsafe import Markup

from lenscast.experiment import Experiment
from lenscast.fisher.along import COVARIANCE, JACOBIAN
from lenscast.fisher.resolution import KEYS
from lenscast.fisher.shown_tables import headline_rows, posterior_rows
from lenscast.parameters import label
from lenscast.report.captions import CAPTIONS

REMEDIES = {
    JACOBIAN: "raise <code>derivatives.boxes</code>{boxes}",
    COVARIANCE: "raise <code>covariance.boxes</code>",
    **{
        f"resolution in {level}": f"raise <code>{key}</code>, or leave out the bins that are not resolved "
        "(<code>forecast.scale_cuts: resolved</code>)"
        for level, key in KEYS.items()
    },
}
"""What to change for each reason why simulations limit an error."""

GREEK = {"Omega": "Ω", "sigma": "\N{GREEK SMALL LETTER SIGMA}", "Delta": "Δ", "eta": "η"}
MINUS, DASH, TIMES = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"


class Tables(NamedTuple):
    """Tables of one data vector.

    Attributes
    ----------
    parameters
        Errors, in one row per parameter.
    estimators
        Errors by estimator, with and without priors.
    directions
        Directions of parameter space.
    resolution
        Change of each bin between levels of resolution.
    bins
        Verdict of each bin on whether its data are Gaussian, and whether it is used.
    """

    parameters: pd.DataFrame
    estimators: pd.DataFrame
    directions: pd.DataFrame
    resolution: pd.DataFrame
    bins: pd.DataFrame


def report_page(
    experiment: Experiment,
    tables: Mapping[str, Tables],
    figures: Mapping[str, tuple[str, Path]],
    config: Mapping[str, Any],
    provenance: Mapping[str, str],
) -> str:
    """HTML of the report of a run.

    Parameters
    ----------
    experiment
        The experiment of the run.
    tables
        Tables by data vector.
    figures
        By name, the function of `lenscast.figures` that drew a figure, and the path of its PNG.
    config
        The complete config.
    provenance
        Provenance of the last forecast.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lenscast.report", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"symbol": symbol, "number": number}
    shown = {name: (CAPTIONS[function], _data_uri(path)) for name, (function, path) in figures.items()}
    by_function = {
        function: [name for name in figures if figures[name][0] == function] for function, _ in figures.values()
    }
    names = list(dict.fromkeys(name for each in tables.values() for name in each.parameters["parameter"]))
    return environment.get_template("page.html").render(
        run=experiment.run,
        verdicts={name: _verdict(each.parameters, each.estimators) for name, each in tables.items()},
        directions={name: each.directions.to_dict("records") for name, each in tables.items()},
        errors=[_errors(name, tables) for name in names],
        vectors={name: experiment.forecast.data_vectors[name] for name in tables},
        without_priors={name: _without_priors(each.estimators) for name, each in tables.items()},
        levels=_levels(tables),
        bins={name: each.bins.groupby("verdict")["used"].agg(["size", "sum"]) for name, each in tables.items()},
        limits=experiment.forecast.gaussian_bins,
        figures=shown,
        by_function=by_function,
        settings=_settings(experiment, next(iter(tables.values())).estimators),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
        provenance=provenance,
    )


def symbol(parameter: str) -> Markup:
    """Symbol of a parameter in HTML, from its LaTeX.

    Parameters
    ----------
    parameter
        Name of a parameter; one without a symbol is written as it is.
    """
    text = label(parameter) or parameter
    text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", text)
    text = re.sub(r"\\([A-Za-z]+) ?", lambda found: GREEK.get(found[1], found[1]), text)
    parts = re.split(r"_(?:\{([^}]*)\}|(\w+))", text)
    # split gives text, then the two groups of which one matched
    html = Markup()
    for index in range(0, len(parts), 3):
        below = "".join(part or "" for part in parts[index + 1 : index + 3])
        html += Markup("{}").format(parts[index]) + (Markup("<sub>{}</sub>").format(below) if below else "")
    return html


def number(value: float, digits: int = 3) -> str:
    """A number for a reader, with an infinity sign where there is none.

    Parameters
    ----------
    value
        Number.
    digits
        Significant digits.
    """
    if value is None or pd.isna(value):
        return DASH
    text = f"{value:.{digits}g}"
    if 10**digits <= abs(value) < 1e7:
        text = f"{float(text):,.0f}"  # 29,900 and not 2.99e+04
    return text.replace("inf", "∞").replace("-", MINUS)


def _verdict(parameters: pd.DataFrame, estimators: pd.DataFrame) -> dict[str, Any]:
    """Parameters by verdict, and what to change for those that simulations limit."""
    groups = {verdict: list(rows["parameter"]) for verdict, rows in parameters.groupby("verdict", sort=False)}
    rows = posterior_rows(estimators)
    limited = rows[rows["verdict"] == "limited by simulations"]
    found: dict[str, float] = {}
    for row in limited.to_dict("records"):
        for reason in REMEDIES:
            if reason in str(row["reason"]):
                found[reason] = max(found.get(reason, 0.0), row["boxes_needed"] if reason == JACOBIAN else 0.0)
    remedies = []
    for reason, boxes in found.items():
        needed = f" to {boxes:.0f} or more" if np.isfinite(boxes) else ", or fix a parameter: no information was found"
        remedies.append({"reason": reason, "remedy": Markup(REMEDIES[reason].format(boxes=needed))})
    return {
        "groups": groups,
        "remedies": remedies,
        "converged": len(groups.get("converged", [])),
        "all": len(parameters),
    }


def _errors(parameter: str, tables: Mapping[str, Tables]) -> dict[str, Any]:
    """Errors of one parameter from all data vectors."""
    rows = {
        name: next(iter(each.parameters[each.parameters["parameter"] == parameter].to_dict("records")), None)
        for name, each in tables.items()
    }
    present = [row for row in rows.values() if row is not None]
    return {"parameter": parameter, "fiducial": present[0]["fiducial"], "prior": present[0]["prior"], "rows": rows}


def _without_priors(estimators: pd.DataFrame) -> dict[str, float]:
    """Errors of the headline without priors, by parameter."""
    rows = headline_rows(estimators)
    return dict(rows[~rows["with_priors"].astype(bool)].set_index("parameter")["sigma"])


def _levels(tables: Mapping[str, Tables]) -> list[dict[str, Any]]:
    """For each data vector and level of resolution, the number of bins by verdict, and the worst bin."""
    found = []
    for name, each in tables.items():
        for level, rows in each.resolution.groupby("level", sort=False):
            counts = rows["verdict"].value_counts()
            worst = rows.loc[rows["derivative_left"].idxmax()]
            found.append({"vector": name, "level": level, "counts": counts, "bins": len(rows), "worst": worst})
    return found


def _settings(experiment: Experiment, table: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """What a reader wants to know first of an experiment."""
    simulation, lightcone, survey, row = experiment.simulation, experiment.lightcone, experiment.survey, table.iloc[0]
    distribution = {"planes": "single redshifts", "smail": "tomographic bins", "table": "tables of n(z)"}
    steps = getattr(simulation.integrator, "steps", "adaptive")
    return [
        ("survey", f"{survey.area_deg2:,.0f} deg², shape noise {survey.sigma_e:g} per component"),
        ("sources", f"{experiment.sources} ({distribution[survey.sources.kind]})"),
        ("galaxies per arcmin²", ", ".join(f"{each:g}" for each in survey.n_gal)),
        ("simulations", f"{simulation.particles}³ particles in {simulation.box_size:g} Mpc/h, {steps} steps of "
                        f"{simulation.integrator.kind}, correction {simulation.correction.kind}"),
        ("maps", f"{lightcone.pixels} {TIMES} {lightcone.pixels} pixels on {lightcone.field_deg:g}° {TIMES} "
                 f"{lightcone.field_deg:g}°, {lightcone.realisations_per_box} per box"),
        ("covariance", f"maps worth {row['n_effective']:.0f} independent ones"),
        ("derivatives", f"{int(row['boxes'])} boxes, {experiment.derivatives.views} views of each for counts"),
        ("area", f"information is that of a field times {row['area_ratio']:.0f}, without super-sample covariance"),
    ]  # fmt: skip


def _data_uri(path: Path) -> str:
    """A PNG as a part of the page."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()
