"""One flow of the posterior given a data vector, from the boxes that are not held out."""

from _job import experiment, provenance, start

log = start(snakemake)

from lenscast.inference import SimulatedPrior, train_flow
from lenscast.io.flows import load_compression, load_simulated_boxes, save_flow

p, described, number = snakemake.params, experiment(snakemake), int(snakemake.wildcards.flow)
section = described.simulation_based
by = load_compression(snakemake.input.forecast, p.made_by["forecast"], section.compression)
boxes = load_simulated_boxes(snakemake.input.data, p.seeds, p.made_by["data"], by)
learnt, _ = boxes.split(section.held_out_seeds)
prior = SimulatedPrior.of(described)
trained = train_flow(
    prior.coordinates(learnt.theta),
    learnt.features,
    section.flow,
    section.seed * 1000 + number,
    report=lambda epoch, log_q: log.debug("epoch %d: log q of validation boxes %.4f", epoch, log_q),
)
save_flow(snakemake.output.flow, trained, prior.names, provenance(snakemake, learnt.seeds.tolist()))
log.info("%d epochs, log q of validation boxes %.4f", len(trained.validation), trained.validation.max())
