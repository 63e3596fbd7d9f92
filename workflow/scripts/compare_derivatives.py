"""Automatic derivatives against central differences of the whole forward model on the same seeds."""

from _job import start

log = start(snakemake)

from pathlib import Path

import numpy as np
import pandas as pd

from _build import gathered
from lenscast import io
from lenscast.forecast.comparison import central_difference, comparison_summary, comparison_table
from lenscast.forecast.derivatives import DerivativeSample

p = snakemake.params
automatic, masked = (
    list(gathered(snakemake.input[name], p.seeds, p.made_by[name])) for name in ("derivatives", "masked")
)
shifted = {}
for name, made_by in p.made_by["shifted"].items():
    paths = [path for path in snakemake.input.shifted if Path(path).parent.name == name]
    shifted[name] = list(gathered(paths, p.seeds, made_by))
index = pd.concat([file.coordinates["map"] for file in automatic])
bins, param = (automatic[0].coordinates[axis] for axis in ("bin", "param"))
names = param[param["name"].isin(p.steps)]


def sample(jacobian, rows):
    data = tuple(bins["name"][rows])
    return DerivativeSample.from_maps(jacobian[..., rows], index["seed"].to_numpy(), tuple(names["name"]), data)


def difference(quantity, step, suffix):
    sides = ([shifted[f"{n}_{side}{suffix}"] for n in names["name"]] for side in ("plus", "minus"))
    plus, minus = ([np.concatenate([f.variables[quantity].values for f in fs]) for fs in side] for side in sides)
    steps = [p.steps[name] * step for name in names["name"]]
    return np.stack([central_difference(*each) for each in zip(plus, minus, steps, strict=True)], axis=1)


jacobian = np.concatenate([file.variables["jacobian"].values[:, names.index] for file in automatic])
through_mask = np.concatenate([file.variables["jacobian"].values[:, names.index] for file in masked]).mean(axis=0)
through_mask = pd.Series(
    np.column_stack([through_mask, through_mask.sum(axis=1)]).ravel(),
    pd.MultiIndex.from_product([names["name"], [*masked[0].coordinates["bin"]["name"], "total"]]),
)
summaries = []
for statistic, path in zip(p.statistics, snakemake.output.tables, strict=True):
    rows = (bins["statistic"] == statistic).to_numpy()
    quantity = "measured" if statistic == "peaks" else "expected"
    tables = []
    for step, suffix in ((1.0, ""), (0.5, "_half")):
        table = comparison_table(sample(jacobian, rows), sample(difference(quantity, step, suffix), rows))
        if statistic == "peaks":
            table["through_mask"] = through_mask[list(zip(table["parameter"], table["data"], strict=True))].to_numpy()
        tables.append(table.assign(statistic=statistic, step=step))
        summaries.append(comparison_summary(table).assign(statistic=statistic, step=step))
    io.save_table(path, pd.concat(tables))
io.save_table(snakemake.output.summary, pd.concat(summaries))
log.info("\n%s", pd.concat(summaries).to_string(index=False))
