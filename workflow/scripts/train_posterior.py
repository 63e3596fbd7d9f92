"""One flow of the posterior given a data vector, from the boxes that are not held out."""

from _job import experiment, provenance, start

log = start(snakemake)

import _sbi as build
from lenscast import io
from lenscast.inference import train_flow

p, described, number = snakemake.params, experiment(snakemake), int(snakemake.wildcards.flow)
section = described.simulation_based
by = build.compression(snakemake.input.forecast, p.made_by["forecast"], section.compression)
boxes = build.boxes(snakemake.input.data, p.seeds, p.made_by["data"], by)
learnt = boxes.of_seeds(sorted({*boxes.seeds.tolist()} - {*build.held_out(described)}))
prior = build.prior(described)
trained = train_flow(
    prior.coordinates(learnt.theta),
    learnt.features,
    section.flow,
    section.seed * 1000 + number,
    report=lambda epoch, log_q: log.debug("epoch %d: log q of validation boxes %.4f", epoch, log_q),
)
io.save_flow(snakemake.output.flow, trained, prior.names, provenance(snakemake, learnt.seeds.tolist()))
log.info("%d epochs, log q of validation boxes %.4f", len(trained.validation), trained.validation.max())
