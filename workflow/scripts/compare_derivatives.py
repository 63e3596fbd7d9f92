"""Automatic derivatives compared with central differences of the whole forward model on the same seeds."""

from _job import experiment, start

log = start(snakemake)

from pathlib import Path

import numpy as np
import pandas as pd

from lenscast import io
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.validation.derivatives import central_difference, derivative_comparison, derivative_summary

p, statistics = snakemake.params, experiment(snakemake).statistics
automatic, masked = (
    list(io.gathered(snakemake.input[name], p.seeds, p.made_by[name])) for name in ("derivatives", "masked")
)
shifted = {}
for name, made_by in p.made_by["shifted"].items():
    paths = [path for path in snakemake.input.shifted if Path(path).parent.name == name]
    shifted[name] = list(io.gathered(paths, p.seeds, made_by))
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
through_mask = pd.Series(dtype=float)
if masked:
    means = np.concatenate([file.variables["jacobian"].values[:, names.index] for file in masked]).mean(axis=0)
    masked_bins = masked[0].coordinates["bin"]
    for statistic, rows in masked_bins.groupby("statistic", sort=False).indices.items():
        of_one = pd.Series(
            np.column_stack([means[:, rows], means[:, rows].sum(axis=1)]).ravel(),
            pd.MultiIndex.from_product([[statistic], names["name"], [*masked_bins["name"].iloc[rows], "total"]]),
        )
        through_mask = of_one if through_mask.empty else pd.concat([through_mask, of_one])
summaries = []
for statistic, path in zip(p.statistics, snakemake.output.tables, strict=True):
    rows = (bins["statistic"] == statistic).to_numpy()
    is_count = statistics[statistic].is_count
    quantity = "measured" if is_count else "expected"
    tables = []
    for step, suffix in ((1.0, ""), (0.5, "_half")):
        table = derivative_comparison(sample(jacobian, rows), sample(difference(quantity, step, suffix), rows))
        if is_count:
            of_one = through_mask[statistic]
            table["through_mask"] = of_one[list(zip(table["parameter"], table["data"], strict=True))].to_numpy()
        tables.append(table.assign(statistic=statistic, step=step))
        summaries.append(derivative_summary(table).assign(statistic=statistic, step=step))
    io.save_table(path, pd.concat(tables))
io.save_table(snakemake.output.summary, pd.concat(summaries))
log.info("\n%s", pd.concat(summaries).to_string(index=False))
