"""Ray-traced maps beside those of the same boxes in the Born approximation."""

from _job import start

log = start(snakemake)

import numpy as np
import pandas as pd

import _build as build
from lenscast import io
from lenscast.lensing_validation import comparison_table
from lenscast.statistics.one_point import one_point, one_point_bins, smoothed, variance

p = snakemake.params
region = build.measurement(p.settings)[0].region
observed = {name: build.spectra_and_counts(snakemake.input[name], p.settings) for name in p.projections}


def smooth(paths):
    """Smoothed noise-free maps of all boxes."""
    kappas = (io.load(path, ["kappa"]).variables["kappa"].values for path in paths)
    return np.concatenate([smoothed(kappa, region, p.smoothing_arcmin) for kappa in kappas])


maps = {name: smooth(snakemake.input[f"{name}_maps"]) for name in p.projections}
edges = np.sqrt(variance(maps["born"]).mean(axis=0))[:, None] * np.array(p.edges)
values = {name: np.hstack([observed[name].values, one_point(maps[name], edges)]) for name in p.projections}
_, box, bins = observed["born"]
bins = pd.concat([bins, one_point_bins(edges, p.smoothing_arcmin)], ignore_index=True)
table = comparison_table(values, box, bins, "born")
table["z_source"] = np.array(p.z_source)[table["source_1"]]
io.save_table(snakemake.output.table, table)
shown = ["statistic", "z_source", "scale_arcmin", "centre"]
log.info("\n%s", table.set_index(shown).filter(regex="_ratio").to_string())
