"""Calibration of a learnt posterior on held-out boxes, and its draws given the fiducial data."""

from _job import experiment, provenance, start

log = start(snakemake)

import numpy as np

from lenscast import io
from lenscast.inference import LearntPosterior, SimulatedPrior, calibration, calibration_table, learnt_table
from lenscast.io.flows import load_compression, load_flow, load_simulated_boxes, save_calibration

DRAWS, FIDUCIAL_DRAWS = 1000, 40_000

p, described = snakemake.params, experiment(snakemake)
section = described.simulation_based
by = load_compression(snakemake.input.forecast, p.made_by["forecast"], section.compression)
_, boxes = load_simulated_boxes(snakemake.input.data, p.seeds, p.made_by["data"], by).split(section.held_out_seeds)
prior = SimulatedPrior.of(described)
posterior = LearntPosterior(prior, [load_flow(path).flow for path in snakemake.input.flows])
first = boxes.features[:, 0]  # one map of each box: ranks are independent
draws = prior.coordinates(posterior.draws(first, DRAWS))
truth = prior.coordinates(boxes.theta)
found = calibration(prior.names, truth, draws)
table = calibration_table(found)
fiducial = posterior.draws(np.zeros((1, first.shape[1])), FIDUCIAL_DRAWS)[0]
widths = learnt_table(prior.names, fiducial, io.load_forecast(snakemake.input.forecast))
origin = provenance(snakemake, boxes.seeds.tolist())
save_calibration(snakemake.output.ranks, found, boxes.seeds.tolist(), origin)
variables = {"draws": io.Variable(fiducial, ("draw", "param"), "see param", "draws given the fiducial data")}
values = {"name": list(prior.names), "fiducial": [described.fiducial[name] for name in prior.names]}
io.save(snakemake.output.draws, variables, {"param": values}, origin)
io.save_table(snakemake.output.calibration, table)
io.save_table(snakemake.output.widths, widths)
log.info("log q of held-out boxes %.4f", posterior.log_density(truth, first).mean())
for each in (table, widths):
    log.info("\n%s", each.to_string(index=False))
