"""Forecast of arrays that any code made: errors, directions, verdicts and contours."""

from _job import start

log = start(snakemake)

from pathlib import Path

import pandas as pd

from lenscast import io, plotting
from lenscast.fisher.arrays import forecast_arrays
from lenscast.fisher.derived import derived_parameters
from lenscast.fisher.shown_tables import screen_table, short_table

try:
    arrays = io.load_arrays(snakemake.input.arrays, snakemake.params.area_ratio)
    forecasts = forecast_arrays(*arrays)
except ValueError as error:  # of the arrays, not of the program: without a trace
    log.critical("%s", error)
    raise SystemExit(1) from None
short = {name: short_table(made.parameters) for name, made in forecasts.items()}
tables = {"parameters": short, "estimators": {name: made.parameters for name, made in forecasts.items()}}
for kind in ("directions", "reliability"):
    tables[kind] = {name: getattr(made, kind) for name, made in forecasts.items()}
for kind, each in tables.items():
    joined = pd.concat(each, names=["data_vector"]).reset_index("data_vector")
    io.save_table(snakemake.output[kind], joined)
log.debug("Errors with priors, and their 68 %% limits:\n%s", screen_table(short))

setting = arrays.setting
derived = derived_parameters(setting.parameters, setting.fiducial)
posteriors = {
    name: made.estimate.fisher(priors=setting.priors).with_priors(setting.priors).inverse().with_derived(derived)
    for name, made in forecasts.items()
}
notes = [note for name, made in forecasts.items() for note in plotting.verdict_note(name, made.parameters)]
own = {name: plotting.priors_own(made.parameters) for name, made in forecasts.items()}
figures = {
    "triangle": plotting.triangle(posteriors, notes, own),
    "reliability": plotting.reliability(tables["reliability"]),
}
for path in map(Path, snakemake.output.figures):
    plotting.save(figures[path.stem], path)
