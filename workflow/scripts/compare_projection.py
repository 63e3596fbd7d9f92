"""Ray-traced maps compared with those of the same boxes in the Born approximation."""

from _job import experiment, start

log = start(snakemake)

import numpy as np
import pandas as pd

from lenscast import io
from lenscast.experiment.observation import region
from lenscast.validation.lensing import variant_comparison
from lenscast.validation.one_point import one_point, one_point_bins, smoothed, variance

p, described = snakemake.params, experiment(snakemake).variant("born").measuring(*snakemake.params.statistics)
observed = {name: io.load_observed(snakemake.input[name], described) for name in p.projections}


def smooth(paths):
    """Smoothed noise-free maps of all boxes."""
    kappas = (io.load(path, ["kappa"]).variables["kappa"].values for path in paths)
    return np.concatenate([smoothed(kappa, region(described), p.smoothing_arcmin) for kappa in kappas])


maps = {name: smooth(snakemake.input[f"{name}_maps"]) for name in p.projections}
edges = np.sqrt(variance(maps["born"]).mean(axis=0))[:, None] * np.array(p.edges)
values = {name: np.hstack([observed[name].values, one_point(maps[name], edges)]) for name in p.projections}
_, box, bins = observed["born"]
bins = pd.concat([bins, one_point_bins(edges, p.smoothing_arcmin)], ignore_index=True)
table = variant_comparison(values, box, bins, "born")
table["z_source"] = np.array(described.survey.sources.z)[table["source_1"]]
io.save_table(snakemake.output.table, table)
shown = ["statistic", "z_source", "scale_arcmin", "centre"]
log.info("\n%s", table.set_index(shown).filter(regex="_ratio").to_string())
